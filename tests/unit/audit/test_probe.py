from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from counterstain.audit.probe import check_plates, check_shuffled, check_splits, make_probe
from counterstain.errors import InvalidInputError


def crops_of(n_wells=12, each=20, plates=1):
    wells = [f"{chr(65 + i // 6)}{1 + i % 6:02d}" for i in range(n_wells)]
    table = pd.DataFrame(
        {
            "Metadata_Plate": [f"P{p + 1}" for p in range(plates) for _ in wells],
            "Metadata_Well": wells * plates,
            "class_name": ["ill" if i % 2 else "well" for i in range(n_wells)] * plates,
        }
    )
    return table.loc[table.index.repeat(each)].reset_index(drop=True)


def wells_only(crops, seed=0, spread=3.0):
    """Measurements that tell the well and nothing of the class."""
    rng = np.random.default_rng(seed)
    key = crops["Metadata_Plate"] + crops["Metadata_Well"]
    centre = {name: rng.normal(0, spread, 4) for name in key.unique()}
    return np.stack([centre[name] for name in key]) + rng.normal(0, 1, (len(crops), 4))


def classes_only(crops, seed=0):
    rng = np.random.default_rng(seed)
    ill = (crops["class_name"] == "ill").to_numpy(float)
    return rng.normal(0, 1, (len(crops), 4)) + 3 * ill[:, None]


def test_wells_that_are_recognised_give_a_gap():
    crops = crops_of()
    check = check_splits(make_probe(wells_only(crops), crops, seed=0))
    assert check.status == "amber"
    assert check.value > 0.2
    assert check.low > 0.05
    assert check.n_wells == 12
    assert "held-out wells" in check.sentence


def test_true_classes_give_no_gap():
    crops = crops_of()
    check = check_splits(make_probe(classes_only(crops), crops, seed=0))
    assert check.status == "green"
    assert abs(check.value) < 0.05


def test_shuffled_wells_fall_to_chance():
    crops = crops_of()
    check = check_shuffled(make_probe(classes_only(crops), crops, seed=0))
    assert check.status == "green"
    assert check.low < 0.1


def test_the_same_cells_in_several_wells_are_noticed():
    # Neighbouring wells of one class hold the same cells, whatever the class is called.
    crops = crops_of(plates=1)
    copies = wells_only(crops)
    probe = make_probe(copies, crops, seed=3)
    assert check_shuffled(probe).value < 0.3


def test_one_plate_cannot_be_left_out():
    crops = crops_of()
    assert check_plates(make_probe(classes_only(crops), crops, seed=0)).status == "unknown"


def test_a_difference_that_turns_round_on_the_other_plate_is_amber():
    crops = crops_of(plates=2)
    measures = classes_only(crops)
    second = (crops["Metadata_Plate"] == "P2").to_numpy()
    measures[second, :2] = 3 - measures[second, :2]
    measures[:, 2:] = second[:, None] * 5 + np.random.default_rng(1).normal(0, 1, (len(crops), 2))
    check = check_plates(make_probe(measures, crops, seed=0))
    assert check.status == "amber"
    assert check.low > 0.1


def test_plates_of_one_class_cannot_be_left_out():
    crops = crops_of(plates=2)
    crops["class_name"] = np.where(crops["Metadata_Plate"] == "P1", "ill", "well")
    check = check_plates(make_probe(classes_only(crops), crops, seed=0))
    assert check.status == "unknown"


def test_the_same_seed_repeats():
    crops = crops_of()
    first, second = (check_splits(make_probe(wells_only(crops), crops, seed=4)) for _ in range(2))
    assert first == second


def test_nan_and_unusable_crops():
    crops = crops_of()
    measures = classes_only(crops)
    measures[::7, 1] = np.nan
    measures[:, 3] = np.nan
    crops["usable"] = True
    crops.loc[:19, "usable"] = False
    probe = make_probe(measures, crops, seed=0)
    assert probe.x.shape[1] == 3
    assert np.isfinite(probe.x).all()
    assert probe.n_wells == 11


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m, c: (m[:-1], c), "a row for each row"),
        (lambda m, c: (m, c.drop(columns="class_name")), "without class_name"),
        (lambda m, c: (m, c.assign(class_name="ill")), "two wells of two classes"),
        (lambda m, c: (m, c.assign(class_name="")), "two wells of two classes"),
    ],
)
def test_bad_input(change, words):
    crops = crops_of(n_wells=4, each=3)
    measures, table = change(classes_only(crops), crops)
    with pytest.raises(InvalidInputError, match=words):
        make_probe(measures, table, seed=0)
