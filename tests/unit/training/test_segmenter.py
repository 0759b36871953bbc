"""Training a segmenter: targets, crops, splits, and a tiny U-Net that learns to draw discs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

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
from counterstain.training.segmenter_augment import AugmentSettings, change_light, random_crop
from counterstain.training.segmenter_crops import CropStream
from counterstain.training.segmenter_split import split_by_look
from counterstain.training.segmenter_targets import segmentation_targets

SMALL = AugmentSettings(size=64, zoom=0.1, blur=0.6)


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


@pytest.mark.slow
def test_a_tiny_unet_learns_discs_and_repeats() -> None:
    fields = [labelled_field(*discs(seed)) for seed in range(6)]
    settings = SegmenterSettings(steps=90, minibatch=4, learning_rate=1e-2, augment=SMALL)
    segmenter = UNetSegmenter(
        ["DNA"], widths=(8, 12, 16), seed=0, instances=InstanceSettings(min_area=10)
    )
    done: list[tuple[int, int]] = []
    history = fit_segmenter(segmenter, fields, settings, progress=lambda *at: done.append(at))
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert done[-1] == (90, 90)
    image, labels = discs(99)
    result = mask_agreement(segmenter.instances(image), labels)
    assert result.dice > 0.85
    assert result.precision_at(0.5) > 0.6


def test_training_repeats_with_its_seed() -> None:
    fields = [labelled_field(*discs(0))]
    settings = SegmenterSettings(steps=2, minibatch=2, augment=SMALL)
    weights = []
    for _ in range(2):
        segmenter = UNetSegmenter(["DNA"], widths=(4, 8), seed=0)
        fit_segmenter(segmenter, fields, settings)
        weights.append(segmenter.network.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_bad_input_is_refused() -> None:
    segmenter = UNetSegmenter(["DNA", "FITC"], widths=(4, 8))
    with pytest.raises(InvalidInputError, match="none"):
        fit_segmenter(segmenter, [], SegmenterSettings())
    with pytest.raises(InvalidInputError, match="1 channel"):
        fit_segmenter(segmenter, [labelled_field(*discs(0))], SegmenterSettings())
    with pytest.raises(InvalidInputError, match="integers"):
        labelled_field(np.zeros((1, 4, 4)), np.zeros((4, 4)))
    wild = SegmenterSettings(steps=3, minibatch=1, learning_rate=1e30, augment=SMALL)
    single = UNetSegmenter(["DNA"], widths=(4, 8))
    with pytest.raises(CounterstainError, match="learning_rate"):
        fit_segmenter(single, [labelled_field(*discs(0))], wild)
