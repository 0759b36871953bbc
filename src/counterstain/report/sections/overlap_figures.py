"""Figures of how much two kinds of cells touch: groups, crowding, patches and plates."""

from __future__ import annotations

import pandas as pd

from counterstain.figures.overlap_crowding import CrowdingPanel, draw_crowding
from counterstain.figures.overlap_groups import GroupPanel, draw_overlap_groups
from counterstain.figures.overlap_histograms import draw_patch_histograms
from counterstain.figures.overlap_plate import draw_overlap_plate, overlap_limits
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.numbers import as_estimate, count
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.overlap_words import (
    amount_sentence,
    crowded_columns,
    crowding_sentence,
    follows,
    probability,
)
from counterstain.types import Estimate

__all__ = ["control_rows", "crowding_figure", "group_figure", "histogram_figure", "plate_figures"]

_MOST_PLATES = 16


def control_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of wells in a class, which are the controls; all where there is none."""
    classed = table[table["class_name"] != ""]
    return classed if len(classed) else table


def group_figure(overlap: OverlapData, book: FigureBook) -> PageFigure | None:
    """Draw the wells of each class by the measure and by the overlap above chance."""
    wells, names = overlap.wells, [str(row["group"]) for row in overlap.compared]
    if wells is None or not names:
        return None
    columns = dict.fromkeys((overlap.measure, "iou_above_chance", "iou"))
    panels = [
        GroupPanel(c, _upper(overlap.words(c)), overlap.means(c), zero=c.endswith("above_chance"))
        for c in list(columns)[:2]
        if c in wells
    ]
    rows = wells[wells["class_name"].isin(names)].assign(group=lambda t: t["class_name"])
    seed = int(overlap.data.run.get("seed") or 0)
    figure = draw_overlap_groups(rows, names, panels, seed)
    tests = [
        f"{row['group']}: {probability(as_estimate(row.get('p')).value)}, "
        f"{probability(as_estimate(row.get('q')).value, 'q')}"
        for row in overlap.compared
        if "difference" in row
    ]
    caption = (
        "Each well of the classes (dots; sideways spread means nothing), the mean and its 95 % "
        f"interval over wells (black). Welch tests of {overlap.words()} against "
        f"{overlap.base}, q over classes (Benjamini–Hochberg): {'; '.join(tests) or 'none'}. "
        f"{count(float(rows[overlap.measure].notna().sum()))} wells with an overlap."
    )
    return book.add(
        "overlap_groups", figure, caption=caption, alt=amount_sentence(overlap), table=rows
    )


def _upper(words: str) -> str:
    return words[:1].upper() + words[1:]


def crowding_figure(overlap: OverlapData, book: FigureBook) -> PageFigure | None:
    """Draw plain and corrected IoU against the number of cells, class by class."""
    fields = overlap.fields
    names = [str(row.get("group")) for row in overlap.numbers.get("crowding") or []]
    if fields is None or not names:
        return None
    good = fields[(fields["fault"] == "") & fields["class_name"].isin(names)]
    good = good[good["iou"].notna()].assign(cells=good["n_a"] + good["n_b"])
    if not len(good):
        return None
    key = ["class_name", "Metadata_Plate", "Metadata_Well"]
    columns = crowded_columns(overlap)
    means = good.groupby(key)[["cells", *columns]].mean().reset_index()
    means = means.rename(columns={"class_name": "group"})
    panels = [
        CrowdingPanel(
            column, _upper(title), _correlations(overlap, column), "above_chance" in column
        )
        for column, title in columns.items()
    ]
    caption = (
        "Within a class the contact is the same, so that a good measure does not rise with the "
        f"number of cells. {_about_share(overlap)}ρ: Spearman’s correlation over wells with its "
        "95 % interval; lines only guide the eye. "
        f"{len(means)} wells, {len(good)} fields."
    )
    figure = draw_crowding(means, names, panels)
    return book.add(
        "overlap_crowding", figure, caption=caption, alt=crowding_sentence(overlap), table=means
    )


def _about_share(overlap: OverlapData) -> str:
    if "share_a" not in crowded_columns(overlap):
        return ""
    a, b = overlap.kinds
    return (
        f"IoU depends on how many {a} there are for each of the {b}, too; the share of their "
        "area does not. "
    )


def _correlations(overlap: OverlapData, column: str) -> dict[str, Estimate]:
    rows = overlap.numbers.get("crowding") or []
    return {str(row.get("group")): as_estimate(row.get(column)) for row in rows}


def histogram_figure(overlap: OverlapData, book: FigureBook) -> PageFigure | None:
    """Draw the overlap of patches by group, and sums of images."""
    patches, fields = overlap.patches, overlap.fields
    if patches is None or fields is None or not len(patches):
        return None
    patches, fields = control_rows(patches), control_rows(fields)
    groups = [name for name in overlap.groups if name in set(patches["group"])]
    if not groups:
        return None
    figure = draw_patch_histograms(patches, fields, groups, "IoU of a patch")
    a, b = overlap.kinds
    caption = (
        f"Above: patches in which {a} and {b} share pixels; the last bin holds the rest. "
        "Below, left: what the other patches "
        "are; the overlap of faulty ones (empty, debris, of a faulty field) is 0 by definition and "
        "kept apart from no contact. Right: the sum over an image’s patches, which grows with the "
        f"number of patches ({_patches_a_field(fields)} an image here); faulty fields have none. "
        f"{count(len(patches))} patches of {count(len(fields))} fields, control wells only."
    )
    alt = f"Histograms of patch overlap for {', '.join(groups)}. {follows(overlap).text}"
    return book.add("overlap_patches", figure, caption=caption, alt=alt, table=patches)


def _patches_a_field(fields: pd.DataFrame) -> str:
    numbers = sorted({int(n) for n in fields.get("n_patches", pd.Series(dtype=int)).dropna()})
    return (
        "?"
        if not numbers
        else f"{numbers[0]}"
        if len(numbers) == 1
        else (f"{numbers[0]} to {numbers[-1]}")
    )


def plate_figures(overlap: OverlapData, book: FigureBook) -> list[PageFigure]:
    """Draw a map of each plate."""
    wells = overlap.wells
    if wells is None or overlap.measure not in wells:
        return []
    wells = wells.assign(value=wells[overlap.measure].astype(float))
    limits = overlap_limits(wells["value"])
    figures = []
    plates = list(wells.groupby("Metadata_Plate", sort=True))[:_MOST_PLATES]
    for number, (plate, rows) in enumerate(plates, start=1):
        faulty = int((rows["n_faulty_fields"] > 0).sum())
        known = int(rows["value"].notna().sum())
        caption = (
            f"Plate {plate}. Colour: {overlap.words()} of the well. Letters: {overlap.group_noun} "
            "of wells in a class; wells without a letter are in none. Look for gradients along "
            f"rows, columns and edges. {known} of {len(rows)} wells have an overlap; in {faulty} a "
            "field is faulty."
        )
        alt = f"Map of plate {plate}: {known} wells coloured by {overlap.words()}."
        figure = draw_overlap_plate(rows, overlap.groups, limits, f"{overlap.words()}")
        figures.append(
            book.add(f"overlap_plate_{number}", figure, caption=caption, alt=alt, table=rows)
        )
    return figures
