"""The oracle is chosen without the network, and verdicts follow the wells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from counterstain.counterfactual.effects import EditedCrops, population_effects
from counterstain.counterfactual.flip import gap_closed, measure_flip
from counterstain.counterfactual.oracle import Oracle, choose_oracle
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


def test_a_texture_judges_only_where_it_separates_clearly_better() -> None:
    table, classes, wells = plate()
    grains = np.random.default_rng(2).normal(0, 0.01, len(table))
    noisy = table.assign(**{"granularity:cell:GFP": classes + grains, GFP: table[DNA]})
    oracle = choose_oracle(noisy, classes, wells, 2)
    assert oracle.column == "granularity:cell:GFP"
    assert "dots, not lines" in oracle.definition
    equal = table.assign(**{"granularity:cell:GFP": table[GFP] * 0.1})
    assert choose_oracle(equal, classes, wells, 2).column == GFP
    area = table.assign(**{"area:nucleus:DNA": 200 + 90 * classes + grains})
    assert "found anew" in choose_oracle(area, classes, wells, 2, feature="area").definition


def test_the_cause_ranks_before_its_shadows_and_a_closer_edit_before_a_farther_one() -> None:
    effects = effects_of({GFP: 0.28, "sd:cell:GFP": 0.9})
    first = effects.reset_index().set_index("rank")
    assert first.loc[1, "feature"] == "mean intensity"
    assert first.loc[2, "shadow_of"] == GFP
    assert 0.9 < first.loc[1, "agreement"] <= 1


def test_plates_without_effect_have_no_confirmed_row_in_19_of_20() -> None:
    confirmed = []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        wells = np.repeat(np.arange(12), 10)
        classes = (wells >= 6).astype(np.int64)
        shared = generator.normal(0, 1, (12, 2))[wells]
        columns = [f"mean_intensity:cell:{k}" for k in range(12)]
        mixed = shared @ generator.normal(0, 1, (2, 12)) + generator.normal(0, 1, (120, 12))
        table = pd.DataFrame(10 + mixed, columns=columns)
        before = table[classes == 0].reset_index(drop=True)
        # The counterfactuals go the way of the real difference: the worst case.
        gap = table[classes == 1].mean() - before.mean()
        after = before + gap + generator.normal(0, 0.01, before.shape)
        edited = EditedCrops(before, after, wells[classes == 0])
        effects = population_effects(
            table, classes, wells, edited, pair=(0, 1), class_names=("a", "b"), seed=seed
        )
        confirmed.append((effects["verdict"] == "confirmed").any())
    assert np.mean(confirmed) <= 0.1  # 5 % and the scatter of 60 plates


def test_areas_are_relative_and_ratios_are_doublings() -> None:
    table, classes, wells = plate()
    named = table.rename(columns={DNA: "area:nucleus:DNA", GFP: "cell_count:crop:DNA"})
    before = named[classes == 0].reset_index(drop=True)
    edited = EditedCrops(before, before + 0.01, wells[classes == 0])
    effects = population_effects(
        named, classes, wells, edited, pair=(0, 1), class_names=("a", "b"), seed=0
    ).set_index("feature")
    assert effects.loc["area", "unit"] == effects.loc["cell count", "unit"] == "%"
    assert effects.loc["log2 nucleus/ring", "unit"] == "log2"
