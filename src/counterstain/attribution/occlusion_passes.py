"""Scores of an image with parts of it replaced: limited to what changes, where that is possible."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from counterstain.attribution.fast_forward import ChangedPasses, Halo
from counterstain.attribution.fast_forward_trace import LocalProgram, local_program
from counterstain.attribution.target import ExplainedScore, Model, explained_score
from counterstain.networks.backbone import BackboneClassifier
from counterstain.networks.base import Classifier
from counterstain.side_by_side import side_by_side

__all__ = ["ImageScores", "Occluder"]

# Beyond these nothing is gained: the caches of a CPU are full, a GPU is busy.
_AT_ONCE_CPU, _AT_ONCE_GPU = 16, 256
_MAPS_AT_A_TIME = 4.0
_SAME = 1e-4

Change = Callable[[NDArray[np.int64]], Tensor]


@dataclass(frozen=True)
class ImageScores:
    """Scores of one image and of changed copies of it.

    Parameters
    ----------
    before : float
        Score of the unchanged image.
    passes : ChangedPasses or None
        Where only what changes is computed.
    whole : callable
        From images to scores, by whole passes.
    score : callable
        From logits to scores.
    at_once, most : int
        Changed copies in a minibatch: how many pay, and how many memory allows.
    """

    before: float
    passes: ChangedPasses | None
    whole: Callable[[Tensor], Tensor]
    score: Callable[[Tensor], Tensor]
    at_once: int
    most: int

    def after(
        self,
        change: Change,
        numbers: NDArray[np.int64],
        *,
        halo: Halo | None = None,
        at_once: int | None = None,
    ) -> NDArray[np.float64]:
        """Return the scores of the copies with these numbers, ``(len(numbers),)``.

        Parameters
        ----------
        change : callable
            From numbers to changed copies ``(n, C, ...)``; called for a minibatch at a time.
        numbers : (n,) array of int
            Which changes.
        halo : tuple of int, optional
            See :mod:`~counterstain.attribution.fast_forward`; without passes it makes no odds.
        at_once : int, optional
            Changed copies in a minibatch where rectangles are small; the usual limit still holds
            for the whole maps of as many copies.
        """
        found = np.full(len(numbers), np.nan)
        place = {int(number): index for index, number in enumerate(numbers)}
        passes = self.passes if halo is None or not self.passes else self.passes.narrowed(halo)
        parts = self._minibatches(numbers, passes, at_once)
        if passes is None:
            scores = [self.whole(change(part)) for part in parts]
        else:
            near = passes
            scores = side_by_side(
                lambda part: self.score(near.output(change(part), part)),
                parts,
                near.clean[0].device,
            )
        for part, values in zip(parts, scores, strict=True):
            found[[place[int(number)] for number in part]] = values.double().cpu().numpy()
        return found

    def _minibatches(
        self, numbers: NDArray[np.int64], passes: ChangedPasses | None, at_once: int | None
    ) -> list[NDArray[np.int64]]:
        if passes is None or not len(numbers):
            return np.split(numbers, range(self.at_once, len(numbers), self.at_once))
        many = self.at_once if at_once is None else min(at_once, self.most)
        return passes.reach.order(numbers, many)


class Occluder:
    """A network made ready for many passes of nearly the same image.

    Parameters
    ----------
    model : Classifier, torch.nn.Module or callable
        Takes ``(N, ...)``; a module is in evaluation mode already.
    target_class, score, against
        What is explained; see :func:`~counterstain.attribution.target.explained_score`.
    at_once : int, optional
        Changed copies in a minibatch; by default as many as pay and `memory_limit_mb` allows.
    memory_limit_mb : float
        Limit of the maps held at a time, in units of 2**20 bytes, estimated from one pass.

    Notes
    -----
    The score of a traced network is compared with the network's own, once for each state of its
    weights; where they differ, whole passes are used.
    """

    def __init__(
        self,
        model: Model,
        target_class: int | str | None,
        *,
        score: ExplainedScore = "logit",
        against: int | str | None = None,
        at_once: int | None = None,
        memory_limit_mb: float = 512.0,
    ) -> None:
        self._whole = explained_score(model, target_class, score=score, against=against)
        target, other = (_index(model, name) for name in (target_class, against))
        self._score = explained_score(_unchanged, target, score=score, against=other)
        self._model, self._at_once, self._limit = model, at_once, memory_limit_mb * 2**20
        self._traced = _traced(model)

    def image(self, image: Tensor, low: NDArray[np.int64], high: NDArray[np.int64]) -> ImageScores:
        """Return the scores of one image ``(C, ...)`` with rectangles ``(W, 2)`` changed.

        The rectangles, rows and columns, are read only for images ``(C, H, W)``.
        """
        passes = self._passes(image, low, high)
        before = math.nan
        if passes is not None:
            before = float(self._score(passes.clean_output())[0])
        if passes is None or not self._traced.trusted:
            whole = float(self._whole(image[None])[0])
            if passes is not None and not abs(before - whole) <= _SAME * max(1.0, abs(whole)):
                passes = None
            self._traced.trusted = passes is not None
            before = whole
        most = self._fitting(image, passes)
        usual = _AT_ONCE_CPU if image.device.type == "cpu" else _AT_ONCE_GPU
        at_once = self._at_once or min(most, usual)
        return ImageScores(before, passes, self._whole, self._score, at_once, max(at_once, most))

    def _passes(
        self, image: Tensor, low: NDArray[np.int64], high: NDArray[np.int64]
    ) -> ChangedPasses | None:
        if self._traced.program is None or image.ndim != 3:
            return None
        return ChangedPasses(self._traced.program, image[None], low, high)

    def _fitting(self, image: Tensor, passes: ChangedPasses | None) -> int:
        """Return how many copies' largest maps fit the limit."""
        if passes is not None:
            largest = max(value.nbytes for value in passes.clean)
        else:
            largest = _largest_map(self._model, self._whole, image)
        return max(1, int(self._limit / (_MAPS_AT_A_TIME * largest)))


def _unchanged(logits: Tensor) -> Tensor:
    return logits


def _index(model: Model, name: int | str | None) -> int | str | None:
    if isinstance(model, Classifier) and name is not None:
        return model.class_index(name)
    return name


@dataclass
class _Traced:
    """A traced network, the state of the weights it was made of, and whether it was checked."""

    state: Any
    program: LocalProgram | None
    trusted: bool = False


# Of models that are still there.
_TRACED: WeakKeyDictionary[nn.Module, _Traced] = WeakKeyDictionary()


def _traced(model: Model) -> _Traced:
    module = model.model if isinstance(model, BackboneClassifier) else model
    if isinstance(module, Classifier) or not isinstance(module, nn.Module):
        return _Traced(None, None)
    state = _state(module)
    known = _TRACED.get(module)
    if known is None or state is None or known.state != state:
        known = _Traced(state, local_program(module))
        _TRACED[module] = known
    return known


def _state(module: nn.Module) -> Any:
    """Return what changes whenever a weight does; None where that cannot be told."""
    values = [*module.parameters(), *module.buffers()]
    if any(value.is_inference() for value in values):
        return None
    return tuple((value.data_ptr(), value._version) for value in values)


def _largest_map(model: Model, whole: Callable[[Tensor], Tensor], image: Tensor) -> int:
    """Return the bytes of the largest output of a layer for one image."""
    sizes = [image.nbytes]
    if not isinstance(model, nn.Module):
        return 16 * image.nbytes

    def note(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            sizes.append(output.nbytes)

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    try:
        whole(image[None])
    finally:
        for hook in hooks:
            hook.remove()
    return max(sizes)
