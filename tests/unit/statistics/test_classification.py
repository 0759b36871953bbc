from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.statistics import classification_summary, share_by_well

GOLDEN = json.loads(
    (Path(__file__).parents[2] / "golden" / "statistics_reference.json").read_text("utf-8")
)
NAMES = ("a", "b", "c")


def simulated(seed: int = 0, skill: float = 0.6):
    rng = np.random.default_rng(seed)
    well_class = np.repeat([0, 1, 2], [8, 6, 4])
    wells = np.repeat(np.arange(18), 30)
    true = well_class[wells]
    called = np.where(rng.random(540) < skill, true, rng.integers(0, 3, 540))
    return true, called, wells, well_class


def summarise(true, called, wells, well_class, **options):
    return classification_summary(
        true, called, wells, NAMES, well_true=well_class, well_predicted=well_class,
        **({"seed": 0} | options),
    )  # fmt: skip


def test_golden_class_table() -> None:
    true, called = np.array(GOLDEN["true"]), np.array(GOLDEN["called"])
    found = summarise(true, called, np.arange(12), true)
    assert found.confusion.tolist() == GOLDEN["confusion"]
    assert [row.precision.value for row in found.per_class] == pytest.approx(GOLDEN["precision"])
    assert [row.recall.value for row in found.per_class] == pytest.approx(GOLDEN["recall"])
    assert [row.f1.value for row in found.per_class] == pytest.approx(GOLDEN["f1"])
    assert [row.support for row in found.per_class] == GOLDEN["support"]
    assert found.balanced_accuracy.value == pytest.approx(GOLDEN["balanced_accuracy"])


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_scikit_learn(seed) -> None:
    true, called, wells, well_class = simulated(seed)
    found = summarise(true, called, wells, well_class)
    expected = metrics.precision_recall_fscore_support(true, called)
    assert np.array_equal(found.confusion, metrics.confusion_matrix(true, called))
    assert found.accuracy.value == pytest.approx(metrics.accuracy_score(true, called))
    for index, row in enumerate(found.per_class):
        got = (row.precision.value, row.recall.value, row.f1.value, row.support)
        assert got == pytest.approx([column[index] for column in expected])
        assert row.n_wells == np.count_nonzero(well_class == index)
        for estimate in (row.precision, row.recall, row.f1):
            assert estimate.low < estimate.value < estimate.high


def test_crop_accuracy_is_the_share_by_well() -> None:
    true, called, wells, well_class = simulated()
    assert summarise(true, called, wells, well_class).accuracy == share_by_well(
        true == called, wells, classes=true, seed=0
    )


def test_names_and_indices_give_the_same() -> None:
    true, called, wells, well_class = simulated()
    names = np.array(NAMES)
    by_name = classification_summary(
        names[true], names[called].astype(object), wells, NAMES,
        well_true=names[well_class], well_predicted=names[well_class], seed=0,
    )  # fmt: skip
    assert by_name.to_json() == summarise(true, called, wells, well_class).to_json()


def test_json_of_a_class_row() -> None:
    row = summarise(*simulated()).to_json()["per_class"][1]
    assert row["class"] == "b"
    assert row["support"] == {"value": 180, "low": None, "high": None, "n_wells": 6, "reason": ""}


def test_chance_levels() -> None:
    found = summarise(*simulated())
    assert found.chance == pytest.approx(8 / 18)
    assert found.balanced_chance == pytest.approx(1 / 3)


def test_all_right_is_not_certainty() -> None:
    true, _, wells, well_class = simulated()
    found = summarise(true, true, wells, well_class)
    assert (found.accuracy.value, found.accuracy.high) == (1, 1)
    assert 0.8 < found.accuracy.low < 0.85
    assert found.well_accuracy.low == pytest.approx(found.accuracy.low)
    # The recall of c rests on four wells, that of a on eight.
    assert found.per_class[2].recall.low < found.per_class[0].recall.low < found.accuracy.low


def test_a_class_never_called_has_no_precision() -> None:
    true, _, wells, well_class = simulated()
    with pytest.warns(UndefinedStatisticWarning, match="precision of c is undefined"):
        found = summarise(true, np.minimum(true, 1), wells, well_class)
    row = found.per_class[2]
    assert not row.precision.is_defined
    assert row.precision.reason == "no crop is called this class"
    assert (row.recall.value, row.f1.value) == (0, 0)
    assert row.recall.high == pytest.approx(0.4899, abs=1e-4)


def test_a_class_without_crops_is_undefined() -> None:
    with pytest.warns(UndefinedStatisticWarning) as caught:
        found = summarise([0, 0, 1, 1], [0, 1, 1, 1], [1, 2, 3, 4], [0, 0, 1, 1])
    assert len(caught) == 4
    assert math.isnan(found.balanced_accuracy.value)
    assert found.per_class[2].f1.reason == "no crop is of this class or called so"
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["confusion"][2] == [0, 0, 0]


def test_a_class_with_two_wells_has_no_interval_where_it_matters() -> None:
    wells = np.repeat(np.arange(10), 4)
    true = (wells >= 8).astype(int)
    called = np.where(np.arange(40) % 5 == 0, 1 - true, true)
    called[[37]] = 0
    found = classification_summary(
        true, called, wells, "ab", well_true=[0], well_predicted=[0], seed=0
    )
    assert math.isnan(found.accuracy.low)
    assert found.per_class[0].recall.low < found.per_class[0].recall.high


def test_read_only_confusion() -> None:
    with pytest.raises(ValueError, match="read-only"):
        summarise(*simulated()).confusion[0, 0] = 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"true": ["a", "x"]}, "`true` must hold the classes .* got 'x' at position 1"),
        ({"true": [0, 3]}, "got 3 at position 1"),
        ({"predicted": ["a", None]}, "`predicted` must hold the classes"),
        ({"predicted": ["a"]}, "got 2 and 1 rows"),
        ({"true": [], "predicted": [], "wells": []}, "got 0 and 0 rows"),
        ({"wells": ["A01", "A01"]}, "two classes in well"),
        ({"class_names": ["a"]}, "`class_names` must be two or more"),
        ({"class_names": ["a", "a"]}, "name each class once"),
        ({"well_predicted": ["a"]}, "`well_true` and `well_predicted`"),
        ({"true": [["a", "b"]]}, "`true` must be 1-D"),
    ],
)
def test_invalid_input_is_named(changes, message) -> None:
    arguments = {
        "true": ["a", "b"],
        "predicted": ["a", "b"],
        "wells": ["A01", "A02"],
        "class_names": ["a", "b"],
        "well_true": ["a", "b"],
        "well_predicted": ["a", "b"],
    }
    with pytest.raises(InvalidInputError, match=message):
        classification_summary(**(arguments | changes), seed=0)
