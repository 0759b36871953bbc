"""``counterstain export``: a run for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from counterstain.errors import InvalidInputError

__all__ = ["export"]


def export(
    folder: Path,
    /,
    *,
    to: Path,
    counterfactuals: bool = False,
    well: str | None = None,
    plate: str | None = None,
    tables: Literal["csv"] | None = None,
) -> None:
    """Write parts of a run for other tools: counterfactuals as OME-TIFF, tables as CSV.

    Parameters
    ----------
    folder
        The run folder.
    to
        Folder for the files.
    counterfactuals
        Write an OME-TIFF for each pictured counterfactual: as imaged, on the boundary, beyond it,
        in grey values with channel names and pixel size; and its nuclei as a label image.
    well
        Only those of this well, as B03.
    plate
        Only those of this plate.
    tables
        Write every table, as csv.
    """
    if not counterfactuals and tables is None:
        raise InvalidInputError(
            "`export` must be told what to write; got nothing: add --counterfactuals, "
            "--tables csv, or both."
        )
    from counterstain.export import read_pictured, write_csv_tables, write_ome_tiffs
    from counterstain.run_folder import RunFolder

    run = RunFolder(folder)
    pictured = read_pictured(run, well, plate) if counterfactuals else []
    if tables is not None:
        written = write_csv_tables(run, to)
        print(f"Tables: {len(written)} as CSV in {to}")
    if counterfactuals:
        paths = write_ome_tiffs(pictured, to)
        scale = (
            "" if pictured[0].unit == "grey value" else "; crops.zarr is lost: not in grey values"
        )
        print(f"Counterfactuals: {len(paths)} as OME-TIFF in {to}{scale}")
