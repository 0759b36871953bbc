"""What a live page needs to show any patch under the pointer: sheets of thumbnails and an index."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from counterstain.errors import CounterstainError
from counterstain.figures.overlap_pixels import PatchPixels
from counterstain.figures.overlap_sprites import write_sprites
from counterstain.files import atomic_path
from counterstain.report.data import RunData
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.answer import GAMMA

__all__ = ["explorer_index", "write_explorer"]

_NAMES = {
    "patch": "patch", "Metadata_Plate": "plate", "Metadata_Well": "well", "Metadata_Site": "site",
    "Metadata_Compound": "compound", "Metadata_Concentration": "concentration",
    "class_name": "class_name", "state": "state", "faulty": "faulty", "iou": "overlap",
    "part": "part",
}  # fmt: skip
_LEARNT = ("umap1_", "umap2_", "pc1_", "pc2_", "reconstruction_rmse_", "iou_predicted_",
           "class_predicted_")  # fmt: skip


def explorer_index(overlap: OverlapData) -> pd.DataFrame | None:
    """Return a row a kept patch: where it is from, its overlap, and its places on the maps.

    Parameters
    ----------
    overlap : OverlapData
        A run.

    Returns
    -------
    DataFrame or None
        `patch`, `group`, plate, well, compound, `state`, `overlap`, and for each kind of image the
        embeddings and predictions where the run has them; None where it kept no patch.
    """
    latents, patches = overlap.data.table("overlap_latents"), overlap.patches
    table = latents if latents is not None else patches
    if table is None:
        return None
    table = table[table["patch"] >= 0].sort_values("patch")
    group = table.get(overlap.group_column, table["class_name"])
    kept = {old: new for old, new in _NAMES.items() if old in table}
    learnt = [c for c in table if str(c).startswith(_LEARNT)]
    found = table[[*kept, *learnt]].rename(columns=kept)
    return found.assign(group=group.astype("string").fillna("")).reset_index(drop=True)


def write_explorer(data: RunData) -> Path | None:
    """Write ``explorer/patches_*.webp`` and ``explorer/patches.parquet``.

    Parameters
    ----------
    data : RunData
        A run with kept patches.

    Returns
    -------
    Path or None
        The index; None where the run kept no patch, or its store cannot be read.

    Raises
    ------
    InvalidInputError
        If the disk is full.
    """
    overlap = OverlapData(data)
    index = explorer_index(overlap)
    if index is None or not len(index):
        return None
    try:
        patches = PatchPixels.open(data.folder.patches)
    except (CounterstainError, OSError):
        return None
    folder = data.folder.explorer
    tiles = write_sprites(patches, folder, overlap.colours, gamma=GAMMA)
    path = folder / "patches.parquet"
    with atomic_path(path) as temporary:
        index.merge(tiles, on="patch", how="inner", validate="1:1").to_parquet(
            temporary, index=False
        )
    return path
