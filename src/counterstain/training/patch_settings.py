"""What is learned of co-culture patches, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from counterstain.config import IMAGE_KINDS
from counterstain.errors import InvalidInputError

__all__ = ["PatchLearning"]

_LEAST = {
    "seed": 0,
    "folds": 3,
    "latents": 1,
    "autoencoder_steps": 1,
    "regressor_steps": 1,
    "classifier_steps": 1,
    "minibatch": 2,
    "embedded_patches": 3,
    "separation_patches": 3,
    "neighbours": 1,
    "shuffles": 1,
    "pictures": 1,
}


@dataclass(frozen=True, slots=True)
class PatchLearning:
    """Settings of the autoencoder, the classifier and the regressors of patches.

    Parameters
    ----------
    images : tuple of str, default ("plain", "masked")
        Which images to learn from.
    seed : int, default 0
        Seed of the split, the weights, the minibatches and the shuffles.
    folds : int, default 5
        A fold of wells is kept for testing, another for validation; the others train.
    group : str, default "Metadata_Well"
        What is never shared between the parts; plate or donor where there are enough.
    latents : int, default 16
        Latent maps; of patches of 96 px each is 12 x 12, 2,304 latents in all.
    widths : tuple of int, default (16, 32, 48)
        Features of the encoder at a half, a quarter and an eighth of the size.
    autoencoder_steps, regressor_steps, classifier_steps : int
        Training steps of the autoencoder, of the regressor of areas (half as many of the dense one,
        which is there to be compared with), and of each fine-tuned classifier.
    minibatch : int, default 48
        Patches a step.
    embedded_patches : int, default 10000
        Most patches in the UMAP; the others get NaN.
    separation_patches : int, default 3000
        Most patches between which distances are measured.
    neighbours : int, default 15
        Of the UMAP and of the label purity.
    shuffles : int, default 199
        Shuffles of the wells' labels.
    pictures : int, default 9
        Reconstructions to keep, from the best to the worst.
    device : str, default "auto"
        As for `choose_machine`.

    Raises
    ------
    InvalidInputError
        If any is out of range; all problems at once.

    Examples
    --------
    >>> PatchLearning(images=("masked",)).latents
    16
    """

    images: tuple[str, ...] = IMAGE_KINDS
    seed: int = 0
    folds: int = 5
    group: str = "Metadata_Well"
    latents: int = 16
    widths: tuple[int, int, int] = (16, 32, 48)
    autoencoder_steps: int = 350
    regressor_steps: int = 600
    classifier_steps: int = 400
    minibatch: int = 48
    embedded_patches: int = 10_000
    separation_patches: int = 3_000
    neighbours: int = 15
    shuffles: int = 199
    pictures: int = 9
    device: str = "auto"

    def __post_init__(self) -> None:
        problems = [
            f"`{name}` must be a whole number of at least {least}; got {getattr(self, name)!r}."
            for name, least in _LEAST.items()
            if not isinstance(getattr(self, name), int) or getattr(self, name) < least
        ]
        unknown = [kind for kind in self.images if kind not in IMAGE_KINDS]
        if unknown or not self.images or len(set(self.images)) < len(self.images):
            problems.append(
                f"`images` must be one or both of {list(IMAGE_KINDS)}; got {list(self.images)}."
            )
        if len(self.widths) != 3 or any(width < 1 for width in self.widths):
            problems.append(f"`widths` must be three numbers of 1 or more; got {self.widths}.")
        if problems:
            raise InvalidInputError(problems)
