from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from counterstain.figures import (
    draw_plate_values,
    draw_replicates,
    draw_rescue_doses,
    draw_rescue_plane,
    draw_rescue_volcano,
    draw_rescue_waterfall,
)
from counterstain.figures.plate_values import plate_scales
from counterstain.figures.point_labels import free_place
from counterstain.figures.rescue_plane import Thumbnail
from counterstain.plates.wells import row_name
from counterstain.statistics.calls import CALLS

ENDS = {"diseased": "#D55E00", "healthy": "#0072B2"}


def table(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(n)
    rescue = np.sort(rng.uniform(-0.2, 1.1, n))[::-1]
    return pd.DataFrame(
        {
            "rank": np.arange(1, n + 1),
            "Metadata_Compound": [f"compound {i}" for i in range(n)],
            "Metadata_Concentration": 3.0,
            "rescue": rescue, "rescue_low": rescue - 0.1, "rescue_high": rescue + 0.1,
            "q_value": rng.uniform(1e-4, 1, n), "side_effect": rng.uniform(0, 9, n),
            "call": [CALLS[i % len(CALLS)] for i in range(n)],
        }
    )  # fmt: skip


def texts(axes) -> list[str]:
    return [text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in axes.texts]


@pytest.mark.parametrize(
    ("n", "panels", "named"), [(1, 1, 1), (3, 1, 3), (40, 1, 40), (200, 2, 25)]
)
def test_a_waterfall_names_what_fits(n: int, panels: int, named: int) -> None:
    figure = draw_rescue_waterfall(table(n), unit="µM", ends=ENDS, hit_rescue=0.5)
    assert len(figure.axes) == panels
    labels = [label.get_text() for label in figure.axes[-1].get_yticklabels()]
    assert len(labels) == named
    assert labels[0].replace("\N{NO-BREAK SPACE}", " ") == "compound 0 3 µM"
    assert {"diseased", "healthy"} <= set(texts(figure.axes[0]))


@pytest.mark.parametrize("n", [0, 3, 200])
def test_labels_touch_neither_each_other_nor_points(n: int) -> None:
    figure = draw_rescue_plane(table(n), unit="µM", limit=3.0, share=0.33, axis_length=15.0)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    boxes = [t.get_window_extent() for t in axes.texts if t.get_text().startswith("compound")]
    assert len(boxes) == 0 if n == 0 else len(boxes) >= 2
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_a_label_stays_inside() -> None:
    place = free_place((95, 50), (20, 8), [], (0, 0, 100, 100))
    assert place is not None
    assert place[0] + 20 <= 100


def test_treatments_without_a_q_or_side_effect_are_left_out() -> None:
    rows = table(6)
    rows.loc[:1, ["q_value", "side_effect"]] = np.nan
    for figure in (
        draw_rescue_volcano(rows, unit="", level=0.05, hit_rescue=0.5),
        draw_rescue_plane(rows, unit="", limit=3.0, share=0.33, axis_length=15.0),
    ):
        drawn = sum(
            len(line.get_xdata()) for line in figure.axes[0].lines if line.get_linestyle() == "None"
        )
        assert drawn == 4


def test_thumbnails_stand_above_the_plane_with_their_names() -> None:
    tile = Thumbnail(np.zeros((8, 8, 3), np.float32), "C1 3 µM", "B02, rescue 0.98")
    figure = draw_rescue_plane(
        table(3), unit="µM", limit=3.0, share=0.33, axis_length=15.0,
        thumbnails=[tile] * 9, pixel_size_um=0.5,
    )  # fmt: skip
    words = [axes.get_xlabel() for axes in figure.axes]
    assert words.count("C1 3 µM\nB02, rescue 0.98") == 8
    assert any("µm" in text for axes in figure.axes for text in texts(axes))


@pytest.mark.parametrize(("rows", "columns"), [(2, 3), (8, 12), (32, 48)])
def test_plate_maps_hold_every_well(rows: int, columns: int) -> None:
    names = [f"{row_name(r)}{c + 1:02d}" for r in range(rows) for c in range(columns)]
    wells = pd.DataFrame(
        {
            "Metadata_Well": names,
            "class_name": "", "rescue": 0.5, "side_effect": 1.0, "n_cells": 40.0, "mark": "",
        }
    )  # fmt: skip
    wells.loc[0, ["rescue", "n_cells", "mark"]] = [np.nan, np.nan, "too few cells"]
    figure = draw_plate_values(wells, plate_scales(wells))
    rescue = figure.axes[0].collections[1].get_array()
    assert rescue.shape == (rows, columns)
    assert np.ma.count_masked(rescue) == 1
    assert figure.axes[0].get_xlim() == (-0.6, columns - 0.4)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[:2] == ["counted", "too few cells"]


def test_dose_panels_show_ec50_or_that_there_is_none() -> None:
    wells = pd.DataFrame(
        {
            "compound": np.repeat(["a", "b"], 4), "concentration": [0.1, 1.0, 10.0, 100.0] * 2,
            "rescue": [0.0, 0.1, 0.8, 1.0, 0.1, 0.0, 0.1, 0.0],
            "call": ["inactive"] * 3 + ["toxic/off-axis"] + ["inactive"] * 4,
        }
    )  # fmt: skip
    nothing = dict.fromkeys(("ec50", "ec50_low", "ec50_high", "slope", "plateau"), np.nan)
    fit = {"ec50": 4.0, "ec50_low": 2.0, "ec50_high": 8.0, "slope": -2.0, "plateau": 1.0}
    doses = pd.DataFrame([{"Metadata_Compound": "a", **fit}, {"Metadata_Compound": "b", **nothing}])
    figure = draw_rescue_doses(wells, doses, unit="nM")
    assert texts(figure.axes[0]) == ["EC50 4 [2, 8]"]
    assert texts(figure.axes[1]) == ["no fit"]
    curve = next(line for line in figure.axes[0].lines if line.get_label() == "fitted curve")
    at_ec50 = np.interp(np.log10(4.0), curve.get_xdata(), curve.get_ydata())
    assert at_ec50 == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("n_plates", "legends"), [(1, 0), (3, 1), (12, 0)])
def test_replicates_tell_plates_apart_where_they_are_few(n_plates: int, legends: int) -> None:
    pairs = pd.DataFrame(
        {"Metadata_Plate": [f"P{i}" for i in range(n_plates)] * 2, "rescue": 0.5, "others": 0.4}
    )
    axes = draw_replicates(pairs).axes[0]
    assert (axes.get_legend() is not None) == bool(legends)
