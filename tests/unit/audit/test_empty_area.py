"""The empty-area audit: cells or background, on images made for the one or the other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from counterstain.audit.empty_area import empty_area_audit
from counterstain.audit.empty_images import remove_cells, swap_backgrounds
from counterstain.audit.empty_look import EmptyAreaLook, look_without_cells
from counterstain.errors import InvalidInputError

N, SIDE = 48, 16


def images_and_cells(seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    cells = np.zeros((N, SIDE, SIDE), bool)
    cells[:, 5:11, 5:11] = True
    images = rng.normal(0.1, 0.01, (N, 1, SIDE, SIDE)).astype(np.float32)
    images[:, 0][cells] += 0.4
    return images, cells


def classes_and_wells() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    wells = np.repeat(np.arange(12), 4)
    return (wells % 2).astype(np.int64), wells


def judged(images: NDArray[np.float32], cells: NDArray[np.bool_], place: str) -> str:
    """Judge a network that reads the mean of the cells' place, or of the corner."""
    area = np.s_[:, :, 5:11, 5:11] if place == "cell" else np.s_[:, :, :3, :3]
    middle = 0.6 if place == "cell" else 0.3

    def logits(x: torch.Tensor) -> torch.Tensor:
        odds = 20 * (x[area].mean((1, 2, 3)) - middle)
        return torch.stack([-odds, odds], 1)

    look = look_without_cells(logits, images, cells, cells, *classes_and_wells(), seed=0)
    return empty_area_audit(look, seed=0).status


def test_a_network_that_reads_cells_is_green() -> None:
    images, cells = images_and_cells()
    classes, _ = classes_and_wells()
    images[:, 0][cells & (classes == 1)[:, None, None]] += 0.3
    assert judged(images, cells, "cell") == "green"


def test_a_network_that_reads_a_tag_is_red() -> None:
    images, cells = images_and_cells()
    classes, _ = classes_and_wells()
    images[classes == 1, :, :3, :3] += 0.6
    # The fill draws from empty pixels, of which the tag's are some; its place is what is read.
    assert judged(images, cells, "corner") == "red"


def test_shares_of_maps_are_judged_against_the_area() -> None:
    classes, wells = classes_and_wells()
    sure = np.where(classes[:, None] == [0, 1], 3.0, -3.0)
    none = np.zeros((N, 2))
    look = EmptyAreaLook(classes, wells, 1 - classes, sure, none, none, sure)
    rng = np.random.default_rng(0)
    area = np.full(N, 0.5)
    inside, outside = rng.uniform(0.8, 0.9, N), rng.uniform(0.2, 0.3, N)
    good = {"a": (inside, area, wells), "b": (inside, area, wells)}
    mixed = {"a": (inside, area, wells), "b": (outside, area, wells)}
    bad = {"a": (outside, area, wells)}
    found = [empty_area_audit(look, seed=0, shares=s).status for s in (good, mixed, bad)]
    assert found == ["green", "amber", "red"]


def test_maps_without_any_share_are_not_judged() -> None:
    classes, wells = classes_and_wells()
    sure = np.where(classes[:, None] == [0, 1], 3.0, -3.0)
    none = np.zeros((N, 2))
    look = EmptyAreaLook(classes, wells, 1 - classes, sure, none, none, sure)
    shares = {"flat": (np.full(N, np.nan), np.full(N, 0.5), wells)}
    verdict = empty_area_audit(look, seed=0, shares=shares)
    assert verdict.status == "green"
    assert "unknown" in [check.status for check in verdict.checks]


def test_three_classes_are_judged_alike() -> None:
    wells = np.arange(18)
    classes = (wells % 3).astype(np.int64)
    sure = np.where(np.arange(3) == classes[:, None], 3.0, 0.0)
    none = np.zeros((18, 3))
    clean = EmptyAreaLook(classes, wells, (classes + 1) % 3, sure, none, none, sure)
    leaking = EmptyAreaLook(
        classes, wells, (classes + 1) % 3, sure, sure, sure, np.roll(sure, 1, 1)
    )
    assert empty_area_audit(clean, seed=0).status == "green"
    assert empty_area_audit(leaking, seed=0).status == "red"


def test_removed_pixels_come_from_the_same_image() -> None:
    images, cells = images_and_cells()
    bare = remove_cells(images, cells, ~cells, np.random.default_rng(0))
    assert bare.max() < 0.2
    assert (bare[:, 0][~cells] == images[:, 0][~cells]).all()
    everything = np.ones_like(cells)
    assert np.isnan(remove_cells(images, everything, ~everything, np.random.default_rng(0))).all()


def test_swapped_images_keep_cells_and_nothing_else() -> None:
    images, cells = images_and_cells()
    mixed = swap_backgrounds(images, cells, np.zeros_like(images))
    assert (mixed[:, 0][cells] == images[:, 0][cells]).all()
    assert (mixed[:, 0][~cells] == 0).all()


def test_dense_crops_are_left_out_and_counted() -> None:
    images, cells = images_and_cells()
    cells[:8] = True
    classes, wells = classes_and_wells()
    look = look_without_cells(
        lambda x: torch.zeros(len(x), 2), images, cells, cells, classes, wells, seed=0
    )
    assert look.n_without_empty == 8
    assert len(look.classes) == N - 8


@pytest.mark.parametrize(("change", "words"), [("none", "some cell"), ("all", "too dense")])
def test_images_without_cells_or_without_empty_places_are_refused(change: str, words: str) -> None:
    images, cells = images_and_cells()
    cells[:] = change == "all"
    with pytest.raises(InvalidInputError, match=words):
        look_without_cells(
            lambda x: torch.zeros(len(x), 2), images, cells, cells, *classes_and_wells(), seed=0
        )


def test_masks_of_another_size_are_refused() -> None:
    images, cells = images_and_cells()
    with pytest.raises(InvalidInputError, match="same crops"):
        look_without_cells(
            lambda x: torch.zeros(len(x), 2),
            images, cells[:, :8], cells[:, :8], *classes_and_wells(), seed=0,
        )  # fmt: skip
