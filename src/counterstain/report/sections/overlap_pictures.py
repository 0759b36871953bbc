"""Patches of a co-culture as pictures: around the median of each group, and what is faulty."""

from __future__ import annotations

import pandas as pd

from counterstain.errors import CounterstainError
from counterstain.figures.overlap_patches import PatchPicture, PatchRow, draw_patch_examples
from counterstain.figures.overlap_pixels import PatchPixels
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.numbers import count
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.answer import GAMMA
from counterstain.report.sections.overlap_figures import control_rows

__all__ = ["example_figure", "faulty_figure", "ordinary_patches", "patch_pixels"]

_EACH, _MOST_GROUPS, _MOST_FAULTY = 3, 6, 6


def patch_pixels(overlap: OverlapData) -> PatchPixels | None:
    """Open the store of patches; None where it is missing or damaged."""
    try:
        return PatchPixels.open(overlap.data.folder.patches)
    except (CounterstainError, OSError):
        return None


def ordinary_patches(
    patches: pd.DataFrame, group: str, most: int = _EACH
) -> tuple[pd.DataFrame, float]:
    """Choose patches of a group around the median overlap of those in contact.

    Parameters
    ----------
    patches : DataFrame
        A row a patch: `group`, `state`, `iou`, `patch` (-1 where its pixels are not kept).
    group : str
        Group to choose from.
    most : int
        How many to choose, each from another well while there are any.

    Returns
    -------
    rows : DataFrame
        The patches nearest to the median.
    median : float
        The median of all patches of the group in contact.

    Examples
    --------
    >>> table = pd.DataFrame({"group": "a", "state": "contact", "iou": [0.1, 0.2, 0.9],
    ...     "patch": [0, 1, 2], "Metadata_Plate": "P", "Metadata_Well": ["A01", "A02", "A03"]})
    >>> rows, median = ordinary_patches(table, "a", 1)
    >>> rows["patch"].tolist(), median
    ([1], 0.2)
    """
    own = patches[(patches["group"] == group) & (patches["state"] == "contact")]
    median = float(own["iou"].median())
    kept = own[own["patch"] >= 0]
    far = (kept["iou"] - median).abs()
    kept = kept.assign(far=far).sort_values(["far", "patch"], kind="stable")
    turn = kept.groupby(["Metadata_Plate", "Metadata_Well"]).cumcount()
    kept = kept.assign(turn=turn).sort_values(["turn", "far"], kind="stable")
    return kept.head(most), median


def example_figure(overlap: OverlapData, book: FigureBook) -> PageFigure | None:
    """Draw patches around the median of each group."""
    patches, store = overlap.patches, patch_pixels(overlap)
    if patches is None or store is None:
        return None
    patches = control_rows(patches)
    rows, shown, n = [], [], 0
    for group in overlap.groups[:_MOST_GROUPS]:
        chosen, median = ordinary_patches(patches, group)
        if len(chosen):
            pictures = _pictures(store, chosen)
            n += len(pictures)
            shown.append(chosen)
            rows.append(
                PatchRow(f"{group}: median IoU of patches in contact {median:.3f}", pictures)
            )
    if not rows:
        return None
    caption = (
        "Patches of control wells (those in a class) whose IoU is nearest the median of their "
        f"{overlap.group_noun}, from different wells where possible: ordinary ones, not the best. "
        f"All on one scale, that of the plate’s negative controls (gamma {GAMMA:g}). {n} patches; "
        "what is claimed rests on "
        "the tests below, not on them."
    )
    figure = draw_patch_examples(rows, overlap.kinds, overlap.colours, store.pixel_size_um, GAMMA)
    alt = f"Patches of {', '.join(overlap.groups[:_MOST_GROUPS])} with the outlines of their masks."
    return book.add("overlap_examples", figure, caption=caption, alt=alt, table=pd.concat(shown))


def _pictures(store: PatchPixels, rows: pd.DataFrame, faulty: bool = False) -> list[PatchPicture]:
    pixels, regions = store.read(rows["patch"].to_numpy())
    several = rows["Metadata_Plate"].nunique() > 1
    found = []
    for image, mask, record in zip(pixels, regions, rows.to_dict("records"), strict=True):
        well = (
            f"{record['Metadata_Plate']} {record['Metadata_Well']}"
            if several
            else (str(record["Metadata_Well"]))
        )
        what = str(record["why"]) if faulty else f"IoU {float(record['iou']):.3f}"
        found.append(PatchPicture(image, mask, f"{well} · {what}"))
    return found


def faulty_figure(overlap: OverlapData, book: FigureBook) -> PageFigure | None:
    """Draw a patch of each state that is faulty, and of each fault of a field."""
    patches, fields, store = overlap.patches, overlap.fields, patch_pixels(overlap)
    if patches is None or store is None:
        return None
    rows = patches[(patches["patch"] >= 0) & ~patches["state"].isin(["contact", "no contact"])]
    if not len(rows):
        return None
    rows = rows.assign(why=_reasons(rows, fields, overlap)).sort_values("patch")
    first = rows.groupby("why", sort=False).head(1)
    chosen = first.sort_values("why").head(_MOST_FAULTY)
    pictures = _pictures(store, chosen, faulty=True)
    parts = [pictures[i : i + _EACH] for i in range(0, len(pictures), _EACH)]
    titles = ["Faulty patches: overlap 0 by definition", *["Faulty patches"] * len(parts)]
    lines = [PatchRow(title, part) for title, part in zip(titles, parts, strict=False)]
    caption = (
        "One patch of each kind of fault, with the masks that were left after debris was taken "
        f"out. {count(float(patches['faulty'].sum()))} of {count(len(patches))} patches are "
        "faulty; none is in a mean."
        if "faulty" in patches
        else "One patch of each kind of fault; none is in a mean."
    )
    figure = draw_patch_examples(lines, overlap.kinds, overlap.colours, store.pixel_size_um, GAMMA)
    alt = f"Faulty patches: {', '.join(chosen['why'])}."
    return book.add("overlap_faulty", figure, caption=caption, alt=alt, table=chosen)


def _reasons(rows: pd.DataFrame, fields: pd.DataFrame | None, overlap: OverlapData) -> pd.Series:
    """Return what is wrong with each patch: its state, or the fault of its field."""
    why = rows["state"].astype(str)
    if fields is None or "field" not in rows or "field" not in fields:
        return why
    fault = rows["field"].map(fields.set_index("field")["fault"]).fillna("").astype(str)
    fault = fault.map(overlap.data.without_paths)
    return why.where((why != "faulty field") | (fault == ""), fault)
