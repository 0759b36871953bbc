from __future__ import annotations

import math

import pytest

from counterstain.report.numbers import as_estimate, decimal, interval, percent, scientific, tidy
from counterstain.types import Estimate

NARROW = "\N{NARROW NO-BREAK SPACE}"


@pytest.mark.parametrize(
    "estimate",
    [Estimate(0.5, 0.4, 0.6, 12), Estimate.undefined("one well a class", 2), Estimate(0.5)],
)
def test_estimates_come_back_from_json(estimate: Estimate) -> None:
    assert str(as_estimate(estimate.to_json())) == str(estimate)


@pytest.mark.parametrize("content", [None, "text", {}])
def test_what_is_no_number_is_undefined(content: object) -> None:
    assert not as_estimate(content).is_defined


def test_undefined_says_why() -> None:
    assert percent(Estimate.undefined("one well")) == "undefined (one well)"
    assert interval(Estimate(-4.1, -6.1, -2.1)) == "−4.10 [−6.10, −2.10]"


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.004, "0.00"), (math.nan, "–"), (math.inf, "–"), (12345.678, "12,345.68")],
)
def test_decimals(value: float, text: str) -> None:
    assert decimal(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1e-4, "1.0 × 10⁻⁴"), (0.0004, "4.0 × 10⁻⁴"), (math.nan, "–")]
)
def test_small_numbers(value: float, text: str) -> None:
    assert scientific(value).replace("\N{NO-BREAK SPACE}", " ") == text


def test_tidy_leaves_names_alone() -> None:
    assert tidy("CK-01 rises by -3 %") == f"CK-01 rises by −3{NARROW}%"
