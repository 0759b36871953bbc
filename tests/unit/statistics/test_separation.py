from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.statistics import measure_separation, robust_z_prime, ssmd, z_prime

GOLDEN = json.loads(
    (Path(__file__).parents[2] / "golden" / "statistics_reference.json").read_text("utf-8")
)
NEGATIVE, POSITIVE = GOLDEN["negative"], GOLDEN["positive"]
MEASURES = [z_prime, robust_z_prime, ssmd]


def test_published_values_to_every_digit() -> None:
    assert z_prime(NEGATIVE, POSITIVE) == pytest.approx(0.595823, abs=5e-7)
    assert z_prime(NEGATIVE, POSITIVE, ddof=0) == pytest.approx(0.638493, abs=5e-7)
    assert robust_z_prime(NEGATIVE, POSITIVE) == pytest.approx(0.666415, abs=5e-7)
    assert ssmd(NEGATIVE, POSITIVE) == pytest.approx(9.701425, abs=5e-7)


def test_agrees_with_the_standard_library() -> None:
    expected = GOLDEN["separation"]
    assert z_prime(NEGATIVE, POSITIVE) == pytest.approx(expected["z_prime"], rel=1e-12)
    assert z_prime(NEGATIVE, POSITIVE, ddof=0) == pytest.approx(expected["z_prime_ddof_0"])
    assert robust_z_prime(NEGATIVE, POSITIVE) == pytest.approx(expected["robust_z_prime"])
    assert ssmd(NEGATIVE, POSITIVE) == pytest.approx(expected["ssmd"], rel=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_swapping_the_controls_changes_nothing(measure) -> None:
    assert measure(POSITIVE, NEGATIVE) == pytest.approx(measure(NEGATIVE, POSITIVE), rel=1e-14)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("value", [0.0, 0.1, -3.0, 1e300, 1e-300])
def test_all_constant_is_undefined(measure, value) -> None:
    # 3 and 5 copies of 0.1 have means that differ in the last digit.
    with pytest.warns(UndefinedStatisticWarning, match="all values are the same"):
        assert math.isnan(measure([value] * 3, [value] * 5))


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("negative", "n"), [([1.0], 1), ([], 0)])
def test_one_replicate_is_undefined(measure, negative, n) -> None:
    with pytest.warns(UndefinedStatisticWarning, match=rf"negative control has {n} well"):
        assert math.isnan(measure(negative, POSITIVE))
    with pytest.warns(UndefinedStatisticWarning, match=rf"positive control has {n} well"):
        assert math.isnan(measure(POSITIVE, negative))


def test_no_spread_but_different_means() -> None:
    assert z_prime([1, 1, 1], [5, 5, 5]) == 1
    assert robust_z_prime([1, 1, 1], [5, 5, 5]) == 1
    with pytest.warns(UndefinedStatisticWarning, match="neither control has any spread"):
        assert math.isnan(ssmd([1, 1, 1], [5, 5, 5]))


def test_no_huge_number_from_rounding() -> None:
    with pytest.warns(UndefinedStatisticWarning, match="means of the controls are the same"):
        assert math.isnan(z_prime([0.1, 0.2, 0.3], [0.3, 0.1, 0.2]))
    with pytest.warns(UndefinedStatisticWarning, match="medians of the controls are the same"):
        assert math.isnan(robust_z_prime([1, 2, 9], [0, 2, 3]))
    with pytest.warns(UndefinedStatisticWarning, match="any spread"):
        assert math.isnan(ssmd([0.1, 0.1, 0.1 + 1e-17], [0.3, 0.1 + 0.2, 0.3]))


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_not_finite_are_named(measure, bad) -> None:
    with pytest.raises(InvalidInputError, match=r"`positive` must be finite; got .* position 1"):
        measure(NEGATIVE, [5, bad, 4])


@pytest.mark.parametrize("bad", [[[1, 2], [3, 4]], ["a", "b"], 3.0])
def test_values_of_another_kind_are_named(bad) -> None:
    with pytest.raises(InvalidInputError, match="`negative` must"):
        z_prime(bad, POSITIVE)


def test_another_ddof_is_named() -> None:
    with pytest.raises(InvalidInputError, match="`ddof` must be 0 or 1; got 2"):
        z_prime(NEGATIVE, POSITIVE, ddof=2)


def test_estimates_hold_the_scalars_and_repeat() -> None:
    first = measure_separation(NEGATIVE, POSITIVE, seed=3)
    again = measure_separation(NEGATIVE, POSITIVE, seed=3)
    other = measure_separation(NEGATIVE, POSITIVE, seed=4)
    assert first == again
    assert first.z_prime != other.z_prime
    assert first.z_prime.value == z_prime(NEGATIVE, POSITIVE)
    assert first.robust_z_prime.value == robust_z_prime(NEGATIVE, POSITIVE)
    assert first.ssmd.value == ssmd(NEGATIVE, POSITIVE)
    for estimate in (first.z_prime, first.robust_z_prime, first.ssmd):
        assert estimate.n_wells == 10
        assert estimate.low < estimate.value < estimate.high
    assert set(first.to_json()) == {"z_prime", "robust_z_prime", "ssmd"}


def test_two_wells_have_a_value_and_no_interval() -> None:
    found = measure_separation([1, 2], POSITIVE, seed=0).z_prime
    assert found.value == z_prime([1, 2], POSITIVE)
    assert math.isnan(found.low)
    assert "3 wells a class" in found.reason


def test_undefined_estimates_say_why() -> None:
    with pytest.warns(UndefinedStatisticWarning) as caught:
        found = measure_separation([1.0], POSITIVE, seed=0)
    assert len(caught) == 3
    assert not found.z_prime.is_defined
    assert "1 well" in found.z_prime.reason
    assert found.z_prime.to_json()["value"] is None


def test_interval_of_z_prime_covers_as_documented() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(150):
        found = measure_separation(
            rng.normal(0, 1, 24), rng.normal(15, 1, 24), seed=seed, n_resamples=1000
        )
        covered += found.z_prime.low <= 0.6 <= found.z_prime.high
    # 94 % as documented; 150 screens give it to 2 %.
    assert covered >= 0.88 * 150
