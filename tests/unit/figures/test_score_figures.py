from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from counterstain.errors import InvalidInputError
from counterstain.figures.confusion import draw_confusion_matrix
from counterstain.figures.dose import draw_dose_curves
from counterstain.figures.separation import draw_class_scores, draw_control_scores

Make = Callable[..., pd.DataFrame]
Colliding = Callable[[Figure], list[tuple[str, str]]]


def test_control_scores_have_a_row_of_ticks_a_class(make_wells: Make, colliding: Colliding) -> None:
    wells = make_wells()
    figure = draw_control_scores(wells, wells, ["sick", "well"])
    labels = [t.get_text() for t in figure.axes[1].get_yticklabels()]
    assert labels == ["sick", "well", "in no class"]
    assert colliding(figure) == []


def test_histogram_counts_every_crop_even_beyond_its_ends(make_wells: Make) -> None:
    wells = make_wells()
    scores = wells.assign(logit=np.where(wells.index == 0, 1e6, wells["logit"]))
    figure = draw_control_scores(scores, wells, ["sick", "well"])
    for patch in figure.axes[0].patches:
        assert patch.get_data().values.sum() == pytest.approx(1)  # type: ignore[attr-defined]


def test_class_without_wells_is_drawn_empty(make_wells: Make) -> None:
    wells = make_wells()
    wells = wells[wells["class_name"] != "well"]
    assert len(draw_control_scores(wells, wells, ["sick", "well"]).axes) == 2


def test_three_classes_have_three_panels(make_wells: Make, colliding: Colliding) -> None:
    classes = ("diseased", "healthy", "toxic")
    wells = make_wells(classes=classes)
    figure = draw_class_scores(wells, wells, classes)
    assert len(figure.axes) == 3
    assert colliding(figure) == []


def test_confusion_of_sixteen_classes_is_legible(colliding: Colliding) -> None:
    names = [f"phenotype {i}" for i in range(16)]
    figure = draw_confusion_matrix(np.eye(16, dtype=int) * 4321, names)
    assert colliding(figure) == []


def test_confusion_of_an_empty_class_has_no_share() -> None:
    texts = draw_confusion_matrix([[0, 0], [1, 3]], ["a", "b"]).axes[0].texts
    assert texts[0].get_text() == "–"


def test_confusion_must_be_square() -> None:
    with pytest.raises(InvalidInputError, match=r"\(2, 2\)"):
        draw_confusion_matrix([[1, 2]], ["a", "b"])


def _doses(n_compounds: int, doses: list[float]) -> pd.DataFrame:
    rows = [(f"compound {i}", d, "µM", -3 + d**0.1) for i in range(n_compounds) for d in doses]
    return pd.DataFrame(rows, columns=["compound", "dose", "unit", "score"])


@pytest.mark.parametrize("n_compounds", [1, 2, 7, 24])
def test_dose_labels_do_not_meet(colliding: Colliding, n_compounds: int) -> None:
    doses = [0.0, *(0.98 * 2.0 ** np.arange(9))]
    figure = draw_dose_curves(_doses(n_compounds, doses), references={}, score_label="score")
    assert colliding(figure) == []


def test_dose_zero_stands_left_of_all_doses() -> None:
    figure = draw_dose_curves(_doses(1, [0.0, 1.0, 10.0]), references={}, score_label="score")
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "1", "10"]
    assert axes.get_xticks()[0] < axes.get_xticks()[1]


def test_wells_without_score_are_not_drawn() -> None:
    table = _doses(1, [1.0, 10.0, 100.0])
    table.loc[1, "score"] = np.nan
    figure = draw_dose_curves(table, references={}, score_label="score")
    points = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert len(np.asarray(points.get_xdata())) == 2
