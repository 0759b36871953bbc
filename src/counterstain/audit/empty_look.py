"""What a network says of images whose cells are gone, or lie on another background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from counterstain.audit.empty_images import MIN_EMPTY, remove_cells, swap_backgrounds
from counterstain.errors import InvalidInputError

__all__ = ["EmptyAreaLook", "look_without_cells"]

_BLOCK = 128

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EmptyAreaLook:
    """Logits of crops in four versions, and of which classes they are; ``n`` crops, ``K`` classes.

    Parameters
    ----------
    classes, wells : array of int, shape (n,)
        Class index and well of each crop.
    background_class : array of int, shape (n,)
        Class of the image that lent its background.
    whole : array of float, shape (n, K)
        Logits of the images as they are.
    without_own : array of float, shape (n, K)
        Logits with the crop's own cell removed, its neighbours left in place.
    background_only : array of float, shape (n, K)
        Logits with all cells removed.
    swapped : array of float, shape (n, K)
        Logits of the cells on the background of an image of another class.
    n_without_empty : int
        Crops left out, since they show too little empty place to fill in cells.
    """

    classes: NDArray[np.int64]
    wells: NDArray[np.int64]
    background_class: NDArray[np.int64]
    whole: _Floats
    without_own: _Floats
    background_only: _Floats
    swapped: _Floats
    n_without_empty: int = 0

    @classmethod
    def joined(cls, looks: list[EmptyAreaLook]) -> EmptyAreaLook:
        """Put the looks of several networks, each at wells it never saw, into one."""
        arrays = {
            item.name: np.concatenate([getattr(look, item.name) for look in looks])
            for item in fields(cls)
            if item.name != "n_without_empty"
        }
        return cls(**arrays, n_without_empty=sum(look.n_without_empty for look in looks))


def look_without_cells(
    logits: Callable[[Tensor], Tensor],
    images: NDArray[np.float32],
    own: NDArray[np.bool_],
    cells: NDArray[np.bool_],
    classes: NDArray[np.int64],
    wells: NDArray[np.int64],
    *,
    seed: int,
) -> EmptyAreaLook:
    """Ask a network about crops as they are, without cells, and with swapped backgrounds.

    Parameters
    ----------
    logits : callable
        From images ``(N, C, H, W)`` to logits ``(N, K)``.
    images : (n, C, H, W) array of float32
        Crops of wells that the network did not see.
    own, cells : (n, H, W) array of bool
        The crop's own cell, and all cells.
    classes, wells : array of int, shape (n,)
        Class index and well of each crop.
    seed : int
        Draws what is filled in, and which backgrounds are lent.

    Returns
    -------
    EmptyAreaLook
        Of the crops with at least 2 % of empty pixels; the others are counted.

    Raises
    ------
    InvalidInputError
        If shapes do not fit each other, no crop shows any cell, or none an empty place.
    """
    _check(images, own, cells, classes)
    empty = ~cells
    usable = np.flatnonzero(empty.mean(axis=(1, 2)) >= MIN_EMPTY)
    if not len(usable):
        raise InvalidInputError(
            f"`cells` must leave {MIN_EMPTY:.0%} of a crop empty in some crops; got none of "
            f"{len(images)}: the cells are too dense for an empty-area audit."
        )
    generator = np.random.default_rng(seed)
    x, mask = images[usable], cells[usable]
    lonely = remove_cells(x, own[usable], empty[usable], generator)
    bare = remove_cells(x, mask, empty[usable], generator)
    lender = _lenders(classes[usable], generator)
    mixed = swap_backgrounds(x, mask, bare[lender])
    return EmptyAreaLook(
        classes=classes[usable],
        wells=wells[usable],
        background_class=classes[usable][lender],
        whole=_ask(logits, x),
        without_own=_ask(logits, lonely),
        background_only=_ask(logits, bare),
        swapped=_ask(logits, mixed),
        n_without_empty=len(images) - len(usable),
    )


def _lenders(classes: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Return for each crop one of another class, or itself where there is no other class."""
    lender = np.arange(len(classes))
    for index in np.unique(classes):
        own, others = np.flatnonzero(classes == index), np.flatnonzero(classes != index)
        if len(others):
            lender[own] = generator.choice(others, size=len(own))
    return lender


@torch.inference_mode()
def _ask(logits: Callable[[Tensor], Tensor], images: NDArray[np.float32]) -> _Floats:
    parts = [
        logits(torch.from_numpy(images[start : start + _BLOCK])).double().cpu().numpy()
        for start in range(0, len(images), _BLOCK)
    ]
    return np.concatenate(parts)


def _check(
    images: NDArray[np.float32],
    own: NDArray[np.bool_],
    cells: NDArray[np.bool_],
    classes: NDArray[np.int64],
) -> None:
    expected = (len(images), *images.shape[2:])
    if images.ndim != 4 or own.shape != expected or cells.shape != expected:
        raise InvalidInputError(
            f"`own` and `cells` must be masks (N, H, W) of the images {images.shape}; got "
            f"{own.shape} and {cells.shape}: pass the masks of the same crops."
        )
    if len(classes) != len(images):
        raise InvalidInputError(
            f"`classes` must have an entry for each of {len(images)} images; got {len(classes)}."
        )
    if not cells.any():
        raise InvalidInputError(
            "`cells` must mark some cell; got none in any image: without cells there is no empty "
            "area to compare with; check how nuclei are found."
        )
