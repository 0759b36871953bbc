"""Train a network of patches, and keep the state that does best on validation wells."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from counterstain.errors import CounterstainError

__all__ = ["PatchFit", "fit_patches"]

_WARM_UP = 0.1
_LARGEST_GRADIENT = 5.0
_Module = TypeVar("_Module", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class PatchFit:
    """How a network of patches is trained.

    Parameters
    ----------
    steps : int
        Most training steps.
    learning_rate : float, default 3e-3
        Highest learning rate of AdamW; warmed up over a tenth of the steps, then along a cosine.
    weight_decay : float, default 1e-3
        Of AdamW.
    evaluate_every : int, default 50
        Steps between two looks at the validation wells.
    patience : int, default 4
        Looks without improvement after which training stops.
    seed : int, default 0
        Makes the minibatches repeat.
    """

    steps: int
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    evaluate_every: int = 50
    patience: int = 4
    seed: int = 0


def _rate(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / max(1.0, _WARM_UP * steps))
    return warm * (0.5 * (1 + math.cos(math.pi * min(1.0, step / steps))) + 1e-3)


def fit_patches(
    network: _Module,
    loss: Callable[[_Module, np.random.Generator], Tensor],
    fit: PatchFit,
    *,
    evaluate: Callable[[_Module], dict[str, float]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Train a network in place and leave it at its best, in evaluation mode.

    Parameters
    ----------
    network : torch.nn.Module
        What is trained: parameters that need no gradient are left alone.
    loss : callable
        From the network and a generator, which draws the minibatch, to the loss.
    fit : PatchFit
        Steps, rates, seed.
    evaluate : callable, optional
        From the network in evaluation mode to numbers; the state with the least ``validation_loss``
        is kept. The last one is kept where not given.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    list of dict
        A row a look: ``step``, ``loss`` (mean since the look before), and the numbers.

    Raises
    ------
    CounterstainError
        If the loss stops being a number.
    """
    generator = np.random.default_rng(fit.seed)
    trained = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, fit.learning_rate, weight_decay=fit.weight_decay)
    history: list[dict[str, Any]] = []
    keeper, losses = _Keeper(fit.patience), list[float]()
    with torch.random.fork_rng(devices=[]):
        # Dropout draws from torch's own generator.
        torch.manual_seed(fit.seed)
        for step in range(1, fit.steps + 1):
            losses.append(_step(network, loss, optimiser, generator, step, fit))
            if progress is not None:
                progress(step, fit.steps)
            if step % fit.evaluate_every and step < fit.steps:
                continue
            row = {"step": step, "loss": float(np.mean(losses))}
            losses.clear()
            if evaluate is not None:
                row |= evaluate(network.eval())
                history.append(row)
                if keeper.is_done(network, row["validation_loss"]):
                    break
            else:
                history.append(row)
    keeper.restore(network)
    if progress is not None:
        progress(fit.steps, fit.steps)
    network.eval()
    return history


def _step(
    network: _Module,
    loss: Callable[[_Module, np.random.Generator], Tensor],
    optimiser: torch.optim.Optimizer,
    generator: np.random.Generator,
    step: int,
    fit: PatchFit,
) -> float:
    network.train()
    for group in optimiser.param_groups:
        group["lr"] = fit.learning_rate * _rate(step - 1, fit.steps)
    value = loss(network, generator)
    optimiser.zero_grad(set_to_none=True)
    value.backward()  # type: ignore[no-untyped-call]
    parameters = optimiser.param_groups[0]["params"]
    norm = nn.utils.clip_grad_norm_(parameters, _LARGEST_GRADIENT)
    if not bool(torch.isfinite(norm)):
        raise CounterstainError(
            f"Training stopped at step {step}: the loss is no longer a number. Look for patches "
            "with extreme intensities."
        )
    optimiser.step()
    return float(value.detach())


class _Keeper:
    """Remembers the best state, and when to stop."""

    def __init__(self, patience: int) -> None:
        self._patience, self._waited, self._least = patience, 0, math.inf
        self._state: dict[str, Tensor] | None = None

    def is_done(self, network: nn.Module, value: float) -> bool:
        if value < self._least:
            self._least, self._waited = value, 0
            self._state = {k: v.detach().clone() for k, v in network.state_dict().items()}
        else:
            self._waited += 1
        return self._waited >= self._patience

    def restore(self, network: nn.Module) -> None:
        if self._state is not None:
            network.load_state_dict(self._state)
