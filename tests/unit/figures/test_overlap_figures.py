from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from counterstain.figures.overlap_calls import CallCurves, draw_interaction_calls
from counterstain.figures.overlap_crowding import CrowdingPanel, draw_crowding
from counterstain.figures.overlap_groups import GroupPanel, draw_overlap_groups
from counterstain.figures.overlap_histograms import draw_patch_histograms
from counterstain.figures.overlap_plate import draw_overlap_plate, overlap_limits
from counterstain.figures.overlap_readout import (
    CalibrationCurve,
    draw_readout_agreement,
    draw_readout_histograms,
)
from counterstain.figures.overlap_treatments import draw_overlap_treatments
from counterstain.types import Estimate

Colliding = Callable[[Figure], list[tuple[str, str]]]
GROUPS = ("unstimulated", "OVA", "ConA")


def _wells(n: int = 8) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    rows = [
        (group, level + rng.normal(0, 0.02), level - 0.03 + rng.normal(0, 0.02), 40 + 7 * i)
        for level, group in zip((0.05, 0.15, 0.3), GROUPS, strict=True)
        for i in range(n)
    ]
    return pd.DataFrame(rows, columns=["group", "iou", "iou_above_chance", "cells"])


def _dots(figure: Figure, panel: int) -> list[np.ndarray]:
    found = figure.axes[panel].collections
    return [np.asarray(c.get_offsets()) for c in found if isinstance(c, PathCollection)]


