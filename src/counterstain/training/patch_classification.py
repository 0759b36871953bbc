"""Train classifiers of patches: heads on a frozen encoder, and fine-tuned encoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from counterstain.networks.patch_classifier import PatchClassifier
from counterstain.training.minibatches import StainJitter, dihedral
from counterstain.training.patch_choices import Choice, TriedChoice
from counterstain.training.patch_loop import PatchFit, fit_patches
from counterstain.training.patch_settings import PatchLearning
from counterstain.training.patch_source import Augmentation, PatchSource, as_images, in_batches

__all__ = ["ClassTargets", "ClassifierTrainer", "class_probabilities"]

_Ids = NDArray[np.int64]
_Floats = NDArray[np.float32]

_AUGMENTATIONS = {
    "turns": Augmentation(),
    "turns and jitter": Augmentation(jitter=StainJitter(gain=0.15, offset=0.03)),
}
_VIEWS = 4
_HEAD_STEPS = 3  # times those of fine-tuning: a step of the head alone costs next to nothing
_SMOOTHING = 0.05
_LOOKED_AT = 400
# Quarter turns and mirror images in an order in which each prefix is as varied as can be.
_SYMMETRIES = (0, 5, 2, 7, 1, 4, 3, 6)


@dataclass(frozen=True, slots=True)
class ClassTargets:
    """Class of patches, and which may be learned from.

    Parameters
    ----------
    class_names : tuple of str
        The K classes.
    index : ndarray of int64, shape (N,)
        Class of each patch; -1 for none.
    training, validation : ndarray of int
        Numbers of the patches of either part that are of a class.
    """

    class_names: tuple[str, ...]
    index: NDArray[np.int64]
    training: _Ids
    validation: _Ids


class ClassifierTrainer:
    """Tries choices on one kind of image.

    Parameters
    ----------
    source : PatchSource
        The patches.
    targets : ClassTargets
        Classes and parts.
    encoders : mapping of str to mapping of str to Tensor
        Weights of the encoders to start from, by the name of the start.
    settings : PatchLearning
        Steps, widths, seed.
    device : str, default "cpu"
        Where to train.
    """

    def __init__(
        self,
        source: PatchSource,
        targets: ClassTargets,
        encoders: Mapping[str, Mapping[str, Tensor]],
        settings: PatchLearning,
        device: str = "cpu",
    ) -> None:
        self._source, self._targets, self._encoders = source, targets, encoders
        self._settings, self._device = settings, device
        self._features: dict[tuple[str, str, str], tuple[_Floats, _Floats, _Floats]] = {}

    def try_choice(
        self, choice: Choice, progress: Callable[[int, int], None] | None = None
    ) -> TriedChoice:
        """Train as chosen, with early stopping on the validation wells."""
        network = self._build(choice)
        if choice.training == "frozen":
            return self._try_frozen(choice, network, progress)
        return self._try_fine_tuned(choice, network, progress)

    def _build(self, choice: Choice) -> PatchClassifier:
        arguments = {
            "channels": self._source.shape[1],
            "size": self._source.shape[2],
            "latents": self._settings.latents,
            "widths": self._settings.widths,
            "class_names": list(self._targets.class_names),
            "reads": choice.reads,
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._settings.seed)
            network = PatchClassifier(arguments)
        network.encoder.load_state_dict(dict(self._encoders[choice.start]))
        network.to(memory_format=torch.channels_last).to(self._device)
        return network.eval()

    def _classes(self, ids: _Ids) -> Tensor:
        return torch.from_numpy(self._targets.index[ids]).to(self._device)

    def _try_fine_tuned(
        self,
        choice: Choice,
        network: PatchClassifier,
        progress: Callable[[int, int], None] | None,
    ) -> TriedChoice:
        training, settings = self._targets.training, self._settings
        varied = _AUGMENTATIONS[choice.augmentation]

        def loss(network: PatchClassifier, generator: np.random.Generator) -> Tensor:
            chosen = generator.choice(training, settings.minibatch)
            images, _ = varied.apply(self._source.images(chosen), generator)
            return _cross_entropy(network(as_images(images, self._device)), self._classes(chosen))

        # A sample of the training patches is enough for the curve.
        seen = np.random.default_rng(settings.seed).permutation(training)[:_LOOKED_AT]

        def evaluate(network: PatchClassifier) -> dict[str, float]:
            logits = [
                in_batches(network, self._source.images, ids, self._device)
                for ids in (seen, self._targets.validation)
            ]
            return self._numbers(logits, seen)

        steps = settings.classifier_steps
        fit = PatchFit(
            steps,
            learning_rate=2e-3,
            weight_decay=choice.weight_decay,
            evaluate_every=max(1, steps // 8),
            seed=settings.seed,
        )
        history = fit_patches(network, loss, fit, evaluate=evaluate, progress=progress)
        return _tried(choice, network, history)

    def _try_frozen(
        self,
        choice: Choice,
        network: PatchClassifier,
        progress: Callable[[int, int], None] | None,
    ) -> TriedChoice:
        views, training, validation = self._frozen_features(choice, network)
        size = self._settings.minibatch

        def loss(head: nn.Module, generator: np.random.Generator) -> Tensor:
            view = generator.integers(len(views), size=size)
            row = generator.integers(views.shape[1], size=size)
            features = torch.from_numpy(views[view, row]).to(self._device)
            return _cross_entropy(head(features), self._classes(self._targets.training[row]))

        @torch.inference_mode()
        def evaluate(head: nn.Module) -> dict[str, float]:
            logits = [
                head(torch.from_numpy(features).to(self._device)).cpu().numpy()
                for features in (training, validation)
            ]
            return self._numbers(logits, self._targets.training)

        steps = _HEAD_STEPS * self._settings.classifier_steps
        fit = PatchFit(
            steps,
            learning_rate=2e-3,
            weight_decay=choice.weight_decay,
            evaluate_every=max(1, steps // 20),
            seed=self._settings.seed,
        )
        history = fit_patches(network.head, loss, fit, evaluate=evaluate, progress=progress)
        return _tried(choice, network, history)

    def _frozen_features(
        self, choice: Choice, network: PatchClassifier
    ) -> tuple[_Floats, _Floats, _Floats]:
        """Return features of varied training patches (V, n, P), of plain ones, of validation."""
        key = (choice.start, choice.reads, choice.augmentation)
        if key not in self._features:
            generator = np.random.default_rng([self._settings.seed, 7])
            varied = _AUGMENTATIONS[choice.augmentation]

            def vary(ids: _Ids) -> _Floats:
                return varied.apply(self._source.images(ids), generator)[0]

            seen, device = self._targets.training, self._device
            views = [in_batches(network.features, vary, seen, device) for _ in range(_VIEWS)]
            plain = [
                in_batches(network.features, self._source.images, ids, device)
                for ids in (seen, self._targets.validation)
            ]
            self._features[key] = (np.stack(views), plain[0], plain[1])
        return self._features[key]

    def _numbers(self, logits: list[_Floats], seen: _Ids) -> dict[str, float]:
        """Return loss and accuracies from the logits of training and of validation patches."""
        (training, validation), targets = logits, self._targets
        true = targets.index[targets.validation]
        loss = functional.cross_entropy(torch.from_numpy(validation), torch.from_numpy(true))
        right = training.argmax(1) == targets.index[seen]
        return {
            "validation_loss": float(loss),
            "train_accuracy": float(right.mean()),
            "validation_accuracy": float((validation.argmax(1) == true).mean()),
        }


def class_probabilities(
    network: PatchClassifier, source: PatchSource, ids: _Ids, *, views: int = 4, device: str = "cpu"
) -> NDArray[np.float32]:
    """Return the mean class probabilities ``(n, K)`` of patches over turned and mirrored views.

    Parameters
    ----------
    network : PatchClassifier
        Trained.
    source : PatchSource
        The patches.
    ids : ndarray of int, shape (n,)
        Which.
    views : int, default 4
        Views of each, 1 to 8: what is learned of one direction alone cancels out.
    device : str, default "cpu"
        Where the network is.
    """

    def answer(images: Tensor) -> Tensor:
        probabilities: Tensor = network(images).softmax(1)
        return probabilities

    found = []
    for symmetry in _SYMMETRIES[:views]:

        def turned(some: _Ids, symmetry: int = symmetry) -> _Floats:
            return dihedral(source.images(some), np.full(len(some), symmetry))

        found.append(in_batches(answer, turned, ids, device))
    return np.asarray(np.mean(found, axis=0), np.float32)


def _cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    return functional.cross_entropy(logits, classes, label_smoothing=_SMOOTHING)


def _tried(
    choice: Choice, network: PatchClassifier, history: list[dict[str, float]]
) -> TriedChoice:
    best = min(history, key=lambda row: row["validation_loss"])
    return TriedChoice(
        choice,
        network,
        int(best["step"]),
        best["train_accuracy"],
        best["validation_accuracy"],
        best["validation_loss"],
        history,
    )
