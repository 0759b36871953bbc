"""Votes for centres: touching cells, broken cells, scattered votes."""

from __future__ import annotations

import numpy as np
import pytest

from counterstain.masks.agreement import mask_agreement
from counterstain.masks.centre_votes import heaps_of_votes
from counterstain.masks.instances import RADIUS, InstanceSettings, instances_from_maps
from counterstain.training.segmenter_targets import centre_offsets, segmentation_targets


def crowded(seed: int = 0) -> np.ndarray:
    """Discs that touch and overlap, later ones on top."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((220, 240), np.int32)
    y, x = np.indices(labels.shape)
    for number in range(1, 60):
        cy, cx = rng.uniform(0, 220), rng.uniform(0, 240)
        labels[np.hypot(y - cy, 1.3 * (x - cx)) < rng.uniform(8, 14)] = number
    return labels


def maps_of(labels: np.ndarray, scale: float = 1.0, noise: float = 0.0) -> np.ndarray:
    drawn = centre_offsets(labels, RADIUS / scale)
    drawn += np.random.default_rng(1).normal(0, noise, drawn.shape).astype(np.float32)
    return np.concatenate([segmentation_targets(labels), drawn])


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_true_maps_give_nearly_all_cells_back_however_they_touch(noise: float) -> None:
    labels = crowded()
    found = instances_from_maps(maps_of(labels, noise=noise))
    assert mask_agreement(found, labels).precision_at(0.5) > 0.9
    joined = instances_from_maps(maps_of((labels > 0).astype(np.int32)))
    assert mask_agreement(joined, labels).precision_at(0.5) < 0.1


def test_sizes_go_with_the_magnification() -> None:
    labels = crowded()
    large = labels.repeat(2, axis=0).repeat(2, axis=1)
    found = instances_from_maps(maps_of(large, scale=0.5), scale=0.5)
    assert mask_agreement(found, large).precision_at(0.5) > 0.9


def test_a_shallow_pass_does_not_break_a_cell() -> None:
    votes = np.zeros((30, 40))
    votes[15, 14:26] = [9, 8, 7, 7, 6, 6, 6, 7, 8, 8, 9, 9]
    assert len(np.unique(heaps_of_votes(votes, 1.0, 5.0, saddle=0.5))) == 2
    assert len(np.unique(heaps_of_votes(votes, 1.0, 5.0, saddle=0.95))) == 3
    assert not heaps_of_votes(votes, 1.0, 1000.0, saddle=0.5).any()


def test_votes_that_fall_beside_every_heap_go_to_the_nearest() -> None:
    labels = np.zeros((40, 60), np.int32)
    labels[10:30, 5:25], labels[10:30, 35:55] = 1, 2
    maps = maps_of(labels)
    maps[3, 12:14, 6:8] += 7 / RADIUS  # to the right of its own centre, short of the other
    found = instances_from_maps(maps, InstanceSettings())
    np.testing.assert_array_equal(found, labels)
