"""What training minimises."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from counterstain.networks.autoencoder import AutoencoderNetwork
from counterstain.networks.base import Classifier
from counterstain.networks.invertible import InvertibleNetwork
from counterstain.training.edit_objective import EditObjective

__all__ = ["Losses", "Objective", "bits_per_dimension"]


class Losses(NamedTuple):
    """Parts of the loss of one minibatch, each a mean over its images.

    ``bits_per_dim`` is NaN for networks without a likelihood.
    """

    total: Tensor
    cross_entropy: Tensor
    bits_per_dim: Tensor
    accuracy: Tensor


def bits_per_dimension(log_prob: Tensor, log_bin: Tensor, dimensions: int) -> Tensor:
    """Turn log-densities of dequantised images into bits per dimension, ``(N,)``.

    Parameters
    ----------
    log_prob : Tensor
        ``(N,)`` nats.
    log_bin : Tensor
        ``(N,)`` log-volume of the bin the noise filled, in nats: density times volume is the
        probability of the quantised image, at least in the mean (Theis et al. 2016,
        doi:10.48550/arXiv.1511.01844).
    dimensions : int
        Pixels times channels.

    Examples
    --------
    >>> float(bits_per_dimension(torch.zeros(1), torch.tensor([-8 * math.log(2)]), 2))
    4.0
    """
    return -(log_prob + log_bin) / (dimensions * math.log(2))


class Objective(nn.Module):
    """Cross-entropy; for networks that run both ways, what makes them do so beside it.

    Invertible networks: the likelihood given the class. Autoencoders: reconstruction and a trained
    edit (:class:`~counterstain.training.edit_objective.EditObjective`).

    Parameters
    ----------
    network : Classifier
        The network to train.
    class_weight : float
        Weight of the cross-entropy beside one bit per dimension (invertible networks). Weak on
        purpose: a strong one bends the latents until the classifier is served and the picture is
        not.
    label_smoothing : float
        Share of the target spread over all classes.
    """

    def __init__(self, network: Classifier, class_weight: float, label_smoothing: float) -> None:
        super().__init__()
        self.network = network
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.edit = (
            EditObjective(network, label_smoothing)
            if isinstance(network, AutoencoderNetwork)
            else None
        )

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return what the optimiser trains: the network, and a critic where there is one."""
        if self.edit is not None:
            return self.edit.parameter_groups(learning_rate)
        return [{"params": list(self.network.parameters()), "lr": learning_rate}]

    def forward(self, images: Tensor, classes: Tensor, log_bin: Tensor) -> Losses:
        """Return the losses of a minibatch."""
        if isinstance(self.network, InvertibleNetwork):
            return self._invertible(self.network, images, classes, log_bin)
        if self.edit is not None:
            return self._edited(self.edit, images, classes)
        logits = self.network.class_logits(images).float()
        entropy = self._cross_entropy(logits, classes)
        return Losses(entropy, entropy, entropy.new_tensor(math.nan), _accuracy(logits, classes))

    def _invertible(
        self, network: InvertibleNetwork, images: Tensor, classes: Tensor, log_bin: Tensor
    ) -> Losses:
        maps, log_determinant = network.transform(images)
        maps = maps.float()
        by_class = network.log_prob_by_class(maps, log_determinant)
        log_prob = by_class.gather(1, classes[:, None])[:, 0]
        bits = bits_per_dimension(log_prob, log_bin, network.n_latents).mean()
        logits = network.logits_of_means(network.average(maps))
        entropy = self._cross_entropy(logits, classes)
        total = bits + self.class_weight * entropy
        return Losses(total, entropy, bits, _accuracy(logits, classes))

    def _edited(self, edit: EditObjective, images: Tensor, classes: Tensor) -> Losses:
        losses = edit(images, classes)
        accuracy = _accuracy(losses.logits, classes)
        none = losses.total.new_tensor(math.nan)
        return Losses(losses.total, losses.cross_entropy, none, accuracy)

    def _cross_entropy(self, logits: Tensor, classes: Tensor) -> Tensor:
        return functional.cross_entropy(logits, classes, label_smoothing=self.label_smoothing)


def _accuracy(logits: Tensor, classes: Tensor) -> Tensor:
    return (logits.detach().argmax(1) == classes).to(torch.float32).mean()