def test_every_well_is_a_dot_and_the_mean_stands_at_its_value(colliding: Colliding) -> None:
    wells = _wells()
    wells.loc[0, "iou"] = np.nan
    panels = [
        GroupPanel("iou", "IoU of the masks", {"OVA": Estimate(0.15, 0.12, 0.19)}),
        GroupPanel("iou_above_chance", "IoU above chance", {}, zero=True),
    ]
    figure = draw_overlap_groups(wells, GROUPS, panels)
    assert [len(dots) for dots in _dots(figure, 0)] == [7, 8, 8]
    assert sorted(_dots(figure, 0)[1][:, 1]) == sorted(wells.loc[wells["group"] == "OVA", "iou"])
    bars = [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
    assert np.asarray(bars[0].get_segments())[0, :, 1].tolist() == pytest.approx([0.12, 0.19])
    assert "7 wells" in figure.axes[0].get_xticklabels()[0].get_text()
    assert colliding(figure) == []


def test_names_of_many_groups_do_not_collide(colliding: Colliding) -> None:
    names = [f"stimulation {k}" for k in range(9)]
    wells = pd.DataFrame({"group": names * 3, "iou": np.linspace(0, 0.4, 27)})
    panels = [GroupPanel("iou", "IoU", {}), GroupPanel("iou", "IoU again", {})]
    assert colliding(draw_overlap_groups(wells, names, panels)) == []


def test_the_spread_of_dots_repeats() -> None:
    panel = [GroupPanel("iou", "IoU", {})]
    first, again, other = (
        _dots(draw_overlap_groups(_wells(), GROUPS, panel, seed), 0)[0] for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first[:, 0], other[:, 0])


def test_crowding_prints_correlations_and_draws_one_scale_a_row(colliding: Colliding) -> None:
    rho = {"unstimulated": Estimate(0.8, 0.6, 0.9), "OVA": Estimate(-0.001)}
    panels = [
        CrowdingPanel("iou", "IoU", rho),
        CrowdingPanel("iou_above_chance", "IoU above chance", {}, zero=True),
    ]
    figure = draw_crowding(_wells(), GROUPS, panels)
    texts = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert texts == ["unstimulated  ρ = 0.80 [0.60, 0.90]", "OVA  ρ = 0.00", "ConA  ρ undefined"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert len(_dots(figure, 0)) == 3
    assert colliding(figure) == []


def _patches() -> tuple[pd.DataFrame, pd.DataFrame]:
    states = ["contact"] * 60 + ["no contact"] * 20 + ["empty"] * 10 + ["debris"] * 10
    rng = np.random.default_rng(0)
    patches = pd.concat(
        pd.DataFrame(
            {"group": g, "state": states, "iou": np.r_[rng.uniform(0, k, 60), np.zeros(40)]}
        )
        for k, g in enumerate(GROUPS, start=1)
    )
    fields = pd.DataFrame({"group": list(GROUPS) * 4, "patch_iou_sum": [*range(11), np.nan]})
    return patches, fields


def test_histograms_hold_patches_in_contact_and_count_the_rest_apart(
    colliding: Colliding,
) -> None:
    figure = draw_patch_histograms(*_patches(), GROUPS, "IoU of a patch")
    top, states, sums = figure.axes
    assert [p.get_data().values.sum() for p in top.patches] == pytest.approx([1.0] * 6)  # type: ignore[attr-defined]
    assert top.get_legend().get_texts()[0].get_text() == "unstimulated  (60 patches)"
    widths = [bar.get_width() for bar in states.patches[:3]]  # type: ignore[attr-defined]
    assert widths == pytest.approx([0.6, 0.2, 0.2])
    assert sums.get_lines() == []
    assert colliding(figure) == []


def _curves(steps: list[float]) -> CallCurves:
    tried = np.linspace(0, 0.4, 21).tolist()
    called = {g: [max(0.0, 1 - t / (0.1 * k)) for t in tried] for k, g in enumerate(GROUPS, 1)}
    rates = ([0, 0, 0.5, 1], [0, 0.8, 1, 1]) if steps else ([], [])
    return CallCurves(0.2, *rates, steps, "area 0.95", tried, called)


def test_the_chosen_threshold_is_marked_on_both_curves(colliding: Colliding) -> None:
    curves = _curves([np.inf, 0.25, 0.1, 0.0])
    figure = draw_interaction_calls(curves, GROUPS, ("unstimulated", "ConA"), "IoU of the well")
    marks = [line for line in figure.axes[0].get_lines() if line.get_marker() == "o"]
    assert [(float(m.get_xdata()[0]), float(m.get_ydata()[0])) for m in marks] == [(0.0, 0.8)]
    calls = figure.axes[1]
    assert [line.get_xdata()[0] for line in calls.get_lines()][-1] == 0.2
    drawn = next(line for line in calls.get_lines() if line.get_label() == "OVA")
    assert list(drawn.get_ydata()) == curves.called["OVA"]
    assert colliding(figure) == []


def test_without_controls_there_is_no_roc_curve() -> None:
    figure = draw_interaction_calls(_curves([]), GROUPS, ("a", "b"), "IoU")
    assert len(figure.axes) == 1


def _plate(make_wells: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    wells = make_wells(classes=GROUPS)
    wells["group"] = [GROUPS[i % 3] for i in range(len(wells))]
    wells["value"], wells["n_faulty_fields"] = np.linspace(0, 0.4, len(wells)), 0
    wells.loc[5, ["value", "n_faulty_fields"]] = [np.nan, 2]
    wells.loc[6, ["value", "n_fields"]] = [np.nan, 0]
    wells.loc[7, "n_faulty_fields"] = 1
    return wells


def test_the_plate_marks_faulty_wells(
    make_wells: Callable[..., pd.DataFrame], colliding: Colliding
) -> None:
    wells = _plate(make_wells)
    figure = draw_overlap_plate(wells, GROUPS, overlap_limits(wells["value"]), "IoU of the masks")
    axes = figure.axes[0]
    dots = [line for line in axes.get_lines() if line.get_marker() == "o"]
    crosses = [line for line in axes.get_lines() if line.get_marker() == "None"]
    assert [np.ravel(d.get_data()).tolist() for d in dots] == [pytest.approx([7.32, -0.32])]
    assert len(crosses) == 2
    assert sum(p.get_hatch() is not None for p in axes.patches) == 1
    letters = {t.get_text() for t in axes.texts}
    assert letters == {"U", "O", "C"}
    labels = [t.get_text() for t in figure.legends[0].get_texts()]
    assert labels == ["U = unstimulated", "O = OVA", "C = ConA", "a field is faulty",
                      "no overlap: all faulty", "no image"]  # fmt: skip
    assert colliding(figure) == []


def _treatments(n: int) -> pd.DataFrame:
    rows = [
        (group, f"compound {c}", dose, "µM", -0.1 * k, -0.1 * k - 0.05, -0.1 * k + 0.05,
         0.01 if k else 0.5)
        for c in range(n)
        for dose in (0.3, 1.0, 3.0)
        for k, group in enumerate(GROUPS)
    ]  # fmt: skip
    columns = ["group", "compound", "dose", "unit", "difference", "low", "high", "q"]
    return pd.DataFrame(rows, columns=columns)


def test_only_sure_treatments_are_filled(colliding: Colliding) -> None:
    table = _treatments(1)
    table.loc[4, ["low", "high"]] = np.nan
    figure = draw_overlap_treatments(table, GROUPS, "in IoU")
    axes = figure.axes[0]
    filled = [m for m in axes.get_lines() if to_hex(str(m.get_markerfacecolor())) != "#ffffff"]
    filled = [m for m in filled if m.get_marker() != "None" and len(m.get_ydata())]
    assert {m.get_marker() for m in filled} == {"s", "^"}
    bars = [c for c in axes.collections if isinstance(c, LineCollection)]
    assert [len(c.get_segments()) for c in bars] == [3, 2, 3]
    assert figure.get_supxlabel() == "dose (µM)"
    assert colliding(figure) == []


@pytest.mark.parametrize("n", [3, 8])
def test_panels_of_treatments_do_not_collide(n: int, colliding: Colliding) -> None:
    figure = draw_overlap_treatments(_treatments(n), GROUPS, "in IoU")
    assert sum(axes.get_visible() for axes in figure.axes) == n
    assert colliding(figure) == []


def test_a_treatment_without_a_dose_has_a_place() -> None:
    table = _treatments(1).query("dose == 1").assign(dose=np.nan)
    figure = draw_overlap_treatments(table, GROUPS, "in IoU")
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["–"]


def test_readout_shows_limits_before_and_after_each_curve(colliding: Colliding) -> None:
    wells = _wells().rename(columns={"iou": "overlap"})
    wells["readout"] = 100 * wells["overlap"] + 3
    for kind in ("linear", "monotone"):
        wells[f"calibrated_{kind}"] = wells["readout"] + 0.5
    curves = [CalibrationCurve(k, [0.0, 0.4], [3.0, 43.0], 0.5, -1.0, 2.0)
              for k in ("linear", "monotone")]  # fmt: skip
    labels = ("IoU of the masks", "readout “overlap”")
    figure = draw_readout_agreement(wells, GROUPS, (-18.0, -40.0, 4.0), curves, labels)
    scatter, before, after, last = figure.axes
    assert "linear curve" in [t.get_text() for t in scatter.get_legend().get_texts()]
    levels = [float(line.get_ydata()[0]) for line in before.get_lines()]
    assert levels == [0.0, -18.0, -40.0, 4.0]
    assert _dots(figure, 2)[0][:, 1].tolist() == pytest.approx([0.5] * 8)
    assert before.get_ylim() != after.get_ylim() == last.get_ylim()
    assert scatter.get_xlim()[1] < 1 < scatter.get_ylim()[1]
    assert colliding(figure) == []


def test_histograms_of_the_readout_have_common_bins(colliding: Colliding) -> None:
    rng = np.random.default_rng(0)
    before = {"readout": rng.normal(20, 5, 90), "overlap": rng.normal(0.2, 0.05, 90)}
    after = {"readout": before["readout"], "linear curve": rng.normal(20, 5, 90),
             "monotone curve": rng.normal(20, 5, 90)}  # fmt: skip
    figure = draw_readout_histograms(before, after, ("Before", "After"))
    edges = [p.get_data().edges for p in figure.axes[1].patches]  # type: ignore[attr-defined]
    assert all(np.array_equal(edges[0], e) for e in edges)
    assert len(figure.axes[1].get_legend().get_texts()) == 3
    assert colliding(figure) == []
