"""What is known of each well, checked once: plate, place, class, treatment, and if it counts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.plates.wells import well_position
from counterstain.ranking.concentrations import read_concentrations

__all__ = ["DISEASED", "HEALTHY", "WellTable", "read_wells"]

DISEASED, HEALTHY, TREATED = 0, 1, -1
_REQUIRED = ("Metadata_Plate", "Metadata_Well", "class_name")
_MIN_CELL_SHARE = 0.2
"""Share of the cells of its plate's diseased controls below which a well has too few."""


@dataclass(frozen=True, slots=True)
class WellTable:
    """Wells as arrays of length W.

    Parameters
    ----------
    plate, batch : ndarray of int
        Number of each well's plate and acquisition batch.
    plate_names : tuple of str
        Names of the P plates.
    row, column : ndarray of int
        Place on the plate, from 0.
    kind : ndarray of int
        0 diseased control, 1 healthy control, -1 any other well.
    treatment : ndarray of int
        Number of each treated well's treatment (compound and dose); -1 for controls and wells of
        which it cannot be read.
    treatments : DataFrame
        A row per treatment with ``Metadata_Compound`` and ``Metadata_Concentration``.
    mark : ndarray of str
        Why a well takes no part; "" for those that do.
    few_cells : ndarray of bool
        Wells marked for too few cells.
    cell_share : ndarray of float
        Cells over the median of the plate's diseased controls; NaN where unknown.
    """

    plate: NDArray[np.int64]
    batch: NDArray[np.int64]
    plate_names: tuple[str, ...]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    kind: NDArray[np.int64]
    treatment: NDArray[np.int64]
    treatments: pd.DataFrame
    mark: NDArray[np.object_]
    few_cells: NDArray[np.bool_]
    cell_share: NDArray[np.float64]

    @property
    def notes(self) -> tuple[str, ...]:
        """How many wells take no part, and why, a sentence a reason."""
        reasons, counts = np.unique(self.mark[self.mark != ""].astype(str), return_counts=True)
        return tuple(
            f"{count} well(s) take no part: {reason}"
            for reason, count in zip(reasons, counts, strict=True)
        )

    @property
    def counts(self) -> NDArray[np.bool_]:
        """Whether each well takes part."""
        return np.asarray(self.mark == "")

    def controls(self, kind: int) -> NDArray[np.bool_]:
        """Return which wells are usable controls of a kind."""
        return np.asarray((self.kind == kind) & self.counts)

    def marked(self, rows: NDArray[np.bool_], why: str) -> WellTable:
        """Mark more wells; wells that are marked already keep their mark."""
        return replace(self, mark=np.where(rows & self.counts, why, self.mark).astype(object))


def read_wells(wells: pd.DataFrame, *, diseased: str, healthy: str, min_cells: int) -> WellTable:
    """Check a table of wells.

    Parameters
    ----------
    wells : DataFrame
        See :func:`counterstain.ranking.rank_treatments`.
    diseased, healthy : str
        Names of the two control classes in ``class_name``.
    min_cells : int
        Cells below which a well takes no part.

    Returns
    -------
    WellTable

    Raises
    ------
    InvalidInputError
        If a column is missing, a well is there twice, a well's name is none, or a control has
        fewer than two wells in the whole screen.

    Examples
    --------
    >>> wells = pd.DataFrame({
    ...     "Metadata_Plate": "P1", "Metadata_Well": ["A01", "A02", "A03", "A04", "A05"],
    ...     "class_name": ["sick", "sick", "well", "well", ""],
    ...     "Metadata_Compound": ["", "", "", "", "C1"], "Metadata_Concentration": "3 uM",
    ... })
    >>> table = read_wells(wells, diseased="sick", healthy="well", min_cells=10)
    >>> table.kind.tolist(), table.treatments.values.tolist()
    ([0, 0, 1, 1, -1], [['C1', 3.0]])
    """
    _check_columns(wells, diseased, healthy)
    plate, plate_names = pd.factorize(wells["Metadata_Plate"].astype(str), sort=True)
    places = np.array([well_position(str(well)) for well in wells["Metadata_Well"]], np.int64)
    class_name = _text(wells["class_name"])
    kind = np.select([class_name == diseased, class_name == healthy], [DISEASED, HEALTHY], TREATED)
    mark = np.full(len(wells), "", dtype=object)
    compound, dose = _treatments(wells, class_name, kind, mark)
    few_cells, share = _cells(wells, plate, kind, min_cells)
    mark[few_cells & (mark == "")] = "too few cells"
    _check_controls(kind, mark, diseased, healthy)
    named = (kind == TREATED) & ((mark == "") | few_cells)
    treatment, treatments = _number_treatments(compound, dose, named)
    batch = wells["Metadata_Batch"] if "Metadata_Batch" in wells else wells["Metadata_Plate"]
    return WellTable(
        plate=plate.astype(np.int64),
        batch=pd.factorize(batch.astype(str), sort=True)[0].astype(np.int64),
        plate_names=tuple(str(name) for name in plate_names),
        row=places[:, 0],
        column=places[:, 1],
        kind=kind.astype(np.int64),
        treatment=treatment,
        treatments=treatments,
        mark=mark,
        few_cells=few_cells,
        cell_share=share,
    )


