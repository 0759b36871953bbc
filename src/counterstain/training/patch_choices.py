"""What is tried for the classifier, and which of it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from counterstain.networks.patch_classifier import PatchClassifier

__all__ = ["Choice", "TriedChoice", "best_choice", "fine_tuned_choices", "frozen_choices"]

_WEIGHT_DECAYS = (1e-3, 1e-1, 1.0)


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to train the classifier.

    Parameters
    ----------
    start : str
        Where its encoder comes from: ``autoencoder`` or ``regressor``.
    training : {"frozen", "fine-tuned"}
        Whether the encoder stays as it is.
    reads : {"masks", "averages", "latents"}
        What the dense layer reads.
    weight_decay : float
        Of AdamW.
    augmentation : {"turns", "turns and jitter"}
        How patches are varied.
    """

    start: str
    training: str = "frozen"
    reads: str = "masks"
    weight_decay: float = 1e-1
    augmentation: str = "turns"


@dataclass(frozen=True, slots=True, eq=False)
class TriedChoice:
    """What came of a choice.

    Parameters
    ----------
    choice : Choice
        What was tried.
    network : PatchClassifier
        At its best step, in evaluation mode.
    step : int
        The step that early stopping kept.
    train_accuracy, validation_accuracy : float
        Shares of patches that are called right, each as it is, at that step.
    validation_loss : float
        Cross-entropy in nats, at that step.
    history : list of dict
        Rows of ``step``, ``loss`` and the three numbers.
    """

    choice: Choice
    network: PatchClassifier
    step: int
    train_accuracy: float
    validation_accuracy: float
    validation_loss: float
    history: list[dict[str, Any]] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the choice and its numbers, without the curves."""
        return asdict(self.choice) | {
            "step": self.step,
            "train_accuracy": self.train_accuracy,
            "validation_accuracy": self.validation_accuracy,
            "validation_loss": self.validation_loss,
            "gap": self.train_accuracy - self.validation_accuracy,
        }


def frozen_choices(starts: Sequence[str]) -> list[Choice]:
    """Return what is tried with encoders as they are.

    Only a regressor knows the masks that features can be averaged over. The last choice is the
    dense layer on all latents of the autoencoder, which learns its training wells by heart.

    Examples
    --------
    >>> [choice.reads for choice in frozen_choices(["autoencoder"])]
    ['averages', 'averages', 'averages', 'latents']
    """
    tried: list[Choice] = []
    for decay in _WEIGHT_DECAYS:
        if "regressor" in starts:
            ways = ("turns", "turns and jitter")
            tried += [Choice("regressor", "frozen", "masks", decay, way) for way in ways]
        if "autoencoder" in starts:
            tried.append(Choice("autoencoder", "frozen", "averages", decay))
    if "autoencoder" in starts:
        tried.append(Choice("autoencoder", "frozen", "latents"))
    return tried


def fine_tuned_choices(best: Choice) -> list[Choice]:
    """Return what is tried with an encoder that goes on learning, from the best frozen choice.

    Examples
    --------
    >>> [choice.augmentation for choice in fine_tuned_choices(Choice("regressor"))]
    ['turns and jitter', 'turns']
    """
    ways = ("turns and jitter", "turns")
    return [replace(best, training="fine-tuned", weight_decay=1e-1, augmentation=w) for w in ways]


def best_choice(tried: Sequence[TriedChoice]) -> TriedChoice:
    """Return the choice with the least loss on validation wells.

    The loss rather than the accuracy: it also says how sure of its errors a network is, which is
    where learning by heart shows first.
    """
    return min(tried, key=lambda one: one.validation_loss)
