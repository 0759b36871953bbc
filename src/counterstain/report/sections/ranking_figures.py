"""The figures of a ranking, with what to see in them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from counterstain.figures.plate_values import draw_plate_values, plate_scales
from counterstain.figures.replicate_agreement import draw_replicates
from counterstain.figures.rescue_doses import draw_rescue_doses
from counterstain.figures.rescue_plane import draw_rescue_plane
from counterstain.figures.rescue_volcano import draw_rescue_volcano
from counterstain.figures.rescue_waterfall import draw_rescue_waterfall
from counterstain.figures.style import class_colours
from counterstain.ranking.replicates import pair_replicates
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.numbers import as_estimate, count, decimal
from counterstain.report.ranking_data import RankingData
from counterstain.report.sections.ranking_pictures import read_thumbnails

__all__ = ["MOST_PANELS", "MOST_PLATES", "dosed_compounds", "ranking_figures"]

MOST_PLATES = 8
MOST_PANELS = 24


def ranking_figures(data: RunData, ranking: RankingData, book: FigureBook) -> list[PageFigure]:
    """Return the figures that the ranking has data for, in the order of the page."""
    figures = [_waterfall(data, ranking, book)]
    if ranking.treatments["side_effect"].notna().any():
        figures.append(_plane(data, ranking, book))
    if ranking.treatments["q_value"].notna().any():
        figures.append(_volcano(ranking, book))
    if dosed_compounds(ranking):
        figures.append(_doses(ranking, book))
    pairs = pair_replicates(ranking.wells)
    if len(pairs):
        figures.append(_replicates(pairs, book))
    return figures + _plates(ranking, book)


def _n_wells(ranking: RankingData) -> str:
    return f"{count(float(ranking.treatments['n_wells'].sum()))} wells"


def _waterfall(data: RunData, ranking: RankingData, book: FigureBook) -> PageFigure:
    diseased, healthy = ranking.ends
    colours = class_colours(data.classes)
    figure = draw_rescue_waterfall(
        ranking.treatments,
        unit=ranking.unit,
        ends={name: colours.get(name, "#52606d") for name in ranking.ends},
        hit_rescue=ranking.setting("hit_rescue", 0.5),
    )
    confidence = decimal(100 * ranking.setting("confidence", 0.95), 0)
    return book.add(
        "ranking_waterfall",
        figure,
        caption=(
            f"Rescue of every treatment: 0 as {diseased} wells, 1 as {healthy} wells of the same "
            f"plate, with {confidence} % intervals over wells. Colour and shape give the call. A "
            f"treatment far to the right that is called toxic is no rescue. {_n_wells(ranking)}."
        ),
        alt=f"Rescue with intervals of {len(ranking.treatments)} treatments in falling order.",
        table=ranking.treatments,
    )


def _plane(data: RunData, ranking: RankingData, book: FigureBook) -> PageFigure:
    table, length = ranking.treatments, as_estimate(ranking.metrics.get("axis_length")).value
    source = set(table["side_effect_from"]) - {""} if "side_effect_from" in table else set()
    classical = source == {"classical"}
    if classical:
        length = as_estimate((ranking.metrics.get("classical") or {}).get("axis_length")).value
    thumbnails = read_thumbnails(data, ranking)
    known = table["rescue"].notna() & table["side_effect"].notna()
    figure = draw_rescue_plane(
        table,
        unit=ranking.unit,
        limit=ranking.setting("side_effect", 3.0),
        share=ranking.setting("side_effect_share", 0.33),
        axis_length=length if np.isfinite(length) else 10.0,
        thumbnails=thumbnails,
        pixel_size_um=data.pixel_size_um,
    )
    pictured = (
        " Above: a typical crop of either control and of named treatments, as imaged."
        if thumbnails
        else ""
    )
    whose = ", here by the classical profile" if classical else ""
    return book.add(
        "ranking_plane",
        figure,
        caption=(
            "Rescue and its price. Right is towards healthy; up is away from both controls, by "
            f"what the wells of a treatment agree on{whose}. In the shaded part a treatment is no "
            f"rescue, where its q shows it.{pictured} {int(known.sum())} of {len(table)} "
            f"treatments have a side effect to draw. {_n_wells(ranking)}."
        ),
        alt=f"Side effect against rescue of {int(known.sum())} treatments.",
        table=table,
    )


def _volcano(ranking: RankingData, book: FigureBook) -> PageFigure:
    table = ranking.treatments
    tested = int(table["q_value"].notna().sum())
    level = ranking.setting("level", 0.05)
    figure = draw_rescue_volcano(
        table, unit=ranking.unit, level=level, hit_rescue=ranking.setting("hit_rescue", 0.5)
    )
    return book.add(
        "ranking_volcano",
        figure,
        caption=(
            f"How large and how sure. q comes from permutations against {ranking.ends[0]} wells, "
            "corrected over all treatments (Benjamini-Hochberg); many share the highest place, "
            f"since no permutation beat them. {tested} tested treatments, {_n_wells(ranking)}."
        ),
        alt=f"q against rescue of {tested} treatments; the line is q = {level:g}.",
        table=table,
    )


def dosed_compounds(ranking: RankingData) -> list[str]:
    """Return compounds with scored wells at two doses or more, the best ranked first."""
    wells = ranking.wells[(ranking.wells["mark"] == "") & (ranking.wells["compound"] != "")]
    n_doses = wells.groupby("compound")["concentration"].nunique()
    several = set(n_doses.index[n_doses > 1])
    order = dict.fromkeys(ranking.treatments["Metadata_Compound"].astype(str))
    return [name for name in order if name in several]


def _doses(ranking: RankingData, book: FigureBook) -> PageFigure:
    shown = dosed_compounds(ranking)[:MOST_PANELS]
    wells = ranking.wells[
        (ranking.wells["mark"] == "") & ranking.wells["compound"].isin(shown)
        & ranking.wells["concentration"].notna()
    ]  # fmt: skip
    doses = ranking.doses.set_index("Metadata_Compound").loc[shown].reset_index()
    fitted = int(doses["ec50"].notna().sum())
    return book.add(
        "ranking_doses",
        draw_rescue_doses(wells, doses, unit=ranking.unit),
        caption=(
            "Rescue against dose. Circles are wells, the line the fitted curve, the dashed line "
            "its EC50 and the band the interval of that. “No fit” stands where the wells do not "
            f"support a curve; the table says why. {fitted} of {len(doses)} compounds fitted, "
            f"{len(wells)} wells."
        ),
        alt=f"Rescue against dose for {', '.join(shown[:8])}{' and more' * (len(shown) > 8)}.",
        table=wells,
    )


def _replicates(pairs: pd.DataFrame, book: FigureBook) -> PageFigure:
    n_treatments = int(pairs["treatment"].nunique())
    return book.add(
        "ranking_replicates",
        draw_replicates(pairs),
        caption=(
            "Do replicates agree? Each treated well against the mean of the other wells of its "
            "treatment; wells far from the dashed line are odd ones. "
            f"{len(pairs)} wells of {n_treatments} treatments."
        ),
        alt=f"Rescue of {len(pairs)} wells against the mean of their replicates.",
        table=pairs,
    )


def _plates(ranking: RankingData, book: FigureBook) -> list[PageFigure]:
    scales = plate_scales(ranking.wells)
    groups = list(ranking.wells.groupby("Metadata_Plate", sort=True))
    figures = []
    for number, (plate, rows) in enumerate(groups[:MOST_PLATES], start=1):
        left_out = int((rows["mark"] != "").sum())
        figures.append(
            book.add(
                f"ranking_plate_{number}",
                draw_plate_values(rows, scales, ranking.ends),
                caption=(
                    f"Plate {plate}. Rescue and side effect of each single well, cells counted in "
                    "its good fields, and the wells that are left out with their reason. A "
                    "gradient along rows or columns is no treatment. "
                    f"{len(rows) - left_out} of {len(rows)} wells are scored."
                ),
                alt=f"Four maps of plate {plate}: rescue, side effect, cells, wells left out.",
                table=rows,
            )
        )
    return figures
