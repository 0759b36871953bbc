"""Label images from other programs: found, checked, counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from counterstain.errors import InvalidInputError, MissingFileError, UnreadableImageError
from counterstain.masks.label_import import import_labels, read_labels

PATTERN = "{plate}_{well}_s{site}_{channel}_cp_masks.tif"


def write(folder: Path, name: str, labels: np.ndarray) -> Path:
    path = folder / name
    tifffile.imwrite(path, labels)
    return path


def labels(*numbers: int) -> np.ndarray:
    out = np.zeros((6, 8), np.uint16)
    for position, number in enumerate(numbers):
        out[2, 2 * position] = number
    return out


def fields(*wells: str, height: int = 6) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Metadata_Plate": "P1",
            "Metadata_Well": list(wells),
            "Metadata_Site": 1,
            "height": height,
            "width": 8,
        }
    )


def test_files_are_found_by_pattern_and_counted(tmp_path: Path) -> None:
    write(tmp_path, "P1_A01_s1_FITC_cp_masks.tif", labels(1, 7))
    write(tmp_path, "P1_A02_s1_FITC_cp_masks.tif", labels())
    write(tmp_path, "other.tif", labels(1))
    found = import_labels(tmp_path, PATTERN, fields=fields("A01", "A02", "A03"))
    assert found.table["Metadata_Well"].tolist() == ["A01", "A02", "A03"]
    assert found.table["n_objects"].tolist() == [2, 0, -1]
    assert (found.n_empty, found.n_missing) == (1, 1)
    assert found.table["channel"].tolist() == ["FITC", "FITC", ""]
    assert len(found.notes) == 3
    assert "other.tif" in found.notes[0]
    assert "P1_A02_s1_FITC_cp_masks.tif" in found.notes[1]


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    write(tmp_path, "P1_A01_s1_FITC_cp_masks.tif", labels(1).astype(np.float32) + 0.25)
    write(tmp_path, "P1_A02_s1_FITC_cp_masks.tif", np.zeros((3, 3), np.uint16))
    write(tmp_path, "P1_H12_s1_FITC_cp_masks.tif", labels(1))
    (tmp_path / "P1_A03_s1_FITC_cp_masks.tif").write_bytes(b"II*\0no image")
    with pytest.raises(InvalidInputError) as error:
        import_labels(tmp_path, PATTERN, fields=fields("A01", "A02", "A03"))
    assert len(error.value.problems) == 4
    text = str(error.value)
    for part in ("whole numbers", "3 x 3", "not imaged", "P1_A03"):
        assert part in text


def test_two_files_for_one_field_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, "P1_A01_s1_FITC_cp_masks.tif", labels(1))
    with pytest.raises(InvalidInputError, match="same field and channel"):
        import_labels(tmp_path, PATTERN)


def test_the_plate_is_taken_from_the_argument_where_names_hold_none(tmp_path: Path) -> None:
    write(tmp_path, "A01_labels.tif", labels(2))
    found = import_labels(tmp_path, "{well}_labels.tif", plate="P9")
    assert found.table.loc[0, ["Metadata_Plate", "Metadata_Site", "n_objects"]].tolist() == [
        "P9",
        1,
        1,
    ]


def test_whole_numbers_as_floats_are_labels(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tif", labels(3, 4).astype(np.float32))
    np.testing.assert_array_equal(read_labels(path), labels(3, 4))


@pytest.mark.parametrize("bad", [np.nan, 0.5, -1.0])
def test_floats_that_are_no_labels_are_refused(tmp_path: Path, bad: float) -> None:
    image = labels(1).astype(np.float32)
    image[0, 0] = bad
    with pytest.raises(InvalidInputError, match="numbers"):
        read_labels(write(tmp_path, "a.tif", image))


def test_size_colour_and_absence_are_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="6 x 8"):
        read_labels(write(tmp_path, "a.tif", labels(1)), size=(12, 16))
    colour = tmp_path / "rgb.tif"
    tifffile.imwrite(colour, np.zeros((6, 8, 3), np.uint8), photometric="rgb")
    with pytest.raises(UnreadableImageError, match="one plane"):
        read_labels(colour)
    with pytest.raises(MissingFileError):
        read_labels(tmp_path / "none.tif")
    with pytest.raises(MissingFileError):
        import_labels(tmp_path / "nowhere", PATTERN)


def test_nothing_that_fits_names_a_file(tmp_path: Path) -> None:
    write(tmp_path, "plate_x.tif", labels(1))
    with pytest.raises(InvalidInputError, match=r"plate_x\.tif"):
        import_labels(tmp_path, PATTERN)


def test_fields_need_their_columns(tmp_path: Path) -> None:
    write(tmp_path, "P1_A01_s1_FITC_cp_masks.tif", labels(1))
    with pytest.raises(InvalidInputError, match="height"):
        import_labels(tmp_path, PATTERN, fields=fields("A01").drop(columns="height"))
