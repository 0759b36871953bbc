"""How each network is trained where the screen does not say."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TrainingRecipe", "recipe_for"]


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """Settings of training that fit one kind of network.

    Parameters
    ----------
    learning_rate : float
        Highest learning rate.
    class_weight : float
        Weight of the cross-entropy beside one bit per dimension (invertible networks).
    label_smoothing : float
        Share of the target spread over all classes.
    balance : float
        1 draws every class as often as any other, 0 as often as it has crops.
    affine_jitter : float
        See :class:`~counterstain.training.affine.AffineJitter`.
    averaging : float
        Decay of the moving average of the weights; 0 keeps the last ones.
    weight_decay : float
        Of AdamW; 0 trains by Adam.
    """

    learning_rate: float = 2e-3
    class_weight: float = 0.1
    label_smoothing: float = 0.05
    balance: float = 1.0
    affine_jitter: float = 0.0
    averaging: float = 0.0
    weight_decay: float = 0.0


_RECIPES = {
    "coupling": TrainingRecipe(),
    "iresnet50": TrainingRecipe(learning_rate=6e-3, class_weight=0.5, label_smoothing=0.1),
    "autoencoder": TrainingRecipe(learning_rate=2e-3),
    "resnext50": TrainingRecipe(learning_rate=1e-3, label_smoothing=0.1),
    # Chosen on inner validation plates of MitoCheck crops, see `benchmarks/mitocheck.py`.
    "compact": TrainingRecipe(
        learning_rate=3e-3,
        balance=0.5,
        affine_jitter=0.15,
        averaging=0.99,
        weight_decay=0.05,
    ),
}


def recipe_for(network: str) -> TrainingRecipe:
    """Return the recipe of a kind of network.

    Parameters
    ----------
    network : str
        One of :func:`counterstain.networks.build.network_names`.

    Examples
    --------
    >>> recipe_for("iresnet50").learning_rate
    0.006
    """
    return _RECIPES[network]
