from __future__ import annotations

import math

import numpy as np
import pytest

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.statistics.histograms import overlay_histograms, wasserstein


def test_wasserstein_of_a_shift() -> None:
    assert wasserstein([0, 1, 3], [5, 6, 8]) == 5
    assert wasserstein([0, 1, 3], [5, 6, 8], relative=True) == pytest.approx(5 / 3)
    assert wasserstein([1, 2], [2, 1, 1, 2]) == 0


def test_wasserstein_without_a_sample_or_range_is_undefined() -> None:
    with pytest.warns(UndefinedStatisticWarning, match="a sample is empty"):
        assert math.isnan(wasserstein([], [1, 2]))
    with pytest.warns(UndefinedStatisticWarning, match="range of `second` is 0"):
        assert math.isnan(wasserstein([1, 2], [3, 3], relative=True))


def test_histograms_share_their_edges() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.normal(0, 1, 300), rng.normal(2, 1, 200)
    both = overlay_histograms({"before": before, "after": after})
    assert both.counts == {"before": 300, "after": 200}
    for name, values in (("before", before), ("after", after)):
        counts, _ = np.histogram(values, both.edges)
        assert both.shares[name] == pytest.approx(counts / len(values))
        assert sum(both.shares[name]) == pytest.approx(1)
    assert len(both.edges) <= 61
    assert len(overlay_histograms({"x": before}, bins=7).edges) == 8


def test_equal_values_and_empty_samples_can_be_counted() -> None:
    both = overlay_histograms({"same": [2.0, 2.0], "none": []})
    assert sum(both.shares["same"]) == 1
    assert sum(both.shares["none"]) == 0


def test_bad_samples_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="a value at least"):
        overlay_histograms({"none": []})
    with pytest.raises(InvalidInputError, match="`x` must be finite"):
        overlay_histograms({"x": [np.nan]})
    with pytest.raises(InvalidInputError, match="1 or more"):
        overlay_histograms({"x": [1.0]}, bins=0)