def _check_columns(wells: pd.DataFrame, diseased: str, healthy: str) -> None:
    missing = [name for name in _REQUIRED if name not in wells]
    if missing:
        raise InvalidInputError(
            f"`wells` must have the columns {', '.join(_REQUIRED)}; got none called "
            f"{', '.join(missing)}: join the plate map first."
        )
    if wells.empty:
        raise InvalidInputError("`wells` must have a row per well; got none: pass scored wells.")
    if diseased == healthy:
        raise InvalidInputError(
            f"`diseased` and `healthy` must be two classes; got {diseased!r} twice: name both."
        )
    twice = wells.duplicated(["Metadata_Plate", "Metadata_Well"], keep=False)
    if twice.any():
        first = wells.loc[twice, ["Metadata_Plate", "Metadata_Well"]].iloc[0]
        raise InvalidInputError(
            f"`wells` must have one row per well; got plate {str(first.iloc[0])!r} well "
            f"{str(first.iloc[1])!r} twice ({int(twice.sum())} rows in all): average rows of a "
            f"well, or tell the plates apart by name."
        )


def _check_controls(
    kind: NDArray[np.int64], mark: NDArray[np.object_], diseased: str, healthy: str
) -> None:
    problems = []
    for code, argument, name in ((DISEASED, "diseased", diseased), (HEALTHY, "healthy", healthy)):
        n = int(np.count_nonzero((kind == code) & (mark == "")))
        if n < 2:
            lost = int(np.count_nonzero((kind == code) & (mark != "")))
            problems.append(
                f"`{argument}` must be a class with two usable wells or more; got {n} well(s) of "
                f"class {name!r}{f' and {lost} with too few cells' if lost else ''}: without both "
                f"controls there is no scale, so name the class that is there, or image more wells."
            )
    if problems:
        raise InvalidInputError(problems)


def _treatments(
    wells: pd.DataFrame,
    class_name: NDArray[np.object_],
    kind: NDArray[np.int64],
    mark: NDArray[np.object_],
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """Return compound and dose of each well, and mark those that cannot be read."""
    blank = pd.Series([""] * len(wells), index=wells.index)
    compound = _text(wells.get("Metadata_Compound", blank))
    # A third class, such as "treated", is a treatment by itself.
    compound = np.where(compound == "", class_name, compound).astype(object)
    treated = kind == TREATED
    dose, problems = read_concentrations(_amounts(wells, treated, blank))
    wrong = np.array(problems, dtype=object)
    mark[treated & (wrong != "")] = wrong[treated & (wrong != "")]
    mark[treated & (compound == "") & (mark == "")] = "no compound named"
    return compound, dose


def _amounts(wells: pd.DataFrame, treated: NDArray[np.bool_], blank: pd.Series) -> pd.Series:
    """Return concentrations, with their units where treated wells differ in these."""
    amounts = wells.get("Metadata_Concentration", blank)
    units = _text(wells.get("Metadata_ConcentrationUnit", blank))
    if np.unique(units[treated].astype(str)).size < 2:
        return amounts
    written = [
        f"{amount} {unit}".strip() for amount, unit in zip(_text(amounts), units, strict=True)
    ]
    return pd.Series(written, index=wells.index)


def _number_treatments(
    compound: NDArray[np.object_], dose: NDArray[np.float64], named: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], pd.DataFrame]:
    # Alike to nine digits is one dose: 0.1 + 0.2 and 0.3 are written by different programs.
    rounded = [float(f"{value:.9g}") for value in dose[named]]
    frame = pd.DataFrame({"Metadata_Compound": compound[named], "Metadata_Concentration": rounded})
    numbers = frame.groupby(list(frame.columns), sort=True, dropna=False).ngroup()
    treatment = np.full(len(named), -1, np.int64)
    treatment[named] = numbers.to_numpy()
    rows = frame.assign(number=numbers).drop_duplicates("number").sort_values("number")
    return treatment, rows.drop(columns="number").reset_index(drop=True)


def _cells(
    wells: pd.DataFrame, plate: NDArray[np.int64], kind: NDArray[np.int64], min_cells: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    if "n_cells" not in wells:
        return np.zeros(len(wells), bool), np.full(len(wells), np.nan)
    cells = pd.to_numeric(wells["n_cells"], errors="coerce").to_numpy(np.float64)
    usual = pd.Series(cells[kind == DISEASED]).groupby(plate[kind == DISEASED]).median()
    expected = pd.Series(plate).map(usual).to_numpy(np.float64)
    share = np.divide(cells, expected, out=np.full(len(cells), np.nan), where=expected > 0)
    return np.asarray((cells < min_cells) | (share < _MIN_CELL_SHARE)), share


def _text(column: pd.Series) -> NDArray[np.object_]:
    filled = column.astype(object).where(column.notna(), "")
    return np.array([str(value).strip() for value in filled], dtype=object)
