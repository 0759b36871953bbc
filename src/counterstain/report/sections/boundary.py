"""Where the decision boundary runs: all crops around it, and pictures across and along it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from counterstain.figures.boundary import draw_boundary_plane
from counterstain.figures.isosurface import draw_isosurface_strips
from counterstain.figures.picture_record import BoundaryPictures
from counterstain.report.chapter import Chapter
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.figure_tables import surface_rows
from counterstain.report.numbers import count, decimal, plain_percent
from counterstain.report.sections.answer import GAMMA
from counterstain.report.sentences import nothing_reason

__all__ = ["boundary_chapter"]

_MOST_PAIRS = 4
# Below this a brightness does not name a component: too much else is in it.
_TELLING = 0.3
_STEADY = 0.1


def boundary_chapter(data: RunData, book: FigureBook) -> Chapter:
    """Return the boundary plane with all crops, and isosurface strips."""
    title, nav = "Where is the boundary?", "Boundary"
    if data.nothing_to_explain:
        return Chapter("boundary", title, nav, {"nothing": nothing_reason(data)})
    facts = data.metrics.get("boundary") or {}
    content: dict[str, Any] = {"nothing": "", "planes": [], "strips": []}
    if facts.get("reason"):
        content["problems"] = [str(facts["reason"])]
        return Chapter("boundary", title, nav, content)
    problems = [data.missing[k] for k in ("boundary", "boundary_pictures") if k in data.missing]
    if facts.get("n_refused"):
        problems.append(
            "Pictures left empty because the error bound of their inverse is above the tolerance: "
            f"{facts['n_refused']}."
        )
    planes, strips = [], []
    for pair in _pairs(data)[:_MOST_PAIRS]:
        pictures = _of_pair(data, pair)
        planes += [f for f in [_plane(data, pair, pictures, facts, book)] if f]
        strips += [f for f in [_surface(data, pair, pictures, book)] if f]
    content = content | {"planes": planes, "strips": strips, "problems": problems}
    return Chapter("boundary", title, nav, content)


def _pairs(data: RunData) -> list[tuple[str, str]]:
    return [(data.classes[0], name) for name in data.classes[1:]]


def _of_pair(data: RunData, pair: tuple[str, str]) -> BoundaryPictures | None:
    """Return the pictures of a pair that fit the run's channels; None where there is none."""
    pictures = data.boundary
    if pictures is None:
        return None
    target = data.classes.index(pair[1])
    for group in ("path", "surface"):
        images = getattr(pictures, f"{group}_images")
        if len(images) and images.shape[2] != len(data.channels):
            return None
        chosen = np.flatnonzero(getattr(pictures, f"{group}_target") == target)
        pictures = pictures.take(group, chosen)
    return pictures


def _name(data: RunData, stem: str, pair: tuple[str, str]) -> str:
    return stem if len(data.classes) == 2 else f"{stem}_{data.classes.index(pair[1])}"


def _plane(
    data: RunData,
    pair: tuple[str, str],
    pictures: BoundaryPictures | None,
    facts: Mapping[str, Any],
    book: FigureBook,
) -> PageFigure | None:
    table = data.table("boundary")
    if table is None or pictures is None:
        return None
    points = table[(table["source_class"] == pair[0]) & (table["target_class"] == pair[1])]
    if points.empty:
        return None
    known = [p for p in facts.get("pairs") or [] if p.get("target_class") == pair[1]]
    component = known[0] if known else {}
    figure = draw_boundary_plane(
        points,
        pictures,
        pair,
        data.classes,
        data.colours,
        component_note=_note(component),
        noun=data.noun,
        gamma=GAMMA,
        pixel_size_um=data.pixel_size_um,
    )
    return book.add(
        _name(data, "boundary", pair),
        figure,
        caption=_plane_caption(data, pair, points, pictures, component),
        alt=_plane_alt(data, pair, points),
        table=points,
    )


def _note(component: Mapping[str, Any]) -> str:
    correlation = [float(r) for r in component.get("correlation") or []]
    if not correlation or float(np.mean(correlation)) < _TELLING:
        return ""
    return f"↑ brighter {component['channel']}"


