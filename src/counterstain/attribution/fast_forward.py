r"""Forward passes of an image with a part changed: only what the change reaches is computed.

After a window of the image has changed, a step of the network differs only inside a rectangle,
which follows from the steps' kernels, strides and paddings. Everything outside stands as it was in
the unchanged image's pass. Each step is computed on that rectangle, with a border from the
unchanged pass; the result is the same as of a whole pass, up to rounding. Where the rectangle has
grown to the whole map there is nothing left to save, and the border costs nothing either.

With a `halo`, the rectangle is cut off at so many places around the changed part's own footprint:
far from it the change is faint. That is an approximation.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from counterstain.attribution.fast_forward_steps import LocalStep
from counterstain.attribution.fast_forward_trace import LocalProgram

__all__ = ["ChangedPasses", "Halo", "Reach"]

# Places beyond a change's own footprint on maps whose places stand for up to 2 pixels, for 4, for
# 8, for 16, and for 32 or more.
Halo: TypeAlias = tuple[int, ...]
_COARSER = (4, 8, 16, 32)
# Fewer changes than this do not fill a minibatch of their own.
_FEWEST = 12


@dataclass(frozen=True)
class Reach:
    """Where each value of a program differs, for each of W changes: rows, then columns.

    Parameters
    ----------
    low, high : (V, W, 2) array of int
        First row and column that differ, and those after the last.
    sizes : (V, 2) array of int
        Height and width of each whole map.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        program: LocalProgram,
        sizes: Sequence[tuple[int, int]],
        low: NDArray[np.int64],
        high: NDArray[np.int64],
        halo: Halo | None = None,
    ) -> Reach:
        """Follow changed rectangles ``(W, 2)`` of the image through the steps."""
        lows, highs, cores = [low], [high], [(low, high)]
        for step, size in zip(program.steps, sizes[1:], strict=True):
            outs = [_reached(step, lows[i], highs[i], size) for i in step.inputs]
            lo = np.minimum.reduce([out[0] for out in outs])
            hi = np.maximum.reduce([out[1] for out in outs])
            core = _footprint(step, *cores[step.inputs[0]], size)
            if halo is not None:
                border = halo[sum(sizes[0][0] >= pixels * size[0] for pixels in _COARSER)]
                lo = np.maximum(lo, core[0] - border)
                hi = np.minimum(hi, core[1] + border)
                lo = np.minimum(lo, hi - 1)  # a footprint may miss what it reaches
            lows.append(lo)
            highs.append(hi)
            cores.append(core)
        return cls(np.stack(lows), np.stack(highs), np.array(sizes, np.int64))

    def order(self, numbers: NDArray[np.int64], at_once: int) -> list[NDArray[np.int64]]:
        """Put changes with rectangles of like size together, `at_once` in each minibatch.

        All of a minibatch are computed at the size of its largest. The last map, whose places cost
        most, comes first; on the others the size is only kept alike.
        """
        extents = self.high[-1, numbers] - self.low[-1, numbers]
        sizes, group = np.unique(extents, axis=0, return_inverse=True)
        found: list[NDArray[np.int64]] = []
        waiting = numbers[:0]
        for index in np.argsort(sizes.prod(axis=1), kind="stable"):
            waiting = np.concatenate([waiting, numbers[group.ravel() == index]])
            if len(waiting) >= min(at_once, _FEWEST):
                found += self._alike(waiting, at_once)
                waiting = numbers[:0]
        return found + (self._alike(waiting, at_once) if len(waiting) else [])

    def _alike(self, numbers: NDArray[np.int64], at_once: int) -> list[NDArray[np.int64]]:
        extents = self.high[:, numbers] - self.low[:, numbers]
        share = (extents / self.sizes[:, None]).sum(0)
        side = max(1, round(np.sqrt(at_once)))
        strip = side * max(1, round(np.sqrt(len(numbers))))
        rows = np.argsort(share[:, 0], kind="stable")
        flat = np.concatenate(
            [
                part[np.argsort(share[part, 1], kind="stable")]
                for part in np.split(rows, range(strip, len(rows), strip))
            ]
        )
        return [numbers[part] for part in np.split(flat, range(at_once, len(flat), at_once))]


