"""Undefined statistics warn, unless the caller notes their reasons itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from counterstain.errors import UndefinedStatisticWarning
from counterstain.statistics.inputs import undefined_noted, warn_undefined


def test_an_undefined_statistic_warns_with_its_reason() -> None:
    with pytest.warns(UndefinedStatisticWarning, match="the mean is undefined: no value"):
        warn_undefined("the mean", "no value")


def test_a_noted_one_does_not_and_the_next_one_does_again() -> None:
    with undefined_noted():
        warn_undefined("the mean", "no value")
    with pytest.warns(UndefinedStatisticWarning):
        warn_undefined("the mean", "no value")


def test_noting_in_one_thread_leaves_the_others_alone() -> None:
    with ThreadPoolExecutor(1) as pool, undefined_noted():
        other = pool.submit(warn_undefined, "the mean", "no value")
        assert isinstance(other.exception(), UndefinedStatisticWarning)
