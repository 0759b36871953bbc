from __future__ import annotations

import math

import numpy as np
import pytest

from counterstain.errors import InvalidInputError
from counterstain.statistics.dose_response import fit_dose_response
from counterstain.statistics.log_logistic import MAX_SLOPE, fit_curve, log_logistic

# Root length of perennial ryegrass under ferulic acid, mM (drc's `ryegrass`).
RYEGRASS_DOSES = np.repeat([0, 0.94, 1.88, 3.75, 7.5, 15, 30], [6, 3, 3, 3, 3, 3, 3])
RYEGRASS_LENGTHS = [
    7.58, 8.0, 8.3285714, 7.25, 7.375, 7.9625,
    8.3555556, 6.9142857, 7.75, 6.8714286, 6.45, 5.9222222, 1.925, 2.8857143, 4.2333333,
    1.1875, 0.8571429, 1.0571429, 0.6875, 0.525, 0.825, 0.25, 0.22, 0.44,
]  # fmt: skip
DOSES = np.repeat([0.1, 0.4, 1.6, 6.4, 25.6], 3)


def rising(ec50: float, upper: float = 1.0, slope: float = 1.5, sd: float = 0.04, seed: int = 0):
    noise = np.random.default_rng(seed).normal(0, sd, DOSES.size)
    return log_logistic(DOSES, -slope, 0.0, upper, math.log(ec50)) + noise


def test_ryegrass_as_drc_fits_it() -> None:
    curve = fit_dose_response(RYEGRASS_DOSES, RYEGRASS_LENGTHS)
    assert curve.slope == pytest.approx(2.98222, abs=1.5e-5)
    assert curve.lower == pytest.approx(0.48141, abs=5e-6)
    assert curve.upper == pytest.approx(7.79296, abs=5e-6)
    assert curve.ec50.value == pytest.approx(3.05796, abs=5e-6)
    # drc's summary: residual standard error 0.5196 on 20 degrees of freedom, SE of e 0.18573.
    assert curve.residual_sd == pytest.approx(0.5196, abs=5e-5)
    fit = fit_curve(RYEGRASS_DOSES.astype(float), np.array(RYEGRASS_LENGTHS))
    assert fit.log_ec50_error * curve.ec50.value == pytest.approx(0.18573, abs=2e-4)
    assert curve.ec50.low < 3.05796 < curve.ec50.high
    assert curve.lack_of_fit_p > 0.5
    assert curve.is_fit


def test_the_scale_of_dose_and_response_changes_nothing_else() -> None:
    base = fit_dose_response(RYEGRASS_DOSES, RYEGRASS_LENGTHS)
    scaled = fit_dose_response(RYEGRASS_DOSES * 1e3, np.multiply(RYEGRASS_LENGTHS, -1e4) + 7)
    assert scaled.ec50.value == pytest.approx(1e3 * base.ec50.value, rel=1e-5)
    assert scaled.slope == pytest.approx(-base.slope, rel=1e-4)
    assert scaled.upper == pytest.approx(7 - 1e4 * base.lower, rel=1e-5)
    assert scaled.r_squared == pytest.approx(base.r_squared, rel=1e-6)


@pytest.mark.parametrize("ec50", [0.5, 1.6, 5.0])
@pytest.mark.parametrize("upper", [0.4, 1.0])
def test_planted_ec50_is_found_with_its_plateau(ec50, upper) -> None:
    curve = fit_dose_response(DOSES, rising(ec50, upper), lower=0.0)
    assert abs(math.log2(curve.ec50.value / ec50)) < 0.75
    assert curve.upper == pytest.approx(upper, abs=0.15)
    assert curve.lower == 0.0
    assert curve.slope < 0
    assert curve.predict([0.0, 1e9]) == pytest.approx([0.0, curve.upper], abs=1e-6)


def test_intervals_of_the_ec50_cover() -> None:
    covered = sum(
        curve.ec50.low <= 1.6 <= curve.ec50.high
        for curve in (
            fit_dose_response(DOSES, rising(1.6, seed=seed, sd=0.08), lower=0.0)
            for seed in range(200)
        )
    )
    assert 0.90 * 200 <= covered <= 0.99 * 200


