from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from counterstain.ranking.concentrations import read_concentrations


@pytest.mark.parametrize(
    ("text", "micromolar"),
    [
        ("3 uM", 3), ("3µM", 3), ("3 μM", 3), ("250 nM", 0.25), ("0,5 mM", 500), ("1e-6 M", 1),
        ("5 pM", 5e-6),
    ],
)  # fmt: skip
def test_molar_units_become_micromolar(text, micromolar) -> None:
    amounts, problems = read_concentrations([text])
    assert amounts[0] == pytest.approx(micromolar)
    assert problems == [""]


def test_numbers_keep_their_unit() -> None:
    amounts, problems = read_concentrations([1, 2.5, "3", "1e3", np.float64(4), np.int64(5)])
    assert amounts.tolist() == [1, 2.5, 3, 1000, 4, 5]
    assert not any(problems)


def test_nothing_is_no_dose_and_no_problem() -> None:
    amounts, problems = read_concentrations([None, np.nan, "", "nan", pd.NA, " "])
    assert np.isnan(amounts).all()
    assert not any(problems)


@pytest.mark.parametrize("text", ["high", "-3", "3 mg/ml", "inf", "1 uM DMSO", "1.2.3"])
def test_what_cannot_be_read_says_so(text) -> None:
    amounts, problems = read_concentrations([text])
    assert np.isnan(amounts[0])
    assert repr(text) in problems[0]


def test_a_bare_number_among_units_is_not_guessed() -> None:
    amounts, problems = read_concentrations(["1 nM", 5, 0, None])
    assert amounts[0] == pytest.approx(1e-3)
    assert np.isnan(amounts[1])
    assert "no unit" in problems[1]
    # Zero is zero in every unit.
    assert (amounts[2], problems[2]) == (0.0, "")
