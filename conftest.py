"""What holds for every test and doctest: the same random numbers in every run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import settings

# A test that fails once in twenty runs tells nobody what to mend.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _same_random_numbers() -> None:
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002  (scikit-learn draws from it)
