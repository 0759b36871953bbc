"""The slider's pictures: one crop, step by step from one class across the boundary to the other."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from counterstain.counterfactual.edits import Editor, contrast_of
from counterstain.errors import InvalidInputError
from counterstain.explorer.networks import RunNetworks
from counterstain.explorer.run_reading import ExplorerRun
from counterstain.networks.base import Classifier
from counterstain.networks.views import choose_views
from counterstain.stages.explain import INVERSE_TOLERANCE

__all__ = ["BoundaryStrip", "BoundaryStrips"]

_STEPS_A_SIDE = 10
_PROBES = 7
_SAME = 1e-3
_CHECKED_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class BoundaryStrip:
    """A crop at every step of the slider.

    Parameters
    ----------
    images : ndarray of float32, shape (S, C, H, W)
        From the first class to the second.
    log_odds : ndarray of float32, shape (S,)
        Of the second class against the first, as the network sees each of these images: averaged
        over `views` turns, as the edits are.
    credible : ndarray of bool, shape (S,)
        Whether the image is still like the training data.
    original, boundary : int
        The steps that are the crop as imaged, and on the boundary.
    fold, views : int
        The network, and how many views it looks at.
    error_kind : str
        What the error of an image is of: ``inverse`` or ``reconstruction``.
    """

    images: NDArray[np.float32]
    log_odds: NDArray[np.float32]
    credible: NDArray[np.bool_]
    original: int
    boundary: int
    fold: int
    views: int
    error_kind: str

    @property
    def tolerance(self) -> float:
        """Largest error of a pixel of a picture that may be shown."""
        return INVERSE_TOLERANCE if self.error_kind == "inverse" else math.inf


@dataclass(slots=True)
class _Walk:
    """A strip with what is needed to bound its error later."""

    strip: BoundaryStrip
    editor: Editor
    distance: Tensor
    bounds: NDArray[np.float32] | None = None


class BoundaryStrips:
    """Strips made at first touch and kept, the longest unused dropped first.

    Parameters
    ----------
    run : ExplorerRun
        The run.
    networks : RunNetworks
        Its networks.
    most_bytes : int
        Of pixels that are kept.
    """

    def __init__(
        self, run: ExplorerRun, networks: RunNetworks, most_bytes: int = 128 << 20
    ) -> None:
        self._run, self._networks, self._most = run, networks, most_bytes
        self._kept: OrderedDict[tuple[int, int, int], _Walk] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def strip(self, item: int, first: int, second: int) -> BoundaryStrip:
        """Return the strip of a crop between two classes.

        Raises
        ------
        InvalidInputError
            If the run has no counterfactuals, or the crop is beyond what the network knows.
        """
        return self._walk(item, first, second).strip

    def bounds(self, item: int, first: int, second: int) -> NDArray[np.float32]:
        """Return by how much a pixel of each step ``(S,)`` can be wrong.

        This takes several times as long as the pictures, so it is done after them, a few steps at
        a time: a slider that is touched meanwhile does not wait for all of it.

        Raises
        ------
        InvalidInputError
            As `strip`.
        """
        walk = self._walk(item, first, second)
        if walk.bounds is None:
            starts = range(0, len(walk.distance), _CHECKED_AT_ONCE)
            walk.bounds = np.concatenate([self._bound(walk, start) for start in starts])
        return walk.bounds

    @torch.no_grad()
    def _bound(self, walk: _Walk, start: int) -> NDArray[np.float32]:
        part = slice(start, start + _CHECKED_AT_ONCE)
        distance, shown = walk.distance[part], torch.from_numpy(walk.strip.images[part])
        with self._networks.lock:
            exact = walk.editor.at(distance, rows=torch.zeros(len(distance), dtype=torch.long))
        bound = exact.error_bound.float()
        if walk.strip.error_kind == "inverse":
            bound = bound + (shown - exact.images).abs().flatten(1).amax(1)
        found = bound.numpy().astype(np.float32)
        if start <= walk.strip.original < start + _CHECKED_AT_ONCE:
            found[walk.strip.original - start] = 0.0  # as imaged: nothing was computed
        return found

    def _walk(self, item: int, first: int, second: int) -> _Walk:
        reason = self._networks.why_no_edit()
        if reason:
            raise InvalidInputError(reason)
        key = (item, first, second)
        with self._networks.lock:
            if key not in self._kept:
                self._kept[key] = self._make(*key)
            self._kept.move_to_end(key)
            while self._n_bytes() > self._most and len(self._kept) > 1:
                self._kept.popitem(last=False)
            return self._kept[key]

    def _n_bytes(self) -> int:
        return sum(walk.strip.images.nbytes for walk in self._kept.values())

    @torch.no_grad()
    def _make(self, item: int, first: int, second: int) -> _Walk:
        config, fold = self._run.config, self._networks.fold_of(item)
        if config is None:
            raise InvalidInputError(self._networks.why_none())
        network, image = self._networks.get(fold), self._networks.pixels_of([item])
        if bool(network.domain.outside(image)[0]):
            raise InvalidInputError(
                "This crop holds intensities beyond those the network was trained on: it is not "
                "carried across the boundary. Choose another."
            )
        wanted, views = config.counterfactual, config.edit_views
        contrast = contrast_of(network, second, first)
        editor = Editor(contrast, image, wanted.direction, choose_views(views))
        own = float(editor.before[0])
        low = -contrast_of(network, first, second).goal(wanted.to)
        goals = _goals(min(low, own), max(contrast.goal(wanted.to), own), own)
        original = goals.index(own)
        distance = _distances(editor, torch.tensor(goals), original)
        rows = torch.zeros(len(goals), dtype=torch.long)
        images = editor.at(distance, certify=False, rows=rows).images.clone()
        images[original] = image[0]
        strip = BoundaryStrip(
            images.numpy(),
            editor.log_odds(images).numpy(),
            editor.is_like_data(images, rows).numpy(),
            original,
            goals.index(0.0),
            fold,
            views,
            str(getattr(network, "error_kind", "inverse")),
        )
        return _Walk(strip, editor, distance)


def _goals(low: float, high: float, own: float) -> list[float]:
    """Return log-odds to stop at, even on either side of the boundary, and the crop's own.

    Examples
    --------
    >>> _goals(-1.0, 2.0, -0.75)[:3]
    [-1.0, -0.9, -0.8]
    """
    low, high = min(low, -_SAME), max(high, _SAME)
    sides = [*np.linspace(low, 0.0, _STEPS_A_SIDE + 1), *np.linspace(0.0, high, _STEPS_A_SIDE + 1)]
    others = {round(float(value), 6) for value in sides if abs(value - own) > _SAME or value == 0}
    return sorted({*others, own})


def _distances(editor: Editor, goals: Tensor, original: int) -> Tensor:
    """Return the distances ``(S,)`` at which one image has the log-odds wanted.

    The average over views falls a little short of a single exact inverse. A few probes on the way
    give the curve, and the curve gives all steps: one batch instead of a search a step.
    """
    wanted = goals - editor.before[0]
    low, high = float(wanted.min()), float(wanted.max())
    probes = torch.linspace(low, high, _PROBES)
    rows = torch.zeros(_PROBES, dtype=torch.long)
    reached = torch.cummax(editor.log_odds_at(probes, rows), 0).values
    found = np.interp(goals.numpy(), reached.double().numpy(), probes.double().numpy())
    distance = torch.tensor(found, dtype=editor.before.dtype)
    # Where the curve ends short of the goal, the end of the way is as far as it goes.
    distance[original] = 0.0
    return distance


def network_log_odds(
    network: Classifier, images: Tensor, first: int, second: int, views: int
) -> Tensor:
    """Return what a network says of images ``(N, C, H, W)``: log-odds, averaged over views."""
    answers = [network.class_logits(view.of(images)) for view in choose_views(views)]
    return torch.stack([a[:, second] - a[:, first] for a in answers]).mean(0)