def _range(values: list[float], digits: int = 2) -> str:
    low, high = decimal(min(values), digits), decimal(max(values), digits)
    return low if low == high else f"{low} to {high}"


def _component_words(component: Mapping[str, Any]) -> str:
    shares = [100 * float(s) for s in component.get("share") or []]
    correlation = [float(r) for r in component.get("correlation") or []]
    if not shares or not correlation:
        return ""
    return (
        f" It holds {_range(shares, 1)} % of that variation, and is turned so that it rises with "
        f"the mean intensity of {component['channel']} (correlation {_range(correlation)} in "
        f"{len(shares)} networks); each network has axes of its own."
    )


def _plane_caption(
    data: RunData,
    pair: tuple[str, str],
    points: pd.DataFrame,
    pictures: BoundaryPictures,
    component: Mapping[str, Any],
) -> str:
    wells = len(points[["Metadata_Plate", "Metadata_Well"]].drop_duplicates())
    text = (
        "Every point is one crop, placed by a network that never saw its well. Across: log-odds "
        f"of {pair[1]} against {pair[0]}; the dashed line is the decision boundary. Upwards: the "
        "strongest variation within classes among those that leave the log-odds as they are."
        f"{_component_words(component)}"
    )
    if len(pictures.path_images):
        text += (
            " Above, the most typical crop of either class (framed, as imaged) is carried across "
            "the boundary, out to the outer tenth of each class; squares mark the way. All other "
            f"pictures are computed. Log-odds are read from the pictures, which share one scale "
            f"(gamma {GAMMA:g})."
        )
        if not pictures.path_credible.all():
            text += " †: less like the training data than nearly all of it."
    bar = "" if data.pixel_size_um else " No scale bar: the pixel size is unknown."
    return f"{text}{bar} {wells} wells, {count(len(points))} {data.noun}."


def _plane_alt(data: RunData, pair: tuple[str, str], points: pd.DataFrame) -> str:
    parts = []
    for name, sign in zip(pair, (-1, 1), strict=True):
        values = points.loc[points["class_name"] == name, "log_odds"].to_numpy(float)
        if len(values):
            share = plain_percent(float((sign * values > 0).mean()), 0)
            parts.append(f"{share} of the {data.noun} of {name} lie on their own side")
    return f"Scatter plot of {data.noun} around the decision boundary. {'; '.join(parts)}."


def _drift_words(drift: float) -> str:
    """Say how well the log-odds were kept, as read from the pictures."""
    if drift <= _STEADY:
        return (
            "The pictures differ, the log-odds do not (by at most "
            f"{max(drift, 0.01):.2f} within a row, read from the pictures)."
        )
    return (
        "The latents keep their log-odds; read from the pictures, which this network only "
        f"reconstructs, they drift by up to {drift:.1f} within a row: see under each picture."
    )


def _surface(
    data: RunData, pair: tuple[str, str], pictures: BoundaryPictures | None, book: FigureBook
) -> PageFigure | None:
    if pictures is None or not len(pictures.surface_images):
        return None
    figure = draw_isosurface_strips(
        pictures, data.classes, data.colours, gamma=GAMMA, pixel_size_um=data.pixel_size_um
    )
    odds = pictures.surface_log_odds
    drift = (np.nanmax(odds, axis=1) - np.nanmin(odds, axis=1)).max()
    wells = len(set(pictures.surface_well.tolist()))
    bar = "" if data.pixel_size_um else " No scale bar: the pixel size is unknown."
    caption = (
        f"What does not count for {pair[1]} against {pair[0]}: the most typical crop of either "
        "class (framed, as imaged), moved along the three strongest variations within classes, in "
        f"standard deviations of the averaged latents. {_drift_words(float(drift))} "
        f"One scale for all (gamma {GAMMA:g}).{bar} "
        f"{wells} wells, {wells} {data.noun}."
    )
    alt = f"Rows of computed {data.noun}, changed along directions that leave the score as it is."
    return book.add(
        _name(data, "isosurface", pair), figure, caption=caption, alt=alt,
        table=surface_rows(pictures, data.classes),
    )  # fmt: skip
