from __future__ import annotations

import json
import math

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.statistics.calibration import calibrate, check_calibration


def pairs(seed: int = 0, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 0.5, n)
    return x, 100 * x**2 + rng.normal(0, 0.5, n)


def test_a_line_agrees_with_scikit_learn() -> None:
    x, y = pairs()
    line, other = calibrate(x, y), LinearRegression().fit(x[:, None], y)
    assert line.slope == pytest.approx(other.coef_[0])
    assert line.intercept == pytest.approx(other.intercept_)
    assert line([0.9]) == pytest.approx(other.predict([[0.9]]))


def test_a_monotone_curve_agrees_with_scikit_learn() -> None:
    x, y = pairs()
    curve = calibrate(x, y, kind="monotone")
    other = IsotonicRegression(out_of_bounds="clip").fit(x, y)
    at = np.linspace(-0.2, 0.8, 50)
    assert curve(at) == pytest.approx(other.predict(at))
    assert np.all(np.diff(curve(at)) >= 0)
    assert curve.beyond(at) == int(((at < x.min()) | (at > x.max())).sum())
    assert math.isnan(curve([np.nan])[0])


def test_the_check_leaves_each_well_out() -> None:
    x, y = pairs()
    checked = check_calibration(x, y)
    without = calibrate(x[1:], y[1:])
    assert checked.calibrated[0] == pytest.approx(float(without(x[0])))
    assert checked.after.sd > (calibrate(x, y)(x) - y).std(ddof=1)


@pytest.mark.parametrize("kind", ["linear", "monotone"])
def test_calibration_brings_the_scales_together(kind: str) -> None:
    checked = check_calibration(*pairs(), kind=kind)  # type: ignore[arg-type]
    assert abs(checked.after.bias.value) < 0.2 < abs(checked.before.bias.value)
    assert checked.concordance_after.value > 0.9 > checked.concordance_before.value
    assert checked.spearman.value > 0.9
    json.dumps(checked.to_json(), allow_nan=False)


def test_a_curve_is_better_where_the_readout_bends() -> None:
    bent, straight = (check_calibration(*pairs(n=80), kind=k) for k in ("monotone", "linear"))  # type: ignore[arg-type]
    assert bent.after.sd < straight.after.sd


def test_too_few_or_equal_wells_have_no_curve() -> None:
    with pytest.warns(UndefinedStatisticWarning, match="3 wells or more, got 2"):
        curve = calibrate([1, 2], [1, 2])
    assert np.isnan(curve([1.0])).all()
    assert curve.beyond([1.0]) == 1
    with pytest.warns(UndefinedStatisticWarning, match="all values are equal"):
        assert calibrate([1, 1, 1], [1, 2, 3]).reason == "all values are equal"


def test_bad_input_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="'linear' or 'monotone'"):
        calibrate([1, 2, 3], [1, 2, 3], kind="cubic")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="four wells or more"):
        check_calibration([1, 2, 3], [1, 2, 3])
    with pytest.raises(InvalidInputError, match="each of the 3 wells"):
        calibrate([1, 2, 3], [1, 2])
