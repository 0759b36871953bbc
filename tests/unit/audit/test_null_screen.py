"""The null screen: silent where there is nothing, loud where the controls are not alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from counterstain.audit.null_halvings import null_claims
from counterstain.audit.null_training import halve_wells, null_screen
from counterstain.errors import InvalidInputError
from counterstain.training.device import choose_machine
from counterstain.training.loop import FitSettings

RECIPE: dict[str, Any] = {
    "network": "coupling", "channels": 1, "size": 16, "n_classes": 3, "hidden": 8, "blocks": 1,
    "channel_names": ["DNA"], "class_names": ["a", "b", "c"],
}  # fmt: skip


class Pixels:
    """Crops in memory."""

    def __init__(self, images: NDArray[np.float32]) -> None:
        self.images = images

    def scaled(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.images[ids].copy()

    def count_step(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.full((len(ids), 1), 1 / 255, np.float32)


def controls(n_wells: int = 8, each: int = 12) -> tuple[Pixels, NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    images = rng.uniform(0.2, 0.4, (n_wells * each, 1, 16, 16)).astype(np.float32)
    return Pixels(images), np.repeat(np.arange(n_wells), each)


def test_like_wells_are_at_chance_and_networks_have_two_classes() -> None:
    source, wells = controls()
    measured = pd.DataFrame({"mean": source.images.mean((1, 2, 3))})
    found = null_screen(
        source, np.arange(len(wells)), wells, measured, RECIPE,
        FitSettings(steps=6, minibatch=8), choose_machine("cpu"), seed=1,
    )  # fmt: skip
    assert found.chance.at_chance
    assert [network.n_classes for network in found.networks] == [2, 2]
    assert sorted(found.scores["half"]) == [0] * 4 + [1] * 4
    assert found.scores.groupby("fold")["half"].nunique().tolist() == [2, 2]
    assert found.to_json()["n_wells"] == 8


def test_the_same_seed_gives_the_same_scores() -> None:
    source, wells = controls()
    measured = pd.DataFrame({"mean": source.images.mean((1, 2, 3))})
    logits = [
        null_screen(
            source, np.arange(len(wells)), wells, measured, RECIPE,
            FitSettings(steps=3, minibatch=8), choose_machine("cpu"), seed=7,
        ).scores["logit"].to_numpy()
        for _ in range(2)
    ]  # fmt: skip
    assert (logits[0] == logits[1]).all()


def test_few_wells_are_refused_in_words() -> None:
    source, wells = controls(n_wells=4)
    with pytest.raises(InvalidInputError, match="6 negative controls or more"):
        null_screen(
            source, np.arange(len(wells)), wells, pd.DataFrame(index=range(len(wells))), RECIPE,
            FitSettings(steps=1), choose_machine("cpu"), seed=0,
        )  # fmt: skip


def test_neighbours_go_to_different_halves() -> None:
    halves = halve_wells(9, np.random.default_rng(3))
    assert halves[:8].reshape(4, 2).sum(axis=1).tolist() == [1, 1, 1, 1]


def test_false_claims_stay_at_their_rate_where_wells_are_alike() -> None:
    rng = np.random.default_rng(2)
    wells = np.repeat(np.arange(12), 6)
    rates = [
        null_claims(pd.DataFrame(rng.normal(size=(72, 20))), wells, seed=k).rate.value
        for k in range(6)
    ]
    assert np.mean(rates) < 0.12


def test_measurements_that_are_undefined_or_constant_are_left_out() -> None:
    wells = np.repeat(np.arange(8), 3)
    table = pd.DataFrame({"fine": np.arange(24.0), "flat": 1.0, "none": np.nan})
    assert null_claims(table, wells, seed=0).n_measurements == 1
    nothing = null_claims(table[["flat", "none"]], wells, seed=0)
    assert not nothing.rate.is_defined
    assert "no measurement" in nothing.rate.reason
