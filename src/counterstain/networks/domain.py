"""What a network was trained on, kept with its weights: the limits within which it may be asked."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from counterstain.errors import InvalidInputError

__all__ = ["TrainedDomain"]

# A held-out well may be brighter than any training well; another scale is brighter by far more.
_MARGIN = 0.5
_STRAY_PIXELS = 0.01


class TrainedDomain(nn.Module):
    """Intensities, latents and scores of the training crops, in numbers that fit a checkpoint.

    Filled once after training; until then `fitted` is false and nothing is checked.

    Parameters
    ----------
    channels : int
        Image channels C.
    n_classes : int
        Classes K.
    width : int
        Entries c of the spatially averaged latents; 0 for networks without latents.

    Attributes
    ----------
    intensity_low, intensity_high : Tensor
        ``(C,)`` darkest and brightest pixel of the training crops.
    latent_means : Tensor
        ``(K, c)`` mean of the averaged latents of each class.
    latent_covariance : Tensor
        ``(c, c)`` covariance of the averaged latents within classes.
    median_log_odds : Tensor
        ``(K, K)``: entry (k, j) is the median log-odds of class k against class j over the training
        crops of class k.
    quartile_log_odds : Tensor
        ``(K, K)`` likewise the upper quartile: a clear member of the class.
    median_rest_odds, quartile_rest_odds : Tensor
        ``(K,)`` the same for class k against all others together.
    typicality_low : Tensor
        Scalar: 0.1 % of the training crops are less typical than this.

    Examples
    --------
    >>> domain = TrainedDomain(1, 2, 0)
    >>> domain.check(torch.full((1, 1, 4, 4), 300.0))
    >>> domain.set_intensities(torch.tensor([0.0]), torch.tensor([1.5]))
    >>> domain.outside(torch.tensor([0.3, 300.0]).reshape(2, 1, 1, 1)).tolist()
    [False, True]
    """

    fitted: Tensor
    intensity_low: Tensor
    intensity_high: Tensor
    latent_means: Tensor
    latent_covariance: Tensor
    median_log_odds: Tensor
    quartile_log_odds: Tensor
    median_rest_odds: Tensor
    quartile_rest_odds: Tensor
    typicality_low: Tensor

    def __init__(self, channels: int, n_classes: int, width: int) -> None:
        super().__init__()
        self.register_buffer("fitted", torch.tensor(False))
        self.register_buffer("intensity_low", torch.zeros(channels))
        self.register_buffer("intensity_high", torch.ones(channels))
        self.register_buffer("latent_means", torch.zeros(n_classes, width))
        self.register_buffer("latent_covariance", torch.eye(width))
        self.register_buffer("median_log_odds", torch.zeros(n_classes, n_classes))
        self.register_buffer("quartile_log_odds", torch.zeros(n_classes, n_classes))
        self.register_buffer("median_rest_odds", torch.zeros(n_classes))
        self.register_buffer("quartile_rest_odds", torch.zeros(n_classes))
        self.register_buffer("typicality_low", torch.tensor(-torch.inf))

    @torch.no_grad()
    def set_intensities(self, low: Tensor, high: Tensor) -> None:
        """Take down the darkest and brightest training pixel of each channel, ``(C,)`` each."""
        self.intensity_low.copy_(low)
        self.intensity_high.copy_(high)
        self.fitted.fill_(True)

    def limits(self) -> tuple[Tensor, Tensor]:
        """Return the lowest and highest plausible intensity of each channel, ``(C,)`` each."""
        margin = _MARGIN * (self.intensity_high - self.intensity_low)
        return self.intensity_low - margin, self.intensity_high + margin

    def outside(self, images: Tensor) -> Tensor:
        """Return which images ``(N, C, H, W)`` hold intensities beyond the trained range."""
        low, high = (limit[:, None, None] for limit in self.limits())
        stray = (images < low) | (images > high) | ~torch.isfinite(images)
        return (stray.to(torch.float32).mean((2, 3)) > _STRAY_PIXELS).any(1)

    def check(self, images: Tensor) -> None:
        """Refuse images of another intensity scale than the network was trained on.

        Raises
        ------
        InvalidInputError
            If more than 1 % of an image's pixels lie outside the trained range of a channel,
            widened by half its span at both ends.
        """
        if not bool(self.fitted) or not len(images):
            return
        wrong = self.outside(images)
        if not bool(wrong.any()):
            return
        first = int(wrong.nonzero()[0, 0])
        low, high = float(self.intensity_low.min()), float(self.intensity_high.max())
        raise InvalidInputError(
            f"`images` must have intensities as in training, {low:.3g} to {high:.3g}; got "
            f"{float(images[first].min()):.3g} to {float(images[first].max()):.3g} in image "
            f"{first} ({int(wrong.sum())} of {len(images)} images are outside): scale them with "
            "the scaling of the crop store the network was trained from."
        )
