from __future__ import annotations

import math

import pytest

from counterstain.errors import InvalidInputError
from counterstain.statistics.calls import CallRules, call_hits

BASE = {
    "rescue": 0.9, "rescue_low": 0.8, "rescue_q": 0.001, "side_effect": 0.5,
    "side_effect_q": 0.4, "n_wells": 4,
}  # fmt: skip


def call(axis_length: float = 20.0, poisoned: bool = False, rules=None, **changed) -> str:
    columns = [[value] for value in (BASE | changed).values()]
    found = call_hits(*columns, axis_length=axis_length, poisoned=[poisoned], rules=rules)
    return found[0]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "hit"),
        ({"rescue": 0.49, "rescue_low": 0.4}, "partial"),
        ({"rescue": 0.14, "rescue_low": 0.1}, "inactive"),
        ({"rescue_q": 0.06}, "inactive"),
        ({"rescue_low": -0.01}, "inactive"),
        ({"rescue_q": math.nan}, "inactive"),
        ({"n_wells": 1}, "not enough wells"),
        ({"n_wells": 0, "rescue": math.nan, "side_effect": math.nan}, "not enough wells"),
        # 7 SDs off, and a third of a rescue of 0.9 of 20 SDs is 6.
        ({"side_effect": 7.0, "side_effect_q": 0.001}, "toxic/off-axis"),
        ({"side_effect": 5.0, "side_effect_q": 0.001}, "hit"),
        ({"side_effect": 7.0, "side_effect_q": 0.2}, "hit"),
        # Where nothing is rescued, the limit in SDs alone holds.
        ({"side_effect": 4.0, "side_effect_q": 0.01, "rescue": 0.0}, "toxic/off-axis"),
        ({"side_effect": 2.9, "side_effect_q": 0.01, "rescue": 0.0}, "inactive"),
        # Where the controls are 80 SDs apart, 5 SDs aside are a sixteenth of the disease.
        (
            {"side_effect": 5.0, "side_effect_q": 0.01, "rescue": 0.0, "axis_length": 80.0},
            "inactive",
        ),
        # One well cannot be called toxic either.
        ({"side_effect": 40.0, "side_effect_q": 0.01, "n_wells": 1}, "not enough wells"),
    ],
)
def test_rules(changed, expected) -> None:
    assert call(**changed) == expected


def test_wells_without_cells_are_no_rescue() -> None:
    assert call(poisoned=True) == "toxic/off-axis"
    assert call(poisoned=True, n_wells=0) == "toxic/off-axis"


def test_lines_can_be_moved() -> None:
    assert call(rules=CallRules(hit_rescue=0.95)) == "partial"
    assert call(rules=CallRules(min_wells=5)) == "not enough wells"


@pytest.mark.parametrize(
    "wrong",
    [
        {"level": 1.5},
        {"hit_rescue": 0.1},
        {"partial_rescue": 0},
        {"side_effect": -1},
        {"min_wells": 1},
    ],
)
def test_rules_out_of_range_are_named(wrong) -> None:
    with pytest.raises(InvalidInputError, match="must"):
        CallRules(**wrong)


def test_lengths_must_agree() -> None:
    with pytest.raises(InvalidInputError, match="of one length"):
        call_hits([0.1], [0.1], [0.1], [0.1], [0.1], [1, 2], axis_length=1)
