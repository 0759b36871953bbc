"""Patches of a store as tensors, and what their masks cover."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from counterstain.errors import InvalidInputError
from counterstain.plates.store import CropStore
from counterstain.training.minibatches import StainJitter, dihedral

__all__ = ["Augmentation", "PatchSource", "as_images", "in_batches"]

_PLACE = 4
_BACKGROUND_STEPS = 1.5
_BATCH = 128
_NO_JITTER = StainJitter()

_Ids = NDArray[np.int64]
_Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How patches are varied in training.

    Parameters
    ----------
    turns : bool, default True
        Quarter turns and mirror images.
    jitter : StainJitter, optional
        Gains and offsets by channel; none where not given.
    """

    turns: bool = True
    jitter: StainJitter = _NO_JITTER

    def apply(
        self, images: _Floats, generator: np.random.Generator, maps: _Floats | None = None
    ) -> tuple[_Floats, _Floats | None]:
        """Return varied images ``(N, C, S, S)``, and maps ``(N, M, s, s)`` turned alike."""
        if self.turns:
            operation = generator.integers(8, size=len(images))
            images = dihedral(images, operation)
            maps = None if maps is None else dihedral(maps, operation)
        self.jitter.apply(images, generator)
        return images, maps


class PatchSource:
    """Patches of one kind, with what the masks cover where the masked ones are there, too.

    Parameters
    ----------
    stores : mapping of str to CropStore
        ``plain``, ``masked`` or both: the same patches in the same order.
    kind : str
        Which of them to show.

    Raises
    ------
    InvalidInputError
        If there is no such store, or they are not of the same patches.
    """

    def __init__(self, stores: Mapping[str, CropStore], kind: str) -> None:
        if kind not in stores:
            raise InvalidInputError(
                f"`stores` must hold the patches of kind {kind!r}; got {sorted(stores)}: write "
                "them first, or leave the kind out of `images`."
            )
        shapes = {store.shape for store in stores.values()}
        if len(shapes) > 1:
            raise InvalidInputError(
                f"`stores` must hold the same patches; got the shapes {sorted(shapes)}: write both "
                "from the same fields."
            )
        self._shown, self._masked = stores[kind], stores.get("masked")
        self.kind, self.channels = kind, self._shown.channels
        self.shape: tuple[int, ...] = self._shown.shape

    @property
    def has_areas(self) -> bool:
        """Whether `areas` can be told: masks of two channels."""
        return self._masked is not None and self.shape[1] == 2

    def images(self, ids: _Ids) -> _Floats:
        """Return patches ``(n, C, S, S)`` on the scale of the negative controls."""
        return self._shown.scaled(ids)

    def areas(self, ids: _Ids) -> _Floats:
        """Return shares of each place that the first mask, the second, and both cover.

        Float32 ``(n, 3, S / 4, S / 4)``. A pixel is covered where the masked patch shows more than
        its background, so pixels at the rim of a mask count as a whole.
        """
        if self._masked is None:
            raise InvalidInputError("`areas` needs the masked patches; they are not there.")
        step = _BACKGROUND_STEPS * self._masked.count_step(ids)[:, :, None, None]
        covered = (self._masked.scaled(ids) > step).astype(np.float32)
        both = covered[:, :1] * covered[:, 1:2]
        shares = np.concatenate([covered[:, :2], both], 1)
        n, c, height, width = shares.shape
        blocks = shares.reshape(n, c, height // _PLACE, _PLACE, width // _PLACE, _PLACE)
        return np.asarray(blocks.mean((3, 5)), np.float32)


def as_images(images: _Floats, device: str = "cpu") -> Tensor:
    """Return images as a tensor, channels last in memory."""
    tensor = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)
    return tensor.to(device)


@torch.inference_mode()
def in_batches(
    answer: Callable[[Tensor], Tensor], images: Callable[[_Ids], _Floats], ids: _Ids, device: str
) -> NDArray[np.float32]:
    """Answer for many patches, some at a time, so that memory stays flat.

    Parameters
    ----------
    answer : callable
        From images ``(n, C, S, S)`` to ``(n, ...)``.
    images : callable
        From ids to images, e.g. `PatchSource.images`.
    ids : ndarray of int, shape (N,)
        Which patches.
    device : str
        Where the network is.

    Returns
    -------
    ndarray of float32, shape (N, ...)
    """
    parts = [
        answer(as_images(images(ids[start : start + _BATCH]), device)).float().cpu().numpy()
        for start in range(0, len(ids), _BATCH)
    ]
    return np.concatenate(parts)
