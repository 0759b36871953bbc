"""The oracle is chosen without the network, and verdicts follow the wells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from counterstain.counterfactual.effects import EditedCrops, population_effects
from counterstain.counterfactual.oracle import Oracle, choose_oracle, gap_closed, measure_flip
from counterstain.errors import InvalidInputError

DNA, GFP = "mean_intensity:cell:DNA", "mean_intensity:cell:GFP"
RATIO = "log2_ratio:nucleus/ring:GFP"


def plate(seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return crops of twelve wells in two classes; GFP doubles, DNA stays."""
    generator = np.random.default_rng(seed)
    wells = np.repeat(np.arange(12), 20)
    classes = (wells >= 6).astype(np.int64)
    well_effect = generator.normal(0, 0.02, 12)[wells]
    table = pd.DataFrame(
        {
            DNA: 0.4 + well_effect + generator.normal(0, 0.05, 240),
            GFP: 0.3 + 0.3 * classes + well_effect + generator.normal(0, 0.05, 240),
            RATIO: generator.normal(0, 0.2, 240),
            "sd:cell:GFP": 0.1 + 0.9 * classes + generator.normal(0, 0.001, 240),
        }
    )
    return table, classes, wells


def test_the_oracle_is_the_plain_measurement_that_separates_best() -> None:
    table, classes, wells = plate()
    oracle = choose_oracle(table, classes, wells, 2)
    # The texture measure separates better still, but cannot be said in a sentence.
    assert oracle.column == GFP
    assert oracle.midpoint(0, 1) == pytest.approx(0.45, abs=0.02)
    assert "GFP in the cell" in oracle.definition


def test_the_oracle_can_be_named() -> None:
    table, classes, wells = plate()
    assert choose_oracle(table, classes, wells, 2, feature="log2_ratio").column == RATIO
    assert choose_oracle(table, classes, wells, 2, channel="DNA").column == DNA
    with pytest.raises(InvalidInputError, match="there is none such"):
        choose_oracle(table, classes, wells, 2, channel="DNA", feature="log2_ratio")


def test_flip_and_gap_are_counted_by_hand() -> None:
    judge = Oracle(GFP, (0.0, 1.0), 5.0)
    before, after = np.array([0.2, 0.2, 0.7, np.nan]), np.array([0.8, 0.3, 0.9, 0.9])
    wells = np.array([0, 1, 1, 2])
    found = measure_flip(judge, before, after, wells, 0, 1, seed=0)
    assert found.flip.value == 0.5
    assert (found.n_crops, found.n_left_out) == (2, 2)
    np.testing.assert_allclose(gap_closed(judge, before, after, 0, 1)[:2], [0.6, 0.1])
    backwards = measure_flip(judge, after, before, wells, 1, 0, seed=0)
    assert backwards.flip.value == pytest.approx(0.5)


def test_no_crop_on_its_own_side_leaves_the_flip_undefined() -> None:
    judge = Oracle(GFP, (0.0, 1.0), 5.0)
    found = measure_flip(judge, np.array([0.9]), np.array([1.0]), np.array([0]), 0, 1, seed=0)
    assert not found.flip.is_defined
    assert "own class's side" in found.flip.reason


def effects_of(shift: dict[str, float]) -> pd.DataFrame:
    table, classes, wells = plate()
    before = table[classes == 0].reset_index(drop=True)
    generator = np.random.default_rng(1)
    after = before + generator.normal(0, 1e-4, before.shape)
    for column, amount in shift.items():
        after[column] += amount
    return population_effects(
        table,
        classes,
        wells,
        EditedCrops(before, after, wells[classes == 0]),
        pair=(0, 1),
        class_names=("sick", "well"),
        seed=0,
    ).set_index(["feature", "region", "channel"])


def test_verdicts_follow_both_the_wells_and_the_counterfactuals() -> None:
    effects = effects_of({GFP: 0.28, DNA: 0.1})
    verdicts = effects["verdict"]
    assert verdicts["mean intensity", "cell", "GFP"] == "confirmed"
    assert verdicts["mean intensity", "cell", "DNA"] == "not confirmed by real wells"
    assert verdicts["intensity spread (SD)", "cell", "GFP"] == "missed by the counterfactual"
    assert verdicts["log2 nucleus/ring", "nucleus/ring", "GFP"] == "none"
    assert effects["rank"].loc["mean intensity", "cell", "GFP"] == 1
    sentence = effects["sentence"].loc["mean intensity", "cell", "GFP"]
    assert sentence.startswith("GFP: mean intensity, cell: +")
    assert "from sick to well" in sentence
    assert (effects.loc[effects["verdict"] != "confirmed", "sentence"] == "").all()


def test_a_change_in_the_wrong_direction_is_not_confirmed() -> None:
    effects = effects_of({GFP: -0.28})
    assert effects["verdict"].loc["mean intensity", "cell", "GFP"] == "not confirmed by real wells"
