"""Mask quality: hand-computed values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from counterstain.errors import InvalidInputError
from counterstain.masks.agreement import (
    IOU_LEVELS,
    dice,
    iou,
    mask_agreement,
    mean_agreement,
)


def square(*corners: tuple[int, int], edge: int = 4, size: int = 10) -> np.ndarray:
    out = np.zeros((size, size), np.int32)
    for number, (y, x) in enumerate(corners, start=1):
        out[y : y + edge, x : x + edge] = number
    return out


def test_reference_values() -> None:
    a, b = square((2, 2)), square((4, 4))
    assert iou(a, b).value == pytest.approx(1 / 7)
    assert dice(a, b).value == pytest.approx(0.25)


def test_two_empty_masks_have_no_overlap_but_a_reason() -> None:
    empty = np.zeros((10, 10), bool)
    for result in (iou(empty, empty), dice(empty, empty)):
        assert math.isnan(result.value)
        assert result.reason == "both masks are empty"
    whole = mask_agreement(empty.astype(int), empty.astype(int))
    assert math.isnan(whole.iou)
    assert math.isnan(whole.precision_at(0.5))
    assert whole.reason == "both masks are empty"
    assert whole.count_error == 0


def test_one_empty_mask_is_complete_disagreement() -> None:
    result = mask_agreement(np.zeros((10, 10), int), square((2, 2)))
    assert (result.iou, result.dice, result.precision_at(0.5)) == (0.0, 0.0, 0.0)
    assert (result.missed[0], result.spurious[0], result.count_error) == (1, 0, -1)


def test_average_precision_counts_found_spurious_and_missed() -> None:
    truth = square((0, 0), (0, 6), (6, 0))
    found = square((0, 0), (1, 6), (6, 6))  # exact; IoU 12/20; nowhere
    result = mask_agreement(found, truth)
    assert result.levels == IOU_LEVELS
    assert result.precision_at(0.5) == pytest.approx(2 / 4)
    assert result.precision_at(0.6) == pytest.approx(2 / 4)
    assert result.precision_at(0.65) == pytest.approx(1 / 5)
    assert (result.found[0], result.spurious[0], result.missed[0]) == (2, 1, 1)


def test_an_object_that_covers_two_is_found_once() -> None:
    truth = np.array([[1, 1, 1, 1, 2, 2, 2, 2]])
    merged = np.ones((1, 8), int)
    assert mask_agreement(merged, truth, (0.5,)).found == (1,)
    assert mask_agreement(truth, merged, (0.5,)).found == (1,)


def test_numbers_and_gaps_of_labels_do_not_matter() -> None:
    truth = square((0, 0), (5, 5))
    other = np.where(truth == 1, 900, np.where(truth == 2, 7, 0))
    assert mask_agreement(other, truth).average_precision == (1.0,) * 10


def test_means_leave_empty_fields_out_and_count_them() -> None:
    truth, empty = square((0, 0), (5, 5)), np.zeros((10, 10), int)
    fields = [
        mask_agreement(truth, truth),
        mask_agreement(square((0, 0)), truth),
        mask_agreement(empty, empty),
    ]
    mean = mean_agreement(fields)
    assert (mean["fields"], mean["empty_fields"]) == (3, 1)
    assert mean["average_precision"] == pytest.approx(0.75)
    assert mean["pooled_average_precision"] == pytest.approx(3 / 4)
    assert mean["count_error"] == pytest.approx(-0.5)
    assert math.isnan(mean_agreement([])["dice"])


def test_bad_input_is_refused_in_words() -> None:
    truth = square((2, 2))
    with pytest.raises(InvalidInputError, match="one shape"):
        mask_agreement(truth[:5], truth)
    with pytest.raises(InvalidInputError, match="whole numbers"):
        mask_agreement(truth * 0.3, truth)
    with pytest.raises(InvalidInputError, match="from 0 on"):
        mask_agreement(-truth, truth)
    with pytest.raises(InvalidInputError, match="levels"):
        mask_agreement(truth, truth, (0.0,))
    with pytest.raises(InvalidInputError, match="level"):
        mask_agreement(truth, truth).precision_at(0.42)
    with pytest.raises(InvalidInputError, match="H, W"):
        mask_agreement(truth[None], truth)
