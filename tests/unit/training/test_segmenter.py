"""Training a segmenter: targets, crops, splits, and a tiny U-Net that learns to draw discs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from counterstain.errors import CounterstainError, InvalidInputError
from counterstain.masks.agreement import mask_agreement
from counterstain.masks.instances import InstanceSettings
from counterstain.masks.unet import UNetSegmenter
from counterstain.training.segmenter import (
    SegmenterLoss,
    SegmenterSettings,
    fit_segmenter,
    labelled_field,
)
from counterstain.training.segmenter_augment import (
    AugmentSettings,
    change_light,
    dim_objects,
    random_crop,
)
from counterstain.training.segmenter_crops import CropStream
from counterstain.training.segmenter_split import split_by_look
from counterstain.training.segmenter_targets import (
    centre_offsets,
    contact_pixels,
    contact_weights,
    segmentation_targets,
)

SMALL = AugmentSettings(size=64, zoom=0.1, wide_share=0.0, blur=0.6)
WIDTHS = (4, 4, 8, 8, 8)


def discs(seed: int, edge: int = 64, channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:edge, :edge]
    labels = np.zeros((edge, edge), np.int32)
    for number in range(1, 9):
        cy, cx = rng.uniform(4, edge - 4, 2)
        disc = np.hypot(y - cy, x - cx) < rng.uniform(5, 8)
        if not labels[disc].any():
            labels[disc] = number
    image = np.zeros((channels, edge, edge), np.float32)
    image[0] = 100 + 500 * (labels > 0) + rng.normal(0, 20, labels.shape)
    return image, labels


def test_touching_objects_have_an_edge_between_them() -> None:
    labels = np.zeros((9, 12), np.int32)
    labels[1:8, 1:6], labels[1:8, 6:11] = 1, 2
    foreground, distance = segmentation_targets(labels)
    np.testing.assert_array_equal(foreground, labels > 0)
    assert distance[4, 3] == distance[4, 8] == 1
    assert distance[4, 5] == distance[4, 6] < 0.5
    assert not distance[labels == 0].any()


def test_the_way_to_the_centre_ends_in_the_centre_of_the_own_object() -> None:
    labels = np.zeros((9, 12), np.int32)
    labels[1:8, 1:6], labels[1:8, 6:11] = 1, 2
    down, right = centre_offsets(labels, radius=2.0)
    rows, columns = np.indices(labels.shape)
    assert set((rows + 2 * down)[labels > 0]) == {4.0}
    assert set((columns + 2 * right)[labels == 1]) == {3.0}
    assert set((columns + 2 * right)[labels == 2]) == {8.0}
    assert not down[labels == 0].any()


def test_places_between_objects_weigh_more_and_edges_alone_do_not() -> None:
    labels = np.zeros((30, 30), np.int32)
    labels[2:12, 2:12], labels[2:12, 14:24], labels[20:28, 2:12] = 1, 2, 3
    weights = contact_weights(labels)
    assert weights[7, 12] == weights[7, 11] == weights[7, 14] > 1
    assert weights[7, 7] == weights[7, 24] == weights[16, 7] == 1
    assert (contact_weights(np.ones((9, 9), np.uint16)) == 1).all()


def test_an_empty_field_is_a_target_too() -> None:
    assert not segmentation_targets(np.zeros((4, 4), np.uint16)).any()
    with pytest.raises(InvalidInputError, match="integers"):
        segmentation_targets(np.zeros((4, 4)))


def test_crops_keep_image_and_labels_together_and_empty_channels_empty() -> None:
    field = labelled_field(*discs(0, 96, channels=2))
    generator = np.random.default_rng(0)
    for _ in range(5):
        image, labels = random_crop(field, SMALL, generator)
        assert image.shape == (2, 64, 64)
        inside, outside = image[0][labels > 0], image[0][labels == 0]
        assert inside.mean() > outside.mean() + 0.3
        assert not change_light(image, SMALL, generator)[1].any()


def test_dimmed_objects_keep_their_place_and_the_background_its_light() -> None:
    field = labelled_field(*discs(0, 96, channels=2))
    image, labels = random_crop(field, SMALL, np.random.default_rng(0))
    far = ndimage.distance_transform_edt(labels == 0) > 8
    inside = ndimage.distance_transform_edt(labels > 0) > 3
    changes = []
    for seed in range(6):
        dimmed = dim_objects(image, labels, SMALL, np.random.default_rng(seed))
        np.testing.assert_allclose(dimmed[0][far], image[0][far], rtol=1e-5)
        np.testing.assert_array_equal(dimmed[1], image[1])
        changes.append(dimmed[0][inside] / image[0][inside])
    assert np.min(changes) < 0.7
    assert np.max(changes) < 1.001


def test_a_stream_repeats_and_refuses_unknown_groups() -> None:
    fields = [labelled_field(*discs(seed, channels=2), group="a") for seed in range(3)]
    shares = {"a": 1.0, "effectors": 1.0}
    first = CropStream(fields, SMALL, shares, 4, seed=1).draw()
    second = CropStream(fields, SMALL, shares, 4, seed=1).draw()
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert first[0][:, 1].amax(dim=(1, 2)).gt(0).any()
    with pytest.raises(InvalidInputError, match="shares"):
        CropStream(fields, SMALL, {"b": 1.0}, 4, seed=1)
    lone = [labelled_field(*discs(0), group="a")]
    with pytest.raises(InvalidInputError, match="effectors"):
        CropStream(lone, SMALL, {"effectors": 1.0}, 4, seed=1)


def test_no_image_is_near_one_that_is_held_back() -> None:
    rng = np.random.default_rng(0)
    sizes = [(256, 256)] * 60 + [(360, 360)] * 30 + [(520, 696)]
    look = rng.uniform(5, 15, len(sizes))
    split = split_by_look(sizes, look, seed=0)
    parts = [split.train, split.validation, split.test, split.left_out]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(sizes)))
    assert 12 <= len(split.test) <= 25
    by_size = {size: sum(sizes[i] == size for i in split.validation) for size in set(sizes)}
    assert min(by_size[256, 256], by_size[360, 360]) > 0
    for train, held in (
        (split.train, np.union1d(split.validation, split.test)),
        (split.validation, split.test),
    ):
        for i in train:
            same = [j for j in held if sizes[j] == sizes[i]]
            assert all(abs(look[i] - look[j]) > 0.01 * look[i] * 0.99 for j in same)
    with pytest.raises(InvalidInputError, match="share"):
        split_by_look(sizes, look, seed=0, test_share=1.0)
    with pytest.raises(InvalidInputError, match="mean_intensity"):
        split_by_look(sizes, look[:3], seed=0)


def test_loss_is_least_at_the_truth() -> None:
    truth = torch.tensor([0.0, 0.3, 1.0]).expand(1, 2, 3, 3).clone()
    truth[:, 0] = (truth[:, 0] > 0).float()
    loss = SegmenterLoss()
    right = torch.logit(truth.clamp(1e-4, 1 - 1e-4))
    assert loss(right, truth) < 0.01
    assert loss(right + 1.0, truth) > loss(right, truth)


@pytest.mark.parametrize(("channel", "error"), [(1, 3.0), (3, 2.0)])
def test_loss_counts_weighed_places_more(channel: int, error: float) -> None:
    truth = torch.zeros(1, 5, 4, 4)
    truth[:, 0], truth[:, 4] = 1, 1
    truth[:, 4, :2] = 8
    right = torch.zeros(1, 4, 4, 4)
    right[:, 0], right[:, 1] = 9, -9
    wrong = [right.clone() for _ in range(2)]
    wrong[0][:, channel, 0], wrong[1][:, channel, 3] = error, error
    loss = SegmenterLoss()
    beyond = [float(loss(each, truth) - loss(right, truth)) for each in wrong]
    assert beyond[0] > 5 * beyond[1] > 0


def test_the_way_to_the_centre_counts_within_objects_only() -> None:
    truth = torch.zeros(1, 4, 4, 4)
    truth[:, 0, :2] = 1
    right = torch.zeros(1, 4, 4, 4)
    wrong = [right.clone() for _ in range(2)]
    wrong[0][:, 2, 0], wrong[1][:, 2, 3] = 1.0, 1.0
    loss = SegmenterLoss()
    assert loss(wrong[0], truth) > loss(wrong[1], truth) == loss(right, truth)


def test_most_crops_hold_an_object_of_a_sparse_field() -> None:
    image, labels = np.zeros((1, 400, 400)), np.zeros((400, 400), np.int32)
    labels[300:310, 300:310] = 1
    field = labelled_field(image, labels)
    generator = np.random.default_rng(0)
    near = replace(SMALL, near_object=0.75)
    hits = sum(bool(random_crop(field, near, generator)[1].any()) for _ in range(60))
    assert hits > 30


def test_a_speck_is_in_as_many_crops_as_a_large_object() -> None:
    image, labels = np.zeros((1, 500, 500)), np.zeros((500, 500), np.int32)
    labels[20:150, 20:150] = 1
    labels[400:403, 400:403] = 2
    field = labelled_field(image, labels)
    generator = np.random.default_rng(0)
    settings = replace(SMALL, near_object=1.0, near_contact=0.0)
    crops = [random_crop(field, settings, generator)[1] for _ in range(60)]
    assert sum(2 in crop for crop in crops) > 15
    assert sum(1 in crop for crop in crops) > 15


def test_many_crops_hold_the_one_place_where_objects_touch() -> None:
    image, labels = np.zeros((1, 500, 500)), np.zeros((500, 500), np.int32)
    for number, (row, column) in enumerate(np.ndindex(10, 10), start=1):
        labels[50 * row + 5 : 50 * row + 25, 50 * column + 5 : 50 * column + 25] = number
    labels[205:225, 225:245] = 101  # at its left neighbour's edge
    field = labelled_field(image, labels)
    field = replace(field, contacts=contact_pixels(field.labels))
    rows, columns = np.unravel_index(field.contacts, labels.shape)
    assert set(np.unique(labels[rows, columns])) - {0} == {45, 101}
    shares = []
    for near_contact in (0.0, 1.0):
        settings = replace(SMALL, near_object=1.0, near_contact=near_contact)
        generator = np.random.default_rng(0)
        crops = [random_crop(field, settings, generator)[1] for _ in range(60)]
        shares.append(np.mean([bool(contact_pixels(crop).size) for crop in crops]))
    assert shares[0] < 0.15
    assert shares[1] > 0.85


@pytest.mark.slow
def test_a_tiny_unet_learns_discs_and_repeats() -> None:
    fields = [labelled_field(*discs(seed)) for seed in range(6)]
    settings = SegmenterSettings(steps=160, minibatch=4, learning_rate=1e-2, augment=SMALL)
    segmenter = UNetSegmenter(
        ["DNA"],
        widths=(8, 12, 16, 16, 16),
        seed=0,
        scale=1.0,
        instances=InstanceSettings(min_area=10),
    )
    done: list[tuple[int, int]] = []
    history = fit_segmenter(segmenter, fields, settings, progress=lambda *at: done.append(at))
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert done[-1] == (160, 160)
    image, labels = discs(99)
    result = mask_agreement(segmenter.instances(image), labels)
    assert result.dice > 0.85
    assert result.precision_at(0.5) > 0.6


def test_training_repeats_with_its_seed() -> None:
    fields = [labelled_field(*discs(0))]
    settings = SegmenterSettings(steps=2, minibatch=2, augment=SMALL)
    weights = []
    for _ in range(2):
        segmenter = UNetSegmenter(["DNA"], widths=WIDTHS, seed=0)
        fit_segmenter(segmenter, fields, settings)
        weights.append(segmenter.network.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_bad_input_is_refused() -> None:
    segmenter = UNetSegmenter(["DNA", "FITC"], widths=WIDTHS)
    with pytest.raises(InvalidInputError, match="none"):
        fit_segmenter(segmenter, [], SegmenterSettings())
    with pytest.raises(InvalidInputError, match="1 channel"):
        fit_segmenter(segmenter, [labelled_field(*discs(0))], SegmenterSettings())
    with pytest.raises(InvalidInputError, match="integers"):
        labelled_field(np.zeros((1, 4, 4)), np.zeros((4, 4)))
    wild = SegmenterSettings(steps=3, minibatch=1, learning_rate=1e30, augment=SMALL)
    single = UNetSegmenter(["DNA"], widths=WIDTHS)
    with pytest.raises(CounterstainError, match="learning_rate"):
        fit_segmenter(single, [labelled_field(*discs(0))], wild)
