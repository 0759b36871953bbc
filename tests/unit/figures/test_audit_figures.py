from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from counterstain.errors import InvalidInputError
from counterstain.figures.audits import (
    STATUS_MARKS,
    draw_checks,
    draw_inside_share,
    draw_sanity_matrix,
)
from counterstain.figures.faithfulness import FAITHFULNESS_TESTS, draw_faithfulness
from counterstain.figures.null_screen import draw_null_screen
from counterstain.figures.style import ink_on

Colliding = Callable[[Figure], list[tuple[str, str]]]
METHODS = ["integrated_gradients", "grad_cam_plus_plus", "occlusion"]


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_statuses_differ_in_sign_and_marker_and_read_on_white() -> None:
    signs, colours, markers = zip(*STATUS_MARKS.values(), strict=True)
    assert len(set(signs)) == len(set(markers)) == 4
    assert all(1.05 / (_luminance(c) + 0.05) >= 4.5 for c in colours)
    assert all(ink_on(c) == "#ffffff" for c in colours)


def test_checks_have_an_axis_a_unit_and_say_what_has_no_number(colliding: Colliding) -> None:
    rows = [("corner tag", "red", 14.0, 12.0, 16.0, "% of the signal"),
            ("a check with a very long name that goes on and on", "amber", 0.6, 0.5, 0.7, "AUC"),
            ("row of the plate", "green", 0.5, np.nan, np.nan, "AUC"),
            ("plate", "unknown", np.nan, np.nan, np.nan, "")]  # fmt: skip
    columns = ["check", "status", "value", "low", "high", "unit"]
    figure = draw_checks(pd.DataFrame(rows, columns=columns))
    assert colliding(figure) == []
    assert [axes.get_xlabel() for axes in figure.axes] == ["% of the signal", "AUC", ""]
    assert [t.get_text() for axes in figure.axes for t in axes.texts] == [
        "✗ red", "▲ amber", "✓ green", "? unknown: no number"
    ]  # fmt: skip


def test_inside_share_stands_beside_the_area(colliding: Colliding) -> None:
    table = pd.DataFrame({
        "method": METHODS, "value": [0.9, 0.4, np.nan], "low": [0.85, 0.3, np.nan],
        "high": [0.95, 0.5, np.nan], "area": 0.42, "sanity": ["pass", "fail", "unknown"],
    })  # fmt: skip
    figure = draw_inside_share(table)
    assert colliding(figure) == []
    assert figure.axes[0].patches[0].get_width() == 0.42
    assert "✗ fails the sanity check" in [t.get_text() for t in figure.axes[0].texts]


def test_sanity_matrix_shows_numbers_and_verdicts(colliding: Colliding) -> None:
    values = pd.DataFrame({"verdict": np.nan, "weights randomised\nfrom the head down": [0.1, 0.97,
                           -0.001], "labels": [0.2, np.nan, np.nan]}, index=METHODS)  # fmt: skip
    statuses = pd.DataFrame(
        {"verdict": ["pass", "fail", "unknown"], "weights": ["pass", "fail", "pass"],
         "labels": ["pass", "", ""]}, index=METHODS
    )  # fmt: skip
    figure = draw_sanity_matrix(values, statuses, ["", "fails from 0.71"])
    assert colliding(figure) == []
    texts = [t.get_text() for t in figure.axes[0].texts]
    assert texts == ["✓ passes", "✓ 0.10", "✓ 0.20", "✗ fails", "✗ 0.97", "not made",
                     "? no verdict", "✓ 0.00", "not made"]  # fmt: skip


def test_faithfulness_says_which_way_is_better(colliding: Colliding) -> None:
    rows = [
        {"method": m, "test": t, "kind": k, "value": 0.5 + 0.1 * i, "low": 0.4, "high": np.nan}
        for i, m in enumerate(METHODS)
        for t in FAITHFULNESS_TESTS
        for k in ("method", "random", "edges")
    ]
    better = {"insertion": "higher", "deletion": "lower"}
    units = dict.fromkeys(FAITHFULNESS_TESTS, "area under the curve")
    figure = draw_faithfulness(pd.DataFrame(rows), better, units)
    assert colliding(figure) == []
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["insertion\nhigher is better →", "deletion\n← lower is better", "ROAD"]


def test_null_screen_beside_real_claims(colliding: Colliding) -> None:
    claims = pd.DataFrame({
        "claim": ["AUC of held-out wells", "screens with any claim"], "null": [0.5, 0.03],
        "null_low": [0.3, np.nan], "null_high": [0.7, np.nan], "real": [1.0, np.nan],
        "real_low": np.nan, "real_high": np.nan, "expected": [0.5, np.nan],
    })  # fmt: skip
    assert colliding(draw_null_screen(claims)) == []


def test_nothing_to_draw_is_refused() -> None:
    empty = pd.DataFrame()
    for draw in (draw_checks, draw_inside_share, draw_null_screen):
        with pytest.raises(InvalidInputError, match="at least one"):
            draw(empty)
    with pytest.raises(InvalidInputError, match="alike"):
        draw_sanity_matrix(pd.DataFrame({"a": [1.0]}), pd.DataFrame({"a": ["pass"], "b": ["fail"]}))
    with pytest.raises(InvalidInputError, match="finite"):
        draw_faithfulness(empty, {})
