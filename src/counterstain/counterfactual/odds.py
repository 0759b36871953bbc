"""What an edit is to change: log-odds of the target class, and the way through latent space."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from counterstain.errors import InvalidInputError
from counterstain.networks.generative import GenerativeClassifier

__all__ = ["Contrast", "Direction", "Goal"]

Direction = Literal["pattern", "normal", "typical"]
Goal = Literal["upper_quartile", "median", "boundary"] | float


@dataclass(frozen=True, slots=True)
class Contrast:
    """The target class against one other class, or against all others together.

    Parameters
    ----------
    network : GenerativeClassifier
        A trained network.
    target : int
        Class index.
    source : int or None
        The other class (pairwise boundary), or None for all others (one-vs-rest boundary).
    """

    network: GenerativeClassifier
    target: int
    source: int | None

    def log_odds(self, logits: Tensor) -> Tensor:
        """Return log-odds ``(N,)`` of the target from logits ``(N, K)``."""
        if self.source is not None:
            return logits[:, self.target] - logits[:, self.source]
        rest = logits.clone()
        rest[:, self.target] = -torch.inf
        return logits[:, self.target] - torch.logsumexp(rest, 1)

    def goal(self, to: Goal) -> float:
        """Return the log-odds at which an edit ends.

        Raises
        ------
        InvalidInputError
            If `to` is neither a known word nor a probability.
        """
        if to == "boundary":
            return 0.0
        if to in ("median", "upper_quartile"):
            return self._typical(str(to))
        if isinstance(to, str) or not 0 < to < 1:
            raise InvalidInputError(
                '`to` must be "boundary", "median", "upper_quartile" or a probability between 0 '
                f"and 1; got {to!r}: choose one of them."
            )
        return math.log(to / (1 - to))

    def _typical(self, to: str) -> float:
        domain = self.network.domain
        if not bool(domain.fitted):
            raise InvalidInputError(
                f'`to` = "{to}" needs a trained network; got one that was not trained: use '
                '"boundary" or a probability.'
            )
        middle = to == "median"
        if self.source is None:
            odds = domain.median_rest_odds if middle else domain.quartile_rest_odds
            return float(odds[self.target])
        pairs = domain.median_log_odds if middle else domain.quartile_log_odds
        return float(pairs[self.target, self.source])

    def normal(self, logits: Tensor) -> Tensor:
        """Return the gradient ``(N, width)`` of the log-odds by the averaged latents."""
        return self._difference(self.network.head()[0].detach(), logits)

    def _difference(self, rows: Tensor, logits: Tensor) -> Tensor:
        """Return the target's row minus the source's, or minus the mean of the others' rows."""
        if self.source is not None:
            return (rows[self.target] - rows[self.source]).expand(len(logits), -1)
        rest = logits.clone()
        rest[:, self.target] = -torch.inf
        return rows[self.target] - torch.softmax(rest, 1) @ rows

    def step(self, direction: Direction, logits: Tensor) -> Tensor:
        r"""Return the step ``(N, width)`` in averaged latents that gains one unit of log-odds.

        Parameters
        ----------
        direction : {'pattern', 'normal', 'typical'}
            ``normal``: the normal of the boundary, the shortest way. ``pattern``: the normal times
            the covariance of the averaged latents within classes, the way along which the data
            themselves vary (Haufe et al. 2014, doi:10.1016/j.neuroimage.2013.10.067); of all steps
            with the same gain it costs the least Gaussian likelihood. ``typical``: from the mean
            latents of the source class (of the other classes, as likely as each is for the image)
            to those of the target class; where the likelihood fits, that is the class-conditional
            optimum.
        logits : Tensor
            ``(N, K)`` of the images.

        Raises
        ------
        InvalidInputError
            If the direction is unknown, or needs a trained network.
        """
        if direction not in get_args(Direction):
            raise InvalidInputError(
                f"`direction` must be one of {list(get_args(Direction))}; got {direction!r}: "
                "choose one of them."
            )
        domain, normal = self.network.domain, self.normal(logits)
        if direction != "normal" and not bool(domain.fitted):
            raise InvalidInputError(
                f'`direction` = "{direction}" needs a trained network; got one that was not '
                'trained: use "normal".'
            )
        way = normal
        if direction == "pattern":
            way = normal @ domain.latent_covariance
        elif direction == "typical":
            way = self._difference(domain.latent_means, logits)
        gain = (way * normal).sum(1, keepdim=True)
        # A way that does not lead to the other side is none; the normal always does.
        useful = gain > 1e-6 * normal.norm(dim=1, keepdim=True) * way.norm(dim=1, keepdim=True)
        way = torch.where(useful, way, normal)
        gain = torch.where(useful, gain, normal.square().sum(1, keepdim=True))
        return way / gain.clamp_min(torch.finfo(gain.dtype).tiny)
