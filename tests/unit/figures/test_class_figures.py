"""Figures of many classes: what stands in them, and that labels do not meet."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from counterstain.errors import InvalidInputError
from counterstain.figures.axis_angle import draw_axis_angle
from counterstain.figures.class_tree import draw_class_tree
from counterstain.figures.reliability import draw_reliability
from counterstain.figures.z_prime_pairs import draw_z_prime_pairs
from counterstain.statistics import class_hierarchy
from counterstain.types import Estimate


def names(k: int) -> list[str]:
    return [f"MetaphaseAlign{i}" for i in range(k)]


def confusion(k: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 20, (k, k)) + 80 * np.eye(k, dtype=int)


def cells(axes) -> dict[tuple[int, int], str]:
    """Return the text of each cell by row and column."""
    at = [(text.get_position(), text.get_text()) for text in axes.texts]
    return {(round(y), round(x)): shown for (x, y), shown in at}


@pytest.mark.parametrize("k", [2, 3, 7])
def test_labels_of_the_matrices_do_not_meet(k, colliding) -> None:
    counts = confusion(k)
    tree = draw_class_tree(counts, names(k), class_hierarchy(counts, names(k)).linkage)
    assert colliding(tree) == []
    table = np.random.default_rng(1).uniform(-12, 1, (k, k))
    np.fill_diagonal(table, np.nan)
    assert colliding(draw_z_prime_pairs(table, names(k))) == []


def test_shares_by_row_and_by_column_in_the_order_of_the_tree() -> None:
    counts = np.array([[60, 0, 40], [0, 10, 0], [20, 0, 80]])
    figure = draw_class_tree(counts, list("abc"), class_hierarchy(counts, list("abc")).linkage)
    left, right = figure.axes[1], figure.axes[2]
    order = [tick.get_text() for tick in left.get_yticklabels()]
    assert abs(order.index("a") - order.index("c")) == 1
    at = cells(left)
    a, c = order.index("a"), order.index("c")
    assert (at[a, a], at[a, c], at[c, a]) == ("60", "40", "20")
    at = cells(right)
    assert (at[a, a], at[a, c]) == ("75", "33")


def test_a_class_that_is_never_called_shows_a_hyphen() -> None:
    counts = np.array([[5, 0], [5, 0]])
    figure = draw_class_tree(counts, ["a", "b"], class_hierarchy(counts, ["a", "b"]).linkage)
    assert [text.get_text() for text in figure.axes[2].texts].count("–") == 2


def test_z_prime_is_rounded_without_a_negative_zero() -> None:
    figure = draw_z_prime_pairs([[np.nan, -0.001], [-0.001, np.nan]], ["a", "b"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["–", "0.00", "0.00", "–"]


def test_reliability_shows_every_bin(colliding) -> None:
    bins = [
        {"low": i / 10, "high": (i + 1) / 10, "confidence": i / 10 + 0.05, "accuracy": i / 10,
         "n_crops": 10 * (i + 1)}
        for i in range(3, 10)
    ]  # fmt: skip
    figure = draw_reliability(bins, "0.050 [0.040, 0.060]", "nuclei")
    assert len(figure.axes[1].patches) == 7
    assert "0.050" in figure.axes[0].get_title(loc="left")
    assert colliding(figure) == []


@pytest.mark.parametrize(
    ("undone", "elsewhere"),
    [((0.4, 0.3, 0.5), (0.1, 0.0, 0.2)), ((-0.2, -0.5, 0.1), (0.9, 0.7, 1.4)),
     ((1.3, 1.1, 1.5), (0.02, np.nan, np.nan))],
)  # fmt: skip
def test_the_angle_on_paper_is_the_angle_measured(
    undone: tuple[float, ...], elsewhere: tuple[float, ...], colliding
) -> None:
    along, across = Estimate(*undone, 30), Estimate(*elsewhere, 30)
    angle = float(np.degrees(np.arctan2(across.value, along.value)))
    figure = draw_axis_angle(
        ("DS", "WT", "TT"), angle=Estimate(angle, angle - 9, angle + 9, 30),
        noise=Estimate(11, 5, 20, 30), undone=along, elsewhere=across,
    )  # fmt: skip
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    zero, tip = axes.transData.transform([(0, 0), (along.value, across.value)])
    assert np.degrees(np.arctan2(*(tip - zero)[::-1])) == pytest.approx(angle, abs=0.5)
    low, high = axes.get_xlim()
    assert low < min(0, along.value) < max(1, along.value) < high
    assert colliding(figure) == []


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="counts"):
        draw_class_tree([[1]], ["a", "b"], [[0, 1, 1, 2]])
    with pytest.raises(InvalidInputError, match="values"):
        draw_z_prime_pairs([[1]], ["a", "b"])
    with pytest.raises(InvalidInputError, match="bins"):
        draw_reliability([])
    unknown = Estimate.undefined("noise", 4)
    with pytest.raises(InvalidInputError, match="names"):
        draw_axis_angle(
            ("DS", "WT", "TT"), angle=unknown, noise=unknown, undone=unknown, elsewhere=unknown
        )
