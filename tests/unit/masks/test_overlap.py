from __future__ import annotations

import math

import numpy as np
import pytest

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.masks.mask_overlap import overlap


def test_two_squares_by_hand() -> None:
    a, b = np.zeros((2, 10, 10), bool)
    a[2:6, 2:6] = b[4:8, 4:8] = True
    found = overlap(a, b)
    assert found.iou == pytest.approx(1 / 7)
    assert found.dice == 0.25
    assert (found.share_a, found.share_b) == (0.25, 0.25)
    assert (found.area_a, found.area_b, found.intersection, found.union) == (16, 16, 4, 28)
    assert found.reason == ""


def test_labels_count_as_masks() -> None:
    labels = np.array([[0, 3, 7]], np.uint16)
    assert overlap(labels, labels > 3).iou == 0.5


def test_two_empty_masks_have_no_iou() -> None:
    empty = np.zeros((4, 4), bool)
    with pytest.warns(UndefinedStatisticWarning, match="both masks are empty"):
        found = overlap(empty, empty)
    assert math.isnan(found.iou)
    assert math.isnan(found.dice)
    assert found.to_json()["iou"] is None
    assert found.reason == "both masks are empty"


def test_one_empty_mask_has_an_iou_of_0_and_no_share() -> None:
    a, b = np.zeros((2, 4, 4), bool)
    b[0, 0] = True
    with pytest.warns(UndefinedStatisticWarning, match="mask_a is empty"):
        found = overlap(a, b)
    assert (found.iou, found.share_b) == (0.0, 0.0)
    assert math.isnan(found.share_a)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (np.zeros((4, 4), bool), np.zeros((4, 5), bool), "size of `mask_a`"),
        (np.zeros((4, 4)), np.zeros((4, 4), bool), "bool or whole numbers"),
        (np.zeros((1, 4, 4), bool), np.zeros((4, 4), bool), "one image"),
        (np.zeros((4, 4), bool), np.full((4, 4), -1), "positive labels"),
        (np.zeros((0, 4), bool), np.zeros((0, 4), bool), "at least one pixel"),
    ],
)
def test_bad_masks_are_refused(a: np.ndarray, b: np.ndarray, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        overlap(a, b)
