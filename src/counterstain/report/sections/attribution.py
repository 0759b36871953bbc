"""What counted for a call: attribution maps, right and wrong calls, cells with a part removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.figures.attribution import (
    MOST_METHODS,
    draw_attribution_sheet,
    draw_channel_maps,
)
from counterstain.figures.attribution_gallery import (
    MOST_TILES,
    draw_outcome_gallery,
    outcome_rows,
)
from counterstain.figures.attribution_record import AttributionPictures, method_words
from counterstain.report.audit_data import withheld
from counterstain.report.chapter import Chapter, Table
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.figure_tables import attribution_rows
from counterstain.report.numbers import as_estimate, percent, plain_percent
from counterstain.report.sections.answer import GAMMA
from counterstain.report.sections.occlusion import occlusion_content
from counterstain.report.sentences import nothing_reason

__all__ = ["attribution_chapter"]

_MOST_CROPS = 6
_MOST_CHANNEL_CROPS = 4
_MOST_GALLERIES = 6
# Class-activation maps know no channels: their shares of channels are made up.
_NO_CHANNELS = ("grad_cam", "grad_cam_plus_plus")
_PREFERRED = ("integrated_gradients", "occlusion")


def attribution_chapter(data: RunData, book: FigureBook) -> Chapter:
    """Return attribution maps by method, by channel and by outcome, and cell-wise occlusion.

    Parameters
    ----------
    data : RunData
        A run.
    book : FigureBook
        Where figures go.

    Returns
    -------
    Chapter
        What is missing is said in words; nothing is drawn where there is nothing to explain.
    """
    title, nav = "What counted for the call?", "Attributions"
    if data.nothing_to_explain:
        return Chapter("attribution", title, nav, {"nothing": nothing_reason(data)})
    pictures = _usable(data)
    facts = data.metrics.get("attribution") or {}
    content: dict[str, Any] = {
        "nothing": "",
        "withheld": withheld(data),
        "problems": _problems(data, facts),
        "methods": _method_table(facts),
        "sheets": [],
        "channels": [],
        "galleries": [],
        "one_channel": "",
        "more_classes": "",
    }
    if pictures is not None:
        content |= _pictures_content(data, pictures, _sanity(facts), book)
    return Chapter("attribution", title, nav, content | occlusion_content(data, book))


def _usable(data: RunData) -> AttributionPictures | None:
    """Return the pictures that fit the run's channels and classes; None where there are none."""
    pictures = data.attributions
    if pictures is None or not len(pictures) or not pictures.methods:
        return None
    highest = max(int(getattr(pictures, k).max()) for k in ("source", "called", "target"))
    lowest = min(int(getattr(pictures, k).min()) for k in ("source", "called", "target"))
    fits = pictures.images.shape[1] == len(data.channels) and highest < len(data.classes)
    return pictures if fits and lowest >= 0 else None


def _problems(data: RunData, facts: Mapping[str, Any]) -> list[str]:
    if facts.get("reason"):
        return [str(facts["reason"])]
    if "attributions_pictures" in data.missing:
        return [data.missing["attributions_pictures"]]
    if data.attributions is not None and _usable(data) is None:
        return ["attributions.npz is empty, or of other channels or classes than this run's."]
    return []


