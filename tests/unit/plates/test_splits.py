from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from counterstain.errors import InvalidInputError
from counterstain.plates.splits import assign_folds, choose_group, single_group_classes


def wells(classes, plates=1):
    """`classes`: (name, wells a plate) pairs."""
    rows = []
    for plate in range(1, plates + 1):
        number = 0
        for name, n in classes:
            for _ in range(n):
                well = f"{'ABCDEFGH'[number // 12]}{number % 12 + 1:02d}"
                rows.append((f"P{plate}", well, name))
                number += 1
    return pd.DataFrame(rows, columns=["Metadata_Plate", "Metadata_Well", "class_name"])


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("sizes", [(8, 4), (12, 12), (7, 5), (31, 4), (4, 4)])
def test_every_fold_holds_every_class_in_like_parts(sizes, seed):
    table = wells([("a", sizes[0]), ("b", sizes[1]), ("", 9)])
    fold, n_folds = assign_folds(table, "Metadata_Well", 4, seed)
    assert n_folds == 4
    assert (fold[table["class_name"] == ""] == -1).all()
    counts = pd.crosstab(table["class_name"], fold).loc[["a", "b"], range(4)]
    assert (counts.max(axis=1) - counts.min(axis=1) <= 1).all()


def test_repeats_whatever_the_order_of_rows_and_differs_by_seed():
    table = wells([("a", 12), ("b", 12)])
    first = assign_folds(table, "Metadata_Well", 4, 3)[0]
    shuffled = table.sample(frac=1, random_state=1)
    pd.testing.assert_series_equal(
        assign_folds(shuffled, "Metadata_Well", 4, 3)[0].sort_index(), first
    )
    others = [assign_folds(table, "Metadata_Well", 4, seed)[0] for seed in range(4, 8)]
    assert any((other != first).any() for other in others)


def test_one_well_name_on_two_plates_is_two_groups():
    table = wells([("a", 1), ("b", 1)], plates=4)
    fold, n_folds = assign_folds(table, "Metadata_Well", 4, 0)
    assert n_folds == 4
    assert fold[table["class_name"] == "a"].nunique() == 4


@pytest.mark.parametrize("seed", range(5))
def test_plates_and_donors_stay_whole(seed):
    table = wells([("a", 6), ("b", 3)], plates=3)
    table["Metadata_Donor"] = np.tile([1, 2, 3, 4, 5, 1, 2, 3, 4], 3)
    for group, expected in (("Metadata_Plate", 3), ("Metadata_Donor", 3)):
        fold, n_folds = assign_folds(table, group, 4, seed)
        assert n_folds == expected
        assert (fold.groupby(table[group]).nunique() == 1).all()
        for held_out in range(n_folds):
            assert set(table.loc[fold != held_out, "class_name"]) == {"a", "b"}


def test_unusable_wells_get_a_fold_but_do_not_count():
    table = wells([("a", 6), ("b", 6)])
    usable = pd.Series([True] * 3 + [False] * 3 + [True] * 6)
    fold, n_folds = assign_folds(table, "Metadata_Well", 4, 0, usable=usable)
    assert n_folds == 3
    assert fold.between(0, 2).all()
    assert sorted(fold[:3]) == [0, 1, 2]


def test_a_class_with_one_group_is_named():
    with pytest.raises(InvalidInputError, match="Class 'b' has 1 group") as caught:
        assign_folds(wells([("a", 4), ("b", 1)]), "Metadata_Well", 4, 0)
    assert "add wells" in str(caught.value)
    with pytest.raises(InvalidInputError) as caught:
        assign_folds(wells([("a", 4), ("b", 4)]), "Metadata_Plate", 4, 0)
    assert len(caught.value.problems) == 2


def test_a_class_with_one_group_beside_two_others_passes_where_asked():
    wells = pd.DataFrame(
        {
            "Metadata_Plate": "P1",
            "Metadata_Well": [f"A{i:02d}" for i in range(1, 10)],
            "class_name": list("aaaabbbbc"),
        }
    )
    with pytest.raises(InvalidInputError, match="Class 'c' has 1 group"):
        assign_folds(wells, "Metadata_Well", 4, 0)
    fold, n_folds = assign_folds(wells, "Metadata_Well", 4, 0, single=True)
    assert n_folds == 4
    assert (fold.groupby(wells["class_name"]).nunique() == [4, 4, 1]).all()
    assert single_group_classes(wells, "Metadata_Well") == {"c": "P1/A09"}


def test_no_class_at_all_is_refused():
    with pytest.raises(InvalidInputError, match="No well is in any class"):
        assign_folds(wells([("", 4)]), "Metadata_Well", 4, 0)


def test_unknown_column_and_gaps_are_named():
    table = wells([("a", 2), ("b", 2)])
    with pytest.raises(InvalidInputError, match="Metadata_Plate, Metadata_Well"):
        assign_folds(table, "Metadata_Donor", 2, 0)
    table["Metadata_Donor"] = ["x", None, "", "y"]
    with pytest.raises(InvalidInputError, match="P1/A02, P1/A03"):
        assign_folds(table, "Metadata_Donor", 2, 0)


def test_a_plate_without_images_does_not_decide_what_is_held_out():
    wells = pd.DataFrame(
        {
            "Metadata_Plate": list("PPPPQQ"),
            "Metadata_Well": ["A01", "A02", "B01", "B02", "A01", "B01"],
            "class_name": list("aabbab"),
            "n_fields": [1, 1, 1, 1, 0, 0],
        }
    )
    assert choose_group(wells, "auto") == "Metadata_Well"
    assert choose_group(wells.assign(n_fields=1), "auto") == "Metadata_Plate"


def test_donors_go_before_plates_where_every_class_has_several():
    wells = pd.DataFrame(
        {
            "Metadata_Plate": list("PPQQ"),
            "Metadata_Donor": ["d1", "d2", "d1", "d2"],
            "class_name": list("aabb"),
        }
    )
    assert choose_group(wells, "auto") == "Metadata_Donor"
    assert choose_group(wells.assign(Metadata_Donor=["d1", "d1", "d2", "d2"]), "auto") != (
        "Metadata_Donor"
    )
