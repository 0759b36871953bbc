"""From a time budget to a number of training steps.

The number follows from the network's arithmetic and a nominal speed, never from a stopwatch: a
measured speed would change with the machine's load, and with it every table of the run.
"""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from counterstain.networks.autoencoder import AutoencoderNetwork
from counterstain.networks.base import Classifier

__all__ = ["DEFAULT_STEPS", "steps_for_budget"]

DEFAULT_STEPS = 800
# Operations a second that two ordinary CPU cores sustain on these convolutions in float32, and
# what a small data-centre GPU does; both low, so that a budget is kept rather than filled.
_NOMINAL_RATE = {"cpu": 4.0e10, "mps": 4.0e11, "cuda": 3.0e12}
_BACKWARD_FACTOR = 3.0
# An autoencoder also decodes, decodes an edit, goes back, and asks a critic.
_EDIT_FACTOR = 21.0
_FEWEST_STEPS = 50


def steps_for_budget(
    network: Classifier, *, budget_s: float, folds: int, minibatch: int, device: str
) -> int:
    """Return the training steps a fold that fit a budget on the reference machine.

    Parameters
    ----------
    network : Classifier
        A network of the kind to be trained.
    budget_s : float
        Time for training all folds, in seconds.
    folds, minibatch : int
        Networks to train, and crops a step.
    device : str
        ``cpu``, ``cuda`` or ``mps``.

    Returns
    -------
    int
        Steps, at least 50: fewer teach nothing.

    Examples
    --------
    >>> from counterstain.networks import build_network
    >>> small = build_network("coupling", channels=1, size=8, n_classes=2, hidden=4, blocks=1)
    >>> steps_for_budget(small, budget_s=0.0005, folds=2, minibatch=8, device="cpu")
    50
    """
    image = torch.zeros(1, network.channels, network.size, network.size)
    was_training = network.training
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.class_logits(image)
    network.train(was_training)
    factor = _EDIT_FACTOR if isinstance(network, AutoencoderNetwork) else _BACKWARD_FACTOR
    per_step = counter.get_total_flops() * factor * minibatch
    return max(_FEWEST_STEPS, int(budget_s * _NOMINAL_RATE[device] / (per_step * folds)))
