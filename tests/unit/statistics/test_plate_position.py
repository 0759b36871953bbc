from __future__ import annotations

import numpy as np
import pytest

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.statistics.plate_position import b_score, median_polish

DEATHS = [[14, 15, 14], [7, 4, 7], [8, 2, 10], [15, 9, 10], [0, 2, 0]]


def plate(seed: int = 0):
    rows, columns = np.divmod(np.arange(96), 12)
    noise = np.random.default_rng(seed).normal(0, 1, 96)
    return noise + 3.0 * rows - 2.0 * columns, rows, columns, noise


def test_deaths_as_r_polishes_them() -> None:
    polished = median_polish(DEATHS)
    assert polished.overall == 8
    assert polished.rows.tolist() == [6, -1, 0, 2, -8]
    assert polished.columns.tolist() == [0, -1, 0]
    assert polished.converged


def test_the_parts_add_up_to_the_table() -> None:
    table = np.random.default_rng(0).normal(size=(8, 12))
    table[2, 3] = np.nan
    polished = median_polish(table)
    total = polished.overall + polished.rows[:, None] + polished.columns + polished.residuals
    np.testing.assert_allclose(total, table, atol=1e-12)


def test_an_empty_row_has_no_effect_and_disturbs_none() -> None:
    table = np.add.outer(np.arange(4.0), np.arange(5.0))
    table[1] = np.nan
    polished = median_polish(table)
    assert np.isnan(polished.rows[1])
    assert np.nanmax(np.abs(polished.residuals)) < 1e-12


def test_b_score_takes_the_gradient_off_and_leaves_a_hit() -> None:
    values, rows, columns, noise = plate()
    values[40] += 8
    scores = b_score(values, rows, columns)
    assert np.argmax(scores) == 40
    others = np.delete(np.arange(96), 40)
    assert np.corrcoef(scores[others], noise[others])[0, 1] > 0.7
    assert abs(np.corrcoef(scores[others], rows[others])[0, 1]) < 0.1
    assert np.median(np.abs(scores - np.median(scores))) == pytest.approx(1 / 1.4826)


def test_b_score_without_spread_is_undefined() -> None:
    _, rows, columns, _ = plate()
    with pytest.warns(UndefinedStatisticWarning, match="B-score is undefined"):
        assert np.isnan(b_score(rows + columns, rows, columns)).all()


@pytest.mark.parametrize("table", [[1.0, 2.0], [[np.nan, np.nan]], [[1.0, np.inf]]])
def test_tables_of_another_kind_are_named(table) -> None:
    with pytest.raises(InvalidInputError, match="`table` must be"):
        median_polish(table)


def test_places_of_another_kind_are_named() -> None:
    with pytest.raises(InvalidInputError, match="two wells at one place"):
        b_score([1.0, 2.0], [0, 0], [0, 0])
    with pytest.raises(InvalidInputError, match="`rows` must hold a whole number"):
        b_score([1.0, 2.0], [-1, 0], [0, 0])
    with pytest.raises(InvalidInputError, match="`columns` must hold a whole number"):
        b_score([1.0, 2.0], [0, 1], [0.0, 1.0])
