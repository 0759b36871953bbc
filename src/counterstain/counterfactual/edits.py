"""Carry images across the decision boundary: move their latents, and decode."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from counterstain.counterfactual.odds import Contrast, Direction, Goal
from counterstain.errors import InvalidInputError
from counterstain.networks.base import Classifier
from counterstain.networks.generative import Decoded, GenerativeClassifier
from counterstain.networks.views import View, average_of_views, choose_views

__all__ = ["Counterfactual", "Editor", "contrast_of", "counterfactual"]

_CORRECTIONS = 4
_CLOSE_ENOUGH = 0.02
_HALVINGS = 4


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """Edited images with what the network says of them before and after.

    Parameters
    ----------
    images : Tensor
        ``(N, C, H, W)`` computed images, in the scale of the input.
    logit_before, logit_after : Tensor
        ``(N,)`` log-odds of the target class, of the original and of the computed image: against
        the source class, or against all others where none was given.
    error_bound : Tensor
        ``(N,)`` largest absolute error of a pixel by which the inverse can be wrong; for networks
        that only reconstruct, their reconstruction error.
    stopped : Tensor
        ``(N,)`` bool: whether the edit ended before its goal because it would have left the data.
    """

    images: Tensor
    logit_before: Tensor
    logit_after: Tensor
    error_bound: Tensor
    stopped: Tensor


@torch.no_grad()
def counterfactual(
    network: Classifier,
    images: Tensor,
    target_class: int | str,
    *,
    source_class: int | str | None = None,
    to: Goal = "median",
    direction: Direction = "typical",
    views: int = 1,
    stop_at_data: bool = True,
    channels: Sequence[str] | None = None,
) -> Counterfactual:
    """Show images as they would look on the other side of a decision boundary.

    Every latent vector is moved by the same step at every place, as far as the log-odds of the
    target class ask for, and decoded. An edit that would leave the data the network was trained on
    ends before, and `stopped` says so.

    Parameters
    ----------
    network : Classifier
        A trained network that runs both ways.
    images : Tensor
        ``(N, C, H, W)`` float, scaled as in training.
    target_class : int or str
        Class to go to, by index or name.
    source_class : int or str, optional
        The other side of a pairwise boundary. Without, the target stands against all other classes
        together, and images that are called the target class already are refused.
    to : {'median', 'upper_quartile', 'boundary'} or float
        Where the edit ends: the median log-odds of the target class's training crops or their upper
        quartile (a typical and a clear member), the boundary, or a probability of the target class
        between 0 and 1.
    direction : {'pattern', 'normal', 'typical'}
        See :meth:`counterstain.counterfactual.odds.Contrast.step`.
    views : int
        Turned and mirrored views to average the edit over, 1 to 8; log-odds are averages over the
        same views, as scores are. More views cost as many times the work, and leave less that only
        the network's own grid explains.
    stop_at_data : bool
        Whether edits end before they become less typical than all but 0.1 % of the training
        images, or leave the trained range of intensities.
    channels : sequence of str, optional
        Names of the image channels, to be checked against those of training.

    Returns
    -------
    Counterfactual
        Images and log-odds. Whether the biology followed is for a measurement to say that never
        saw the network (:mod:`counterstain.counterfactual.oracle`).

    Raises
    ------
    InvalidInputError
        If the network cannot run backwards, a class does not exist, source and target are the
        same, or channels, size or intensities differ from those of training.

    Examples
    --------
    >>> from counterstain.networks import build_network
    >>> _ = torch.manual_seed(0)
    >>> network = build_network("coupling", channels=1, size=8, n_classes=2, hidden=4, blocks=1)
    >>> edit = counterfactual(
    ...     network.eval(), torch.rand(3, 1, 8, 8), 1, source_class=0, to=0.9, direction="normal"
    ... )
    >>> [round(float(value), 3) for value in torch.sigmoid(edit.logit_after)]
    [0.9, 0.9, 0.9]
    """
    contrast = contrast_of(network, target_class, source_class)
    if channels is not None:
        network.check_channels(channels)
    end = contrast.goal(to)
    editor = Editor(contrast, images, direction, choose_views(views))
    if source_class is None:
        _refuse_members(contrast, editor.before)
    goal = torch.full_like(editor.before, end)
    distance = editor.distance_to(goal)
    stopped = torch.zeros_like(distance, dtype=torch.bool)
    if stop_at_data:
        distance, stopped = editor.within_data(distance)
    decoded = editor.at(distance)
    after = editor.log_odds(decoded.images)
    return Counterfactual(decoded.images, editor.before, after, decoded.error_bound, stopped)


def contrast_of(network: Classifier, target: int | str, source: int | str | None) -> Contrast:
    """Return the contrast of two classes given by index or name, or of one against the rest."""
    if not isinstance(network, GenerativeClassifier):
        raise InvalidInputError(
            f"`network` must run both ways; got {network.arguments.get('network')!r}: train "
            '`model.network = "coupling"` for counterfactuals.'
        )
    target = network.class_index(target)
    if source is None:
        return Contrast(network, target, None)
    source = network.class_index(source, "source_class")
    if source == target:
        raise InvalidInputError(
            f"`target_class` must differ from `source_class`; both are {target}: choose another "
            "class."
        )
    return Contrast(network, target, source)


def _refuse_members(contrast: Contrast, log_odds: Tensor) -> None:
    members = (log_odds > 0).nonzero()[:, 0].tolist()
    if members:
        raise InvalidInputError(
            f"`target_class` must not be the class an image has already; {len(members)} of "
            f"{len(log_odds)} images are called class {contrast.target} (the first is image "
            f"{members[0]}): leave them out, or give `source_class`."
        )


class Editor:
    """Images on their way through latent space, any distance along one direction.

    Parameters
    ----------
    contrast : Contrast
        Network and classes.
    images : Tensor
        ``(N, C, H, W)`` originals.
    direction : {'pattern', 'normal', 'typical'}
        The way.
    views : sequence of View
        Views to average over; the first is the image as it is.

    Attributes
    ----------
    before : Tensor
        ``(N,)`` log-odds of the originals.
    """

    def __init__(
        self, contrast: Contrast, images: Tensor, direction: Direction, views: Sequence[View]
    ) -> None:
        network = contrast.network
        network.check_images(images)
        network.domain.check(images)
        self._contrast, self._images, self._views = contrast, images, views
        self._seen = [view.of(images) for view in views]
        self._latents = [network.encode(image) for image in self._seen]
        self._steps = []
        for latents in self._latents:
            step = contrast.step(direction, network.logits(latents))
            self._steps.append(network.spread(step))
        self.before = self.log_odds(images)

    def at(self, distance: Tensor, *, certify: bool = True, rows: Tensor | None = None) -> Decoded:
        """Return the images moved by ``(N,)`` units of log-odds.

        Averaging cannot enlarge an error, so the bound is the largest over the views.

        Parameters
        ----------
        distance : Tensor
            One entry an image.
        certify : bool
            Whether to bound the error.
        rows : Tensor, optional
            Indices of the images to move; all where left out. `distance` has their number.
        """
        network, changes, bounds = self._contrast.network, [], []
        chosen = slice(None) if rows is None else rows
        for seen, latents, step in zip(self._seen, self._latents, self._steps, strict=True):
            before, image = latents[chosen], seen[chosen]
            moved = before + distance[:, None] * step[chosen]
            decoded = network.edited(image, before, moved, certify=certify)
            bounds.append(decoded.error_bound)
            changes.append(decoded.images - image)
        bound = torch.stack(bounds).amax(0)
        return Decoded(self._images[chosen] + average_of_views(self._views, changes), bound)

    def log_odds(self, images: Tensor) -> Tensor:
        """Return the log-odds ``(N,)`` of images, averaged over the views."""
        answers = [self._contrast.network.class_logits(view.of(images)) for view in self._views]
        return torch.stack([self._contrast.log_odds(answer) for answer in answers]).mean(0)

    def log_odds_at(self, distance: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the log-odds ``(N,)`` of the images moved by a distance."""
        return self.log_odds(self.at(distance, certify=False, rows=rows).images)

    def distance_to(self, goal: Tensor) -> Tensor:
        """Return the distance ``(N,)`` at which the computed image has the log-odds wanted.

        A single exact inverse is there in one step. The average over views falls a little short,
        and the odds against several classes are curved: a few secant steps make up for both.
        """
        distance = goal - self.before
        exact = len(self._views) == 1 and self._contrast.network.error_kind == "inverse"
        if exact and self._contrast.source is not None:
            return distance
        near = _CLOSE_ENOUGH * distance.abs()
        last, reached_last = torch.zeros_like(distance), self.before.clone()
        rows = torch.arange(len(distance), device=distance.device)
        for _ in range(_CORRECTIONS):
            reached = self.log_odds_at(distance[rows], rows)
            missing = goal[rows] - reached
            way = distance[rows] - last[rows]
            slope = (reached - reached_last[rows]) / torch.where(way == 0, 1.0, way)
            last[rows], reached_last[rows] = distance[rows], reached
            # Where the odds no longer rise, a longer way would only do harm.
            off = missing.abs() > near[rows]
            rows = rows[off]
            if not len(rows):
                break
            distance[rows] += missing[off] / slope[off].clamp(0.5, 2.0)
        return distance

    def is_credible(self, distance: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return which images ``(N,)`` are still like the training data after the move.

        None need be more typical than it was itself.
        """
        return self.is_like_data(self.at(distance, certify=False, rows=rows).images, rows)

    def is_like_data(self, images: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return which computed images ``(N,)`` are like the training data, as `is_credible`."""
        network = self._contrast.network
        own = self._typicality if rows is None else self._typicality[rows]
        floor = torch.minimum(network.domain.typicality_low, own)
        typical = network.typicality(images) >= floor - 1e-6 * floor.abs()
        return typical & ~network.domain.outside(images)

    def within_data(self, distance: Tensor) -> tuple[Tensor, Tensor]:
        """Return distances ``(N,)`` that end inside the data, and which of them were cut."""
        if not bool(self._contrast.network.domain.fitted):
            return distance, torch.zeros_like(distance, dtype=torch.bool)
        stopped = ~self.is_credible(distance)
        rows = stopped.nonzero()[:, 0]
        if not len(rows):
            return distance, stopped
        inside, outside = torch.zeros_like(distance[rows]), distance[rows]
        for _ in range(_HALVINGS):
            middle = (inside + outside) / 2
            good = self.is_credible(middle, rows)
            inside, outside = torch.where(good, middle, inside), torch.where(good, outside, middle)
        ended = distance.clone()
        ended[rows] = inside
        return ended, stopped

    @functools.cached_property
    def _typicality(self) -> Tensor:
        return self._contrast.network.typicality(self._images)