def _methods(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    held = facts.get("methods")
    return held if isinstance(held, Mapping) else {}


def _sanity(facts: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: str((content.get("sanity") or {}).get("status") or "unknown")
        for name, content in _methods(facts).items()
    }


def _method_table(facts: Mapping[str, Any]) -> Table | None:
    marks = {"pass": "✓ passes", "fail": "✗ fails: do not read", "unknown": "? no verdict"}
    rows = []
    for name, content in _methods(facts).items():
        sanity = content.get("sanity") or {}
        status = str(sanity.get("status") or "unknown")
        rows.append((
            method_words(name),
            percent(as_estimate(content.get("inside_cells")), 0),
            plain_percent(as_estimate(content.get("area_inside")).value, 0),
            marks.get(status, marks["unknown"]),
            str(sanity.get("reason") or "–"),
        ))  # fmt: skip
    if not rows:
        return None
    header = ("method", "attribution inside cells", "area inside cells", "sanity check", "why")
    caption = "Methods: where their maps lie (95 % intervals over wells), and whether to read them"
    return Table(caption, header, rows, frozenset({1, 2}))


def _pictures_content(
    data: RunData, pictures: AttributionPictures, sanity: Mapping[str, str], book: FigureBook
) -> dict[str, Any]:
    if len(set(pictures.plate.tolist())) > 1:
        pictures = _with_plates(pictures)
    called = sorted(set(pictures.called.tolist()))
    best = _best(pictures, sanity)
    more = len(called) - _MOST_GALLERIES
    one = "There is one channel: its maps are those above." if len(data.channels) == 1 else ""
    channels = [] if one else [_channel_figure(data, pictures, sanity, book)]
    return {
        "sheets": _sheets(data, pictures, sanity, book),
        "channels": channels,
        "galleries": [
            _gallery(data, pictures, int(k), best, sanity, book) for k in called[:_MOST_GALLERIES]
        ],
        "one_channel": one,
        "more_classes": f"{more} more classes are not drawn; attributions.npz holds their maps."
        if more > 0
        else "",
    }


def _with_plates(pictures: AttributionPictures) -> AttributionPictures:
    both = zip(pictures.well, pictures.plate, strict=True)
    names = np.array([f"{well} {plate}" for well, plate in both])
    parts = {name: getattr(pictures, name) for name in pictures.row_names()}
    return AttributionPictures(**(parts | {"well": names}), maps=pictures.maps)


def _best(pictures: AttributionPictures, sanity: Mapping[str, str], channels: bool = False) -> str:
    """Return the method to show alone: one that passes, and one that knows channels if asked."""
    names = [m for m in pictures.methods if not (channels and m in _NO_CHANNELS)]
    names = names or list(pictures.methods)
    liked = sorted(names, key=lambda m: _PREFERRED.index(m) if m in _PREFERRED else len(_PREFERRED))
    passing = [m for m in liked if sanity.get(m) == "pass"]
    unjudged = [m for m in liked if sanity.get(m) != "fail"]
    return (passing or unjudged or liked)[0]


def _chosen(pictures: AttributionPictures, most: int) -> NDArray[np.intp]:
    """Return crops to show: in turn from each class called, right and wrong."""
    groups = [
        rows.tolist()
        for k in sorted(set(pictures.called.tolist()))
        for rows in outcome_rows(pictures, int(k))
    ]
    longest = max(len(rows) for rows in groups)
    turns = [rows[i] for i in range(longest) for rows in groups if i < len(rows)]
    return np.array(sorted(turns[:most], key=lambda r: (pictures.called[r], r)), dtype=np.intp)


def _sheets(
    data: RunData, pictures: AttributionPictures, sanity: Mapping[str, str], book: FigureBook
) -> list[PageFigure]:
    shown = pictures.take(_chosen(pictures, _MOST_CROPS))
    units = {name: pictures.unit(name) for name in pictures.methods}
    figures = []
    for start in range(0, len(pictures.methods), MOST_METHODS):
        methods = pictures.methods[start : start + MOST_METHODS]
        figure = draw_attribution_sheet(
            shown, data.classes, data.colours, methods=methods, sanity=sanity, units=units,
            gamma=GAMMA, pixel_size_um=data.pixel_size_um,
        )  # fmt: skip
        name = "attributions" if start == 0 else f"attributions_{start // MOST_METHODS + 1}"
        caption = (
            "What counted for the call, by method: signed maps, summed over channels, of the "
            "log-odds of the class that each crop was called. Methods count in units of their own, "
            "so each is divided by one number, the 99th percentile of the size of its maps over "
            f"all {len(pictures)} pictured {data.noun}: colours compare crops within a method, not "
            f"methods with each other. {_failed_words(methods, sanity)}{_foot(data, shown)}"
        )
        failed = [method_words(m) for m in methods if sanity.get(m) == "fail"]
        alt = (
            f"{len(shown)} {data.noun} beside attribution maps of "
            f"{', '.join(method_words(m) for m in methods)}."
            + (
                f" Crossed out, since they fail the sanity check: {', '.join(failed)}."
                * bool(failed)
            )
        )
        table = attribution_rows(shown, data.classes)
        table = table[table["method"].isin(methods)]
        figures.append(book.add(name, figure, caption=caption, alt=alt, table=table))
    return figures


def _failed_words(methods: tuple[str, ...], sanity: Mapping[str, str]) -> str:
    failed = [method_words(m) for m in methods if sanity.get(m) == "fail"]
    if not failed:
        return ""
    return f"Fails the sanity check on this network, do not read: {', '.join(failed)}. "


def _foot(data: RunData, pictures: AttributionPictures) -> str:
    bar = "" if data.pixel_size_um else " No scale bar: the pixel size is unknown."
    wells = len(set(zip(pictures.plate.tolist(), pictures.well.tolist(), strict=True)))
    return (
        f"Outlines are those of nuclei. Crops on one scale (gamma {GAMMA:g}).{bar} {wells} wells, "
        f"{len(pictures)} {data.noun}."
    )


def _channel_figure(
    data: RunData, pictures: AttributionPictures, sanity: Mapping[str, str], book: FigureBook
) -> PageFigure:
    method = _best(pictures, sanity, channels=True)
    shown = pictures.take(_chosen(pictures, _MOST_CHANNEL_CROPS))
    figure = draw_channel_maps(
        shown, method, data.channels, data.classes, data.colours, status=sanity.get(method, ""),
        unit=pictures.unit(method, per_channel=True), gamma=GAMMA,
        pixel_size_um=data.pixel_size_um,
    )  # fmt: skip
    caption = (
        f"The same for each channel, by {method_words(method)}: all maps of this figure are "
        "divided by one number, the 99th percentile of the size of its maps of single channels "
        f"over all {len(pictures)} pictured {data.noun}, so that channels compare. "
        f"{_failed_words((method,), sanity)}{_foot(data, shown)}"
    )
    alt = f"{len(shown)} {data.noun} beside maps of {', '.join(data.channels)}."
    return book.add(
        "attribution_channels", figure, caption=caption, alt=alt,
        table=_method_rows(data, shown, method),
    )  # fmt: skip


def _gallery(
    data: RunData, pictures: AttributionPictures, k: int, method: str, sanity: Mapping[str, str],
    book: FigureBook,
) -> PageFigure:  # fmt: skip
    figure = draw_outcome_gallery(
        pictures, k, method, data.classes, data.colours, status=sanity.get(method, ""),
        unit=pictures.unit(method), gamma=GAMMA, pixel_size_um=data.pixel_size_um,
    )  # fmt: skip
    right, wrong = (rows[:MOST_TILES] for rows in outcome_rows(pictures, k))
    name = data.classes[k]
    caption = (
        f"Called {name}: rightly (true positives, above) and wrongly (false positives, below), "
        f"with the map of {method_words(method)} under each crop, in the units of the figures "
        f"above. How many are pictured says nothing about how often either happens. "
        f"{_failed_words((method,), sanity)}"
        f"{_foot(data, pictures.take(np.concatenate([right, wrong])))}"
    )
    alt = f"{len(right)} {data.noun} rightly and {len(wrong)} wrongly called {name}, with maps."
    drawn = pictures.take(np.concatenate([right, wrong]))
    return book.add(
        f"attribution_called_{k}", figure, caption=caption, alt=alt,
        table=_method_rows(data, drawn, method),
    )  # fmt: skip


def _method_rows(data: RunData, pictures: AttributionPictures, method: str) -> pd.DataFrame:
    table = attribution_rows(pictures, data.classes)
    return table[table["method"] == method]
