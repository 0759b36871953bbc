"""Hold images back for testing although neighbouring fields lie among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError

__all__ = ["ImageSplit", "split_by_look"]


@dataclass(frozen=True, slots=True)
class ImageSplit:
    """Which images are for what; positions in the lists that were split.

    Parameters
    ----------
    train, validation, test : array of int
        Images of each use.
    left_out : array of int
        Images that look like one that is held back and might be its neighbour: used for nothing.
    """

    train: NDArray[np.intp]
    validation: NDArray[np.intp]
    test: NDArray[np.intp]
    left_out: NDArray[np.intp]


def split_by_look(
    sizes: Sequence[tuple[int, int]],
    mean_intensity: ArrayLike,
    *,
    seed: int,
    test_share: float = 0.2,
    validation_share: float = 0.1,
    block: int = 5,
    guard: float = 0.01,
) -> ImageSplit:
    """Split images so that fields of one acquisition stay on one side.

    Fields of one acquisition have the same size and nearly the same mean intensity. Within each
    size the images are put in order of their intensity and cut into blocks of neighbours; blocks
    are held back as a whole, and images too close to a block that is held back are left out.

    Parameters
    ----------
    sizes : sequence of (height, width)
        A pair an image, pixels.
    mean_intensity : array-like of float, shape (n,)
        Mean grey level of each image.
    seed : int
        Which blocks are held back.
    test_share, validation_share : float
        Share of the images for testing and for validation, each above 0, together below 1.
    block : int
        Images in a block.
    guard : float
        Relative difference of intensity below which an image of the same size counts as a
        neighbour.

    Returns
    -------
    ImageSplit
        Every image in exactly one of its four lists.

    Raises
    ------
    InvalidInputError
        If the lists differ in length, an intensity is not finite, or a share is out of range.

    Examples
    --------
    >>> split = split_by_look([(8, 8)] * 20, np.arange(1, 21), seed=0, block=2)
    >>> len(split.train), len(split.validation), len(split.test), len(split.left_out)
    (14, 2, 4, 0)
    """
    look = np.asarray(mean_intensity, dtype=np.float64)
    if look.shape != (len(sizes),) or not np.isfinite(look).all():
        raise InvalidInputError(
            f"`mean_intensity` must hold a finite number for each of the {len(sizes)} sizes; got "
            f"shape {look.shape}: measure it from the images."
        )
    if min(test_share, validation_share) <= 0 or test_share + validation_share >= 1 or block < 1:
        raise InvalidInputError(
            f"`test_share` and `validation_share` must be above 0 and together below 1, `block` at "
            f"least 1; got {test_share}, {validation_share}, {block}: try 0.2, 0.1 and 5."
        )
    blocks = _blocks(sizes, look, block)
    order = np.random.default_rng(seed).permutation(len(blocks))
    drawn, later = _first([blocks[index] for index in order], test_share * len(look))
    chosen: list[int] = []
    others: list[int] = []
    for size in dict.fromkeys(tuple(sizes[block[0]]) for block in later):
        # Settings are chosen on validation images: each size is there in its share.
        same = [block for block in later if tuple(sizes[block[0]]) == size]
        share = validation_share * sum(tuple(other) == size for other in sizes)
        mine, unused = _first(same, share)
        chosen += mine
        others += [index for block in unused for index in block]
    test, validation, rest = (np.sort(np.array(part, np.intp)) for part in (drawn, chosen, others))
    left_from_validation = _near(validation, test, sizes, look, guard)
    validation = np.setdiff1d(validation, left_from_validation)
    left = _near(rest, np.union1d(test, validation), sizes, look, guard)
    return ImageSplit(
        np.setdiff1d(rest, left), validation, test, np.union1d(left, left_from_validation)
    )


def _first(blocks: list[list[int]], wanted: float) -> tuple[list[int], list[list[int]]]:
    """Return members of the first blocks, about as many as are wanted, and the other blocks."""
    taken: list[int] = []
    for number, block in enumerate(blocks):
        if len(taken) >= wanted - 0.5:
            return taken, blocks[number:]
        taken += block
    return taken, []


def _blocks(
    sizes: Sequence[tuple[int, int]], look: NDArray[np.float64], block: int
) -> list[list[int]]:
    blocks = []
    for size in sorted({tuple(size) for size in sizes}):
        members = [index for index, other in enumerate(sizes) if tuple(other) == size]
        members.sort(key=lambda index: (look[index], index))
        blocks += [members[start : start + block] for start in range(0, len(members), block)]
    return blocks


def _near(
    candidates: NDArray[np.intp],
    held: NDArray[np.intp],
    sizes: Sequence[tuple[int, int]],
    look: NDArray[np.float64],
    guard: float,
) -> NDArray[np.intp]:
    """Return the candidates that look like one of those held back."""
    near = [
        index
        for index in candidates
        if any(
            tuple(sizes[index]) == tuple(sizes[other])
            and abs(look[index] - look[other]) <= guard * max(look[index], look[other])
            for other in held
        )
    ]
    return np.array(near, np.intp)
