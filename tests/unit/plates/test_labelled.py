"""Labelled crops: a folder a class, the group in the file name."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from counterstain.errors import InvalidInputError, MissingFileError, UnreadableImageError
from counterstain.plates.labelled import read_labelled_crops

DATA = Path(
    os.environ.get("COUNTERSTAIN_DATA", Path(__file__).parents[3].parent / "shared" / "data")
)
GROUP = r"(.+?)_"


def folder(root: Path, names: list[str], size: int = 8, dtype=np.uint8) -> Path:
    for value, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, np.full((size, size), value + 1, dtype))
    return root


FOUR = ["b/P1_x.tif", "b/P2_x.tif", "a/P1_y.tif", "a/P2_y.tif"]


def test_crops_classes_and_groups_in_a_fixed_order(tmp_path: Path) -> None:
    crops = read_labelled_crops(folder(tmp_path, FOUR), GROUP)
    assert crops.class_names == ("a", "b")
    assert crops.classes.tolist() == [0, 0, 1, 1]
    assert crops.groups.tolist() == ["P1", "P2", "P1", "P2"]
    assert crops.group_index.tolist() == [0, 1, 0, 1]
    assert crops.pixels[:, 0, 0, 0].tolist() == [3, 4, 1, 2]
    assert crops.scaled([1]).max() == pytest.approx(4 / 255)
    assert crops.count_step([0, 1]) == pytest.approx(np.full((2, 1), 1 / 255))
    assert crops.notes == ()


def test_a_class_of_one_group_is_kept_and_noted(tmp_path: Path) -> None:
    crops = read_labelled_crops(folder(tmp_path, [*FOUR, "c/P2_z.tif"]), GROUP)
    assert crops.single_group_classes == ("c",)
    assert "'c' is in one group only (P2)" in crops.notes[0]
    assert read_labelled_crops(tmp_path, GROUP, leave_out=["c"]).class_names == ("a", "b")


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    folder(tmp_path, FOUR)
    (tmp_path / "a" / "notes.txt").write_text("x", encoding="utf-8")
    (tmp_path / "LICENSE").write_text("x", encoding="utf-8")
    assert len(read_labelled_crops(tmp_path, GROUP)) == 4


def test_all_unreadable_files_at_once(tmp_path: Path) -> None:
    folder(tmp_path, FOUR)
    for name in ("a/P1_y.tif", "b/P2_x.tif"):
        (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(UnreadableImageError) as caught:
        read_labelled_crops(tmp_path, GROUP)
    assert len(caught.value.problems) == 2


def test_mixed_sizes_and_dtypes_name_a_file(tmp_path: Path) -> None:
    folder(tmp_path, FOUR)
    tifffile.imwrite(tmp_path / "a" / "P3_y.tif", np.zeros((9, 8), np.uint8))
    with pytest.raises(InvalidInputError, match=r"8 x 8 px.*P3_y.tif \(9 x 8 px"):
        read_labelled_crops(tmp_path, GROUP)
    tifffile.imwrite(tmp_path / "a" / "P3_y.tif", np.zeros((8, 8), np.uint16))
    with pytest.raises(InvalidInputError, match="uint16"):
        read_labelled_crops(tmp_path, GROUP)


@pytest.mark.parametrize(
    ("group", "match"),
    [
        ("(", "regular expression"),
        (".+", "bracket"),
        (r"(Q\d)_", r"does not fit 4 of 4.*P1_y.tif"),
        (r"(P)\d", "two groups apart"),
    ],
)
def test_bad_patterns_are_named(group, match, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=match):
        read_labelled_crops(folder(tmp_path, FOUR), group)


def test_bad_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="there is none"):
        read_labelled_crops(tmp_path / "nowhere", GROUP)
    with pytest.raises(InvalidInputError, match="two subfolders"):
        read_labelled_crops(folder(tmp_path, ["a/P1_x.tif"]), GROUP)
    with pytest.raises(InvalidInputError, match=r"leave_out.*got z"):
        read_labelled_crops(tmp_path, GROUP, leave_out=["z"])


@pytest.mark.skipif(
    not (DATA / "mitocheck").is_dir(), reason="no MitoCheck crops (COUNTERSTAIN_DATA)"
)
def test_mitocheck_crops_have_fifteen_phenotypes_and_whole_plates() -> None:
    crops = read_labelled_crops(DATA / "mitocheck", r"(.+?)___", leave_out=["OutOfFocus"])
    assert crops.pixels.shape == (2012, 1, 64, 64)
    assert len(crops.class_names) == 15
    assert not crops.single_group_classes