@pytest.mark.parametrize(
    ("doses", "responses", "why"),
    [
        ([1, 1, 2, 2, 4, 4], [0, 0, 1, 1, 2, 2], "needs 4 doses or more, got 3"),
        ([1, 2, 4, 8], [0, 0.1, 0.8, 1], "4 wells cannot determine 4 parameters"),
        (DOSES, [0.5] * 15, "all responses are the same"),
        (DOSES, np.random.default_rng(3).normal(0, 1, 15), "do not change with the dose"),
        (DOSES, np.repeat([0, 0.1, 1.0, 0.1, 0], 3) + np.tile([0, 0.02, -0.02], 5), "turn back"),
        (DOSES, rising(100.0, 3.0, sd=0.005), "beyond the highest dose"),
    ],
)  # fmt: skip
def test_no_fit_rather_than_an_absurd_one(doses, responses, why) -> None:
    curve = fit_dose_response(doses, responses)
    assert why in curve.reason
    assert not curve.is_fit
    assert math.isnan(curve.ec50.value)
    assert curve.ec50.reason == curve.reason
    assert np.isnan(curve.predict([1.0])).all()
    assert curve.to_json()["upper"] is None


def test_an_ec50_below_all_doses_is_not_given() -> None:
    curve = fit_dose_response(DOSES, 1 - rising(0.02, sd=0.002), lower=0.0, upper=1.0)
    assert curve.reason == "the EC50 lies below the lowest dose (0.1): start lower"


def test_an_ec50_that_the_doses_do_not_hold_is_not_given() -> None:
    # Three wells at four doses, all noise but a trend in the last: the plateau could be anywhere.
    doses = np.repeat([1.0, 2.0, 4.0, 8.0], 2)
    curve = fit_dose_response(doses, [0, 0.02, 0.1, 0.13, 0.27, 0.3, 0.52, 0.49])
    assert "beyond the highest dose" in curve.reason or "1,000-fold" in curve.reason


def test_noise_seldom_gets_an_ec50() -> None:
    rng = np.random.default_rng(0)
    fits = sum(fit_dose_response(DOSES, rng.normal(0, 1, 15), lower=0.0).is_fit for _ in range(200))
    assert fits <= 0.06 * 200


def test_a_step_between_two_doses_has_a_bounded_slope() -> None:
    step = np.repeat([0.0, 0.0, 0.0, 1.0, 1.0], 3) + np.tile([0.0, 0.01, -0.01], 5)
    curve = fit_dose_response(DOSES, step, lower=0.0)
    assert curve.slope == pytest.approx(-MAX_SLOPE)
    assert 1.6 < curve.ec50.value < 6.4


def test_both_plateaus_known() -> None:
    curve = fit_dose_response(DOSES, rising(1.6), lower=0.0, upper=1.0)
    assert (curve.lower, curve.upper) == (0.0, 1.0)
    assert curve.ec50.value == pytest.approx(1.6, rel=0.15)
    falling = fit_dose_response(DOSES, 1 - rising(1.6), lower=0.0, upper=1.0)
    assert falling.slope > 0


@pytest.mark.parametrize(
    ("arguments", "settings", "why"),
    [
        (([1, 2], [1, 2, 3]), {}, "`responses` must have a value for each of the 2 wells"),
        (([-1, 2], [1, 2]), {}, "`concentrations` must be 0 or more; got -1"),
        ((["a", 2], [1, 2]), {}, "`concentrations` must hold numbers"),
        (([1, 2], [1, math.nan]), {}, "`responses` must be finite"),
        (([1, 2], [1, 2]), {"lower": 1, "upper": 1}, "`lower` must be below `upper`"),
        (([1, 2], [1, 2]), {"confidence": 95}, "`confidence` must lie between 0 and 1"),
    ],
)
def test_bad_input_is_named(arguments, settings, why) -> None:
    with pytest.raises(InvalidInputError, match=why):
        fit_dose_response(*arguments, **settings)


def test_no_well_at_all() -> None:
    assert "got 0" in fit_dose_response([], []).reason