def _reached(
    step: LocalStep, low: NDArray[np.int64], high: NDArray[np.int64], size: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    kernel, stride = np.array(step.kernel), np.array(step.stride)
    padding, dilation = np.array(step.padding), np.array(step.dilation)
    first = -((-(low + padding - dilation * (kernel - 1))) // stride)
    last = (high - 1 + padding) // stride + 1
    end = np.array(size)
    first = np.clip(first, 0, end - 1)
    return first, np.clip(last, first + 1, end)


def _footprint(
    step: LocalStep, low: NDArray[np.int64], high: NDArray[np.int64], size: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the part itself lies on the step's map, without the border that kernels add."""
    stride, end = np.array(step.stride), np.array(size)
    first = np.clip(low // stride, 0, end - 1)
    return first, np.clip(-(-high // stride), first + 1, end)


class ChangedPasses:
    """Outputs of a network for one image with parts of it changed.

    Parameters
    ----------
    program : LocalProgram
        The network's steps.
    image : Tensor
        ``(1, C, H, W)``, unchanged; its maps are kept as long as this object is.
    low, high : (W, 2) array of int
        Rows and columns of the changed rectangles; high is exclusive.
    halo : tuple of 5 int, optional
        Cut rectangles off at so many places beyond the part's own footprint: on maps whose places
        stand for up to 2 pixels, for 4, for 8, for 16, and for 32 or more, which cost most.
    """

    def __init__(
        self,
        program: LocalProgram,
        image: Tensor,
        low: NDArray[np.int64],
        high: NDArray[np.int64],
        *,
        halo: Halo | None = None,
    ) -> None:
        self.program = program
        self.clean = program.values(image)
        self._changes = (low, high)
        self._padded: dict[int, Tensor] = {}
        self._set_reach(halo)

    def _set_reach(self, halo: Halo | None) -> None:
        sizes = [(value.shape[2], value.shape[3]) for value in self.clean]
        self.reach = Reach.of(self.program, sizes, *self._changes, halo)

    def narrowed(self, halo: Halo) -> ChangedPasses:
        """Return passes over the same maps with rectangles cut off at a halo."""
        other = copy.copy(self)
        other._set_reach(halo)
        return other

    def clean_output(self) -> Tensor:
        """Return the output for the unchanged image, ``(1, K)``."""
        return self.program.tail(self.clean[-1])

    def output(self, changed: Tensor, numbers: NDArray[np.int64]) -> Tensor:
        """Return the network's output for whole changed images ``(n, C, H, W)``.

        Parameters
        ----------
        changed : Tensor
            The image with the rectangles `numbers` changed, one a copy, and nothing else.
        numbers : (n,) array of int
            Which rectangles.
        """
        origins, extents = self._rectangles(numbers)
        values: list[Tensor | None] = [_cut(changed, origins[0], extents[0])]
        readers = self._last_readers()
        for number, step in enumerate(self.program.steps, 1):
            inputs = [
                self._input(values[i], i, number, step, origins, extents) for i in step.inputs
            ]
            values.append(step(*(value for value, _ in inputs), padded=inputs[0][1]))
            for index in step.inputs:
                if readers[index] == number:
                    values[index] = None
        last = len(values) - 1
        out = values[last]
        if out is None:
            raise RuntimeError("the last step is read by none")
        whole = self._surrounded(out, last, origins[last], self.clean[last])
        return self.program.tail(whole)

    def _rectangles(
        self, numbers: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return first places (V, n, 2) and common sizes (V, 2) of the rectangles."""
        low, high = self.reach.low[:, numbers], self.reach.high[:, numbers]
        extents = (high - low).max(1)
        return np.minimum(low, self.reach.sizes[:, None] - extents[:, None]), extents

    def _last_readers(self) -> dict[int, int]:
        return {
            index: number
            for number, step in enumerate(self.program.steps, 1)
            for index in step.inputs
        }

    def _input(
        self,
        value: Tensor | None,
        source: int,
        target: int,
        step: LocalStep,
        origins: NDArray[np.int64],
        extents: NDArray[np.int64],
    ) -> tuple[Tensor, bool]:
        """Return what a step reads to make its rectangle, and whether it is padded already."""
        if value is None:
            raise RuntimeError("a map was freed before its last reader")
        whole = bool((extents[source] == self.reach.sizes[source]).all())
        if whole and bool((extents[target] == self.reach.sizes[target]).all()):
            return value, False
        same = (origins[source] == origins[target]).all() and (
            extents[source] == extents[target]
        ).all()
        if same and not step.moves:
            return value, True
        stride, padding = np.array(step.stride), np.array(step.padding)
        kernel, dilation = np.array(step.kernel), np.array(step.dilation)
        size = (extents[target] - 1) * stride + dilation * (kernel - 1) + 1
        first = origins[target] * stride
        around = self._around(source, target) if padding.any() else self.clean[source]
        frames = _cut_each(around, first, size)
        _paste(frames, value, origins[source] + padding - first)
        return frames, True

    def _around(self, source: int, target: int) -> Tensor:
        if target not in self._padded:
            self._padded[target] = self.program.steps[target - 1].pad(self.clean[source])
        return self._padded[target]

    def _surrounded(
        self, value: Tensor, number: int, origins: NDArray[np.int64], clean: Tensor
    ) -> Tensor:
        if value.shape[2:] == clean.shape[2:]:
            return value
        whole = clean.repeat(len(value), 1, 1, 1)
        _paste(whole, value, origins)
        return whole


def _cut(values: Tensor, origins: NDArray[np.int64], size: NDArray[np.int64]) -> Tensor:
    """Cut a rectangle out of each map, all of one size, channels last in memory."""
    height, width = (int(edge) for edge in size)
    n, channels, rows, columns = values.shape
    of_map, of_channel, of_row, of_column = values.stride()
    # Every place a rectangle can start at, as a view; indexing it copies the chosen ones at once.
    every = values.as_strided(
        (n, rows - height + 1, columns - width + 1, height, width, channels),
        (of_map, of_row, of_column, of_row, of_column, of_channel),
    )
    y, x = torch.from_numpy(np.ascontiguousarray(origins.T)).to(values.device)
    return every[torch.arange(n, device=values.device), y, x].permute(0, 3, 1, 2)


def _cut_each(clean: Tensor, origins: NDArray[np.int64], size: NDArray[np.int64]) -> Tensor:
    """Cut rectangles of one size out of one map."""
    return _cut(clean.expand(len(origins), -1, -1, -1), origins, size)


def _paste(frames: Tensor, values: Tensor, offsets: NDArray[np.int64]) -> None:
    """Lay each value over its frame at its offset; what hangs over is left out."""
    height, width = frames.shape[2:]
    rows, columns = values.shape[2:]
    places, group = np.unique(offsets, axis=0, return_inverse=True)
    for index, (y, x) in enumerate(places.tolist()):
        top, left = max(y, 0), max(x, 0)
        bottom, right = min(y + rows, height), min(x + columns, width)
        if top >= bottom or left >= right:
            continue
        laid = values[:, :, top - y : bottom - y, left - x : right - x]
        if len(places) == 1:
            frames[:, :, top:bottom, left:right] = laid
            continue
        chosen = torch.from_numpy(np.flatnonzero(group == index)).to(frames.device)
        frames[chosen, :, top:bottom, left:right] = laid[chosen]
