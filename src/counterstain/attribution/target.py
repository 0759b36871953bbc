"""Which number of a network an attribution explains: one score an image.

Every method of this package explains a score ``(N,)``, made here once, so that maps of different
methods speak of the same thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from counterstain.errors import InvalidInputError
from counterstain.networks.base import Classifier

__all__ = ["ExplainedScore", "Model", "Score", "as_it_was", "check_inputs", "explained_score"]

ExplainedScore = Literal["logit", "log_odds"]
Model: TypeAlias = Classifier | nn.Module | Callable[..., Tensor]
Score: TypeAlias = Callable[[Tensor], Tensor]


def explained_score(
    model: Model,
    target_class: int | str | None,
    *,
    score: ExplainedScore = "logit",
    against: int | str | None = None,
) -> Score:
    """Return the function of images that an attribution explains.

    Parameters
    ----------
    model : Classifier, torch.nn.Module or callable
        Takes ``(N, ...)``, gives logits ``(N, K)``, or one number an image, ``(N,)``.
    target_class : int, str or None
        Class by index, or by name for a network of the package. None only for models with one
        number an image.
    score : {"logit", "log_odds"}
        ``"logit"``: the target's logit. ``"log_odds"``: how far the target is ahead, in nats: its
        logit minus that of `against`, or minus the log-sum-exp of all the other classes. Only the
        second is what a call turns on: a logit may rise while every other rises more.
    against : int, str or None
        The class to compare with; only with ``"log_odds"``.

    Returns
    -------
    callable
        From inputs ``(N, ...)`` to scores ``(N,)``; positive speaks for the target class.
        It leaves gradients and the training flag to the caller.

    Raises
    ------
    InvalidInputError
        If a class does not exist (for plain models: once the score is called), if `against` is the
        target, or if `score` is neither name.

    Examples
    --------
    >>> import torch
    >>> twice = lambda images: torch.stack([images.sum((1, 2, 3)), images.mean((1, 2, 3))], 1)
    >>> explained_score(twice, 0)(torch.ones(1, 1, 2, 2))
    tensor([4.])
    >>> explained_score(twice, 0, score="log_odds")(torch.ones(1, 1, 2, 2))
    tensor([3.])
    """
    if score not in ("logit", "log_odds"):
        raise InvalidInputError(
            f"`score` must be 'logit' or 'log_odds'; got {score!r}: choose one of the two."
        )
    if against is not None and score != "log_odds":
        raise InvalidInputError(
            f"`against` is only for log-odds; got {against!r} with score={score!r}: "
            "pass score='log_odds', or leave `against` out."
        )
    forward = _forward_of(model)
    target = _resolve(model, target_class, "target_class")
    other = _resolve(model, against, "against")
    if other is not None and other == target:
        raise InvalidInputError(
            f"`against` must be another class than `target_class`; got {against!r} twice: "
            "choose the class to compare with."
        )

    def explained(images: Tensor) -> Tensor:
        return _pick(forward(images), target, other, score)

    return explained


@contextmanager
def as_it_was(model: Any) -> Iterator[None]:
    """Put a model into inference for a while, and back as it was found.

    Training flags of all modules, and which weights ask for gradients, are put back; weights ask
    for none meanwhile, so that no gradient is left on them and no memory is spent.
    """
    if not isinstance(model, nn.Module):
        yield
        return
    flags = [(module, module.training) for module in model.modules()]
    wants = [(weight, weight.requires_grad) for weight in model.parameters()]
    try:
        model.eval()
        for weight, _ in wants:
            weight.requires_grad_(False)
        yield
    finally:
        for module, flag in flags:
            module.training = flag
        for weight, want in wants:
            weight.requires_grad_(want)


def check_inputs(model: Model, images: Tensor) -> Tensor:
    """Return images detached, on the model's device and in its precision.

    Raises
    ------
    InvalidInputError
        If the images are no tensor, empty, of another shape than the network's, or hold NaN or
        infinities.
    """
    if not isinstance(images, Tensor) or images.ndim < 1 or images.numel() == 0:
        got = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise InvalidInputError(
            f"`images` must be a non-empty tensor (N, ...); got {got}: pass images as (N, C, H, W)."
        )
    if isinstance(model, Classifier):
        model.check_images(images)
    if not images.is_floating_point():
        images = images.float()
    if not bool(torch.isfinite(images).all()):
        raise InvalidInputError(
            "`images` must be finite; got NaN or infinite pixels: leave those images out, or fill "
            "the pixels before explaining them."
        )
    weight = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    images = images.detach()
    if weight is None or not weight.is_floating_point():
        return images
    return images.to(weight.device, weight.dtype)


def _forward_of(model: Model) -> Callable[[Tensor], Tensor]:
    return model.class_logits if isinstance(model, Classifier) else model


def _resolve(model: Model, name: int | str | None, argument: str) -> int | None:
    if name is None:
        return None
    if isinstance(model, Classifier):
        return model.class_index(name, argument)
    if isinstance(name, str | bool) or int(name) < 0:
        raise InvalidInputError(
            f"`{argument}` must be a class index from 0 for a plain model; got {name!r}: only "
            "networks of the package know names of classes; pass the column of the logits."
        )
    return int(name)


def _pick(logits: Tensor, target: int | None, other: int | None, score: str) -> Tensor:
    if logits.ndim == 2 and logits.shape[1] == 1 and target is None:
        logits = logits[:, 0]
    if target is None:
        if logits.ndim != 1 or score == "log_odds":
            raise InvalidInputError(
                f"`target_class` may be None only for a model with one number an image and "
                f"score='logit'; got outputs {tuple(logits.shape)} and score={score!r}: "
                "name the class to explain."
            )
        return logits
    _check_columns(logits, [("target_class", target), ("against", other)])
    if score == "logit":
        return logits[:, target]
    if other is not None:
        return logits[:, target] - logits[:, other]
    if logits.shape[1] == 1:
        return logits[:, 0]  # one column is a log-odds already
    rest = torch.cat([logits[:, :target], logits[:, target + 1 :]], dim=1)
    return logits[:, target] - torch.logsumexp(rest, dim=1)


def _check_columns(logits: Tensor, wanted: list[tuple[str, int | None]]) -> None:
    if logits.ndim != 2:
        raise InvalidInputError(
            f"`model` must give logits (N, K) where a class is named; got {tuple(logits.shape)}: "
            "pass target_class=None for one number an image, or a model with logits."
        )
    for argument, index in wanted:
        if index is not None and index >= logits.shape[1]:
            raise InvalidInputError(
                f"`{argument}` must be a class index from 0 to {logits.shape[1] - 1}; got {index}: "
                "choose a class that the model has."
            )
