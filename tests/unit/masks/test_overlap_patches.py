from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.masks.mask_overlap import overlap
from counterstain.masks.overlap_excess import excess_overlap
from counterstain.masks.overlap_faulty import find_debris, without_debris
from counterstain.masks.overlap_patches import FAULTY_STATES, patch_corners, patch_overlaps
from counterstain.masks.thresholds import threshold_mask
from counterstain.plates.simulate.coculture_field import draw_coculture_field

Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]


def masks(seed: int = 0, size: int = 64) -> Masks:
    a, b = np.random.default_rng(seed).random((2, size, size)) < 0.2
    return a, b


def test_corners_cover_a_field_from_edge_to_edge() -> None:
    corners = patch_corners((2048, 2048))
    assert len(corners) == 100
    assert corners.min() == 0
    assert corners.max() == 2048 - 192
    small = patch_corners((200, 200))
    assert len(small) == len(np.unique(small, axis=0)) == 81  # no more than 9 places an edge
    assert patch_corners((192, 192)).tolist() == [[0, 0]]


def test_a_regular_grid_does_not_overlap() -> None:
    assert patch_corners((100, 60), 30, None).tolist() == [
        [0, 0], [0, 30], [30, 0], [30, 30], [60, 0], [60, 30],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("patch", "count", "words"), [(65, 4, "at most the field"), (0, 4, "1 or")]
)
def test_bad_patches_are_refused(patch: int, count: int, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        patch_overlaps(*masks(), patch_px=patch, n_patches=count)


def test_each_patch_agrees_with_overlap_of_its_pixels() -> None:
    a, b = masks()
    table = patch_overlaps(a, b, patch_px=20, n_patches=9)
    assert len(table) == 9
    for row in table.itertuples():
        here = np.s_[row.row_px : row.row_px + 20, row.column_px : row.column_px + 20]
        one, beyond = overlap(a[here], b[here]), excess_overlap(a[here], b[here])
        assert (row.iou, row.dice, row.share_a) == pytest.approx((one.iou, one.dice, one.share_a))
        assert row.iou_above_chance == pytest.approx(beyond.iou_above_chance)
        assert row.state == "contact"


def test_no_contact_is_not_a_fault() -> None:
    a, b = np.zeros((2, 40, 80), bool)
    a[5:15, 5:15], b[20:30, 5:15], a[5:15, 45:55] = True, True, True
    table = patch_overlaps(a, b, patch_px=40, n_patches=None)
    assert table["state"].tolist() == ["no contact", "no contact"]
    assert table["iou"].tolist() == [0.0, 0.0]
    assert table["share_b"].isna().tolist() == [False, True]


def test_faulty_patches_are_named_and_their_overlap_is_0() -> None:
    a, b = np.zeros((2, 40, 120), bool)
    a[5:15, 5:15] = b[5:15, 5:15] = True
    a[5:15, 85:95] = b[5:15, 85:95] = True
    debris = np.zeros_like(a)
    debris[:20, 85:100] = True
    table = patch_overlaps(a, b, patch_px=40, n_patches=None, debris=debris)
    assert table["state"].tolist() == ["contact", "empty", "debris"]
    assert table["iou"].tolist() == [1.0, 0.0, 0.0]
    assert table["iou_above_chance"].isna().tolist() == [False, True, True]
    faulty = patch_overlaps(a, b, patch_px=40, n_patches=None, fault="out_of_focus")
    assert set(faulty["state"]) == {"faulty field"} <= set(FAULTY_STATES)
    assert faulty["iou"].sum() == 0


def test_debris_must_have_the_size_of_the_field() -> None:
    with pytest.raises(InvalidInputError, match="`debris` must be of the size"):
        patch_overlaps(*masks(), patch_px=20, debris=np.zeros((3, 3), bool))


def test_debris_is_found_and_dust_is_not() -> None:
    rng = np.random.default_rng(0)
    image = 100 + rng.normal(0, 3, (2, 96, 96))
    for y in range(4, 80, 16):
        for x in range(4, 80, 16):
            image[:, y : y + 8, x : x + 8] += rng.uniform(200, 300)
    image[0, 50:60, 60:70] += 3000
    image[1, 10:12, 10:12] += 3000  # dust
    found = find_debris(image, halo_px=3)
    assert found[55, 65]
    assert found[48, 65]
    assert not found[10, 10]
    assert found.mean() < 0.04
    clean = without_debris(image, found)
    assert clean[0, 55, 65] == pytest.approx(100, abs=5)
    assert (clean[:, ~found] == image[:, ~found]).all()
    assert not find_debris(clean).any()
    assert without_debris(clean, np.zeros((96, 96), bool)) is clean
    assert not find_debris(np.zeros((1, 96, 96))).any()


def test_lumps_of_debris_do_not_cost_the_cells() -> None:
    for seed in range(30):
        drawn = draw_coculture_field(
            np.random.default_rng(seed), contact_rate=0.4, size=256, faulty_patch=True
        )
        if drawn.faulty_patch is None or drawn.faulty_patch.kind != "debris":
            continue
        debris = find_debris(drawn.pixels)
        assert debris[int(drawn.faulty_patch.y), int(drawn.faulty_patch.x)]
        found = [threshold_mask(plane) for plane in without_debris(drawn.pixels, debris)]
        true = (drawn.labels > 0) & ~debris
        assert overlap(*found).iou == pytest.approx(overlap(*true).iou, abs=0.03)
        return
    pytest.fail("no debris in 30 fields")


def test_cells_alone_are_no_debris() -> None:
    for seed in range(5):
        drawn = draw_coculture_field(np.random.default_rng(seed), contact_rate=0.4, size=256)
        assert find_debris(drawn.pixels).mean() < 0.01


def test_debris_of_bad_input_is_refused() -> None:
    image = np.zeros((2, 8, 8))
    with pytest.raises(InvalidInputError, match="image\\[None\\]"):
        find_debris(image[0])
    with pytest.raises(InvalidInputError, match="above 1"):
        find_debris(image, brightness=1)
    with pytest.raises(InvalidInputError, match="fill such pixels"):
        find_debris(image * np.nan)
    with pytest.raises(InvalidInputError, match="of the same image"):
        without_debris(image, np.zeros((3, 3), bool))
