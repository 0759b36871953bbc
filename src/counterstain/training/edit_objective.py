"""What trains an autoencoder's edit: a critic, a way back, and a price for every change."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from counterstain.networks.autoencoder import AutoencoderNetwork

__all__ = ["Critic", "EditLosses", "EditObjective"]

# An edit between classes that are not told apart yet teaches nothing; but some never are.
_WARM_UP_STEPS = (60, 240)
_WEIGHTS = {
    "reconstruction": 10.0,
    "cross_entropy": 1.0,
    "realism": 1.0,
    "cycle": 5.0,
    "agreement": 0.1,
    "change": 2.5,
    "alignment": 1.0,
}
# The critic learns faster than what it judges (Heusel et al. 2017, doi:10.48550/arXiv.1706.08500),
# and both forget old gradients soon, since the loss keeps changing.
_NETWORK_RATE = 0.5
_MOMENTA = (0.5, 0.99)
# Averages over about fifty minibatches say where the classes lie by now.
_MEMORY = 0.02
# A direction that hardly changes the log-odds would need a step without measure; then the normal.
_SMALLEST_COSINE = 0.05


class EditLosses(NamedTuple):
    """Parts of the loss of one minibatch.

    Parameters
    ----------
    total : Tensor
        What is minimised: the network's losses, weighted, plus the critic's own.
    logits : Tensor
        ``(N, K)`` of the unedited images.
    cross_entropy : Tensor
        Mean over the images.
    """

    total: Tensor
    logits: Tensor
    cross_entropy: Tensor


class Critic(nn.Module):
    """Say of an image and a class whether the image is a real one of that class.

    Spectrally normalised convolutions (Miyato et al. 2018, doi:10.48550/arXiv.1802.05957), one
    output a class, averaged over all places.

    Parameters
    ----------
    channels, n_classes : int
        Of the images.
    width : int
        Channels of the first layer.
    halvings : int
        How often resolution is halved; deeper for larger images.

    Examples
    --------
    >>> critic = Critic(2, 3, 4, 3)
    >>> critic(torch.zeros(5, 2, 16, 16), torch.zeros(5, dtype=torch.long)).shape
    torch.Size([5])
    """

    def __init__(self, channels: int, n_classes: int, width: int, halvings: int) -> None:
        super().__init__()

        def layer(before: int, after: int, kernel: int, stride: int) -> list[nn.Module]:
            convolution = nn.Conv2d(before, after, kernel, stride, padding=1)
            return [spectral_norm(convolution), nn.LeakyReLU(0.2)]

        wide = 2 * width
        layers = [nn.PixelUnshuffle(2), *layer(4 * channels, width, 3, 1)]
        layers += [*layer(width, wide, 4, 2), *layer(wide, wide, 3, 1)]
        for _ in range(halvings - 2):
            layers += layer(wide, wide, 4, 2)
        self.features = nn.Sequential(*layers)
        self.scores = spectral_norm(nn.Conv2d(wide, n_classes, 1))

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        """Return a score ``(N,)`` for images on the asinh scale; positive is real."""
        scores = self.scores(self.features(images)).mean((2, 3))
        return cast("Tensor", scores.gather(1, classes[:, None])[:, 0])


def _frozen(module: nn.Module, *inputs: Tensor) -> Tensor:
    """Run a module so that gradients reach its inputs but not its weights."""
    weights = {name: value.detach() for name, value in module.named_parameters()}
    return cast("Tensor", functional_call(module, weights, inputs))


class EditObjective(nn.Module):
    """Reconstruction and cross-entropy, and an edit that a critic takes for the other class.

    Each image gets a partner of another class. Its latents are moved, the same step at every
    place, until its log-odds are its partner's, and ``x' = x + D(z') - D(z)`` is asked to

    * be taken by a class-conditional critic for a real image of the partner's class (hinge loss:
      Lim and Ye 2017, doi:10.48550/arXiv.1705.02894). The critic also learns to refuse real
      images under a wrong class (Reed et al. 2016, doi:10.48550/arXiv.1605.05396), so what it
      asks for is the class, and not only a clean picture;
    * give the original again when it is encoded and moved back (Zhu et al. 2017,
      doi:10.48550/arXiv.1703.10593; with many classes Choi et al. 2018,
      doi:10.48550/arXiv.1711.09020);
    * have the partner's log-odds when it is encoded again, weakly, by an encoder that is not
      trained for it: alone, this makes adversarial noise;
    * change little.

    The step runs in turns along the head's normal, along that times the latents' covariance within
    classes (Haufe et al. 2014, doi:10.1016/j.neuroimage.2013.10.067), and to the class's mean, so
    that each is an edit to ask for later. Weights and latents are drawn to where normal, pattern
    and difference of the class means are parallel, so that the three are nearly one.

    Parameters
    ----------
    network : AutoencoderNetwork
        The network to train.
    label_smoothing : float
        Share of the target spread over all classes.

    Attributes
    ----------
    critic : Critic
        Trained beside the network, thrown away after.
    """

    step: Tensor
    accuracy: Tensor
    means: Tensor
    covariance: Tensor

    def __init__(self, network: AutoencoderNetwork, label_smoothing: float) -> None:
        super().__init__()
        self.network = network
        self.label_smoothing = label_smoothing
        places = network.latent_shape[1]
        halvings = max(3, round(math.log2(network.size / places)) + 1)
        width = max(4, int(network.arguments["hidden"]) // 2)
        self.critic = Critic(network.channels, network.n_classes, width, halvings)
        latents = network.latent_shape[0]
        self.register_buffer("step", torch.tensor(0))
        self.register_buffer("accuracy", torch.tensor(0.0))
        self.register_buffer("means", torch.zeros(network.n_classes, latents))
        self.register_buffer("covariance", torch.eye(latents))

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return the network's parameters and the critic's, each with its own settings of Adam."""
        return [
            {
                "params": list(self.network.parameters()),
                "lr": _NETWORK_RATE * learning_rate,
                "betas": _MOMENTA,
            },
            {"params": list(self.critic.parameters()), "lr": learning_rate, "betas": _MOMENTA},
        ]

    def forward(self, images: Tensor, classes: Tensor) -> EditLosses:
        """Return the losses of images ``(N, C, H, W)`` of classes ``(N,)``."""
        original = self.network.compress(images)
        maps = self.network.encoder(original).float()  # half precision ends at the convolutions
        averages = maps.mean((2, 3))
        logits = self.network.linear(averages).float()
        plain = self.network.decoder(maps).float()
        entropy = functional.cross_entropy(logits, classes, label_smoothing=self.label_smoothing)
        total = _WEIGHTS["cross_entropy"] * entropy
        total = total + _WEIGHTS["reconstruction"] * functional.l1_loss(plain, original)
        self._remember(averages.detach(), logits.detach(), classes)
        others = classes[:, None] != classes[None, :]
        if self._told_apart() and bool(others.any(1).all()):
            total = total + _WEIGHTS["alignment"] * self._misalignment(averages, classes)
            partners = torch.multinomial(others.to(torch.float32), 1)[:, 0]
            total = total + self._edit(original, maps, plain, logits.detach(), classes, partners)
        return EditLosses(total, logits, entropy)

    def _told_apart(self) -> bool:
        first, last = _WARM_UP_STEPS
        halfway = (1 + 1 / self.network.n_classes) / 2
        step = int(self.step)
        return step > last or (step > first and float(self.accuracy) > halfway)

    @torch.no_grad()
    def _remember(self, averages: Tensor, logits: Tensor, classes: Tensor) -> None:
        self.step += 1
        share = max(_MEMORY, 1 / int(self.step))
        self.accuracy.lerp_((logits.argmax(1) == classes).to(self.accuracy.dtype).mean(), share)
        for index in range(self.network.n_classes):
            own = classes == index
            if bool(own.any()):
                self.means[index].lerp_(averages[own].mean(0), share)
        self.covariance.lerp_(_within(averages, classes), share)

    def _misalignment(self, averages: Tensor, classes: Tensor) -> Tensor:
        """Return how far normals, patterns and differences of means are from parallel, 0 to 2."""
        weights, _ = self.network.head()
        first, second = torch.triu_indices(len(weights), len(weights), 1, device=weights.device)
        normals = weights[first] - weights[second]
        typical = self.means[first] - self.means[second]
        # One minibatch is too few to tell the covariance by, but enough to say how it changes.
        noisy = _within(averages, classes)
        patterns = normals @ (self.covariance + noisy - noisy.detach())
        cosines = [
            functional.cosine_similarity(normals, other).mean() for other in (typical, patterns)
        ]
        return 1 - sum(cosines, start=weights.new_zeros(())) / 2

    @torch.no_grad()
    def _direction(self, normal: Tensor, averages: Tensor, target: Tensor) -> Tensor:
        """Return steps ``(N, c)`` that raise the log-odds by one each."""
        turn = int(self.step) % 3
        if turn == 0:
            way = normal
        elif turn == 1:
            way = normal @ self.covariance
        else:
            way = self.means[target] - averages
        smallest = _SMALLEST_COSINE * way.norm(dim=1) * normal.norm(dim=1)
        useful = (way * normal).sum(1, keepdim=True) > smallest[:, None]
        way = torch.where(useful, way, normal)
        return way / (way * normal).sum(1, keepdim=True).clamp_min(1e-8)

    def _edit(
        self,
        original: Tensor,
        maps: Tensor,
        plain: Tensor,
        logits: Tensor,
        source: Tensor,
        partners: Tensor,
    ) -> Tensor:
        target = source[partners]
        weights, offsets = (value.detach() for value in self.network.head())
        normal = weights[target] - weights[source]
        goal = _log_odds(logits[partners], target, source)
        rise = goal - _log_odds(logits, target, source)
        step = rise[:, None] * self._direction(normal, maps.mean((2, 3)), target)
        step = step[:, :, None, None]
        edited = original + self.network.decoder(maps + step) - plain
        loss = _WEIGHTS["realism"] * -_frozen(self.critic, edited, target).mean()
        loss = loss + _WEIGHTS["change"] * functional.l1_loss(edited, original)
        # The way back costs as much as the way there; half of the images show enough of it.
        half = edited[::2]
        again = _frozen(self.network.encoder, half).float()
        back = half + self.network.decoder(again - step[::2]) - self.network.decoder(again)
        loss = loss + _WEIGHTS["cycle"] * functional.l1_loss(back, original[::2])
        found = functional.linear(again.mean((2, 3)), weights, offsets)
        found = _log_odds(found, target[::2], source[::2])
        loss = loss + _WEIGHTS["agreement"] * functional.smooth_l1_loss(found, goal[::2])
        return loss + self._criticism(original, edited.detach(), source, target)

    def _criticism(
        self, original: Tensor, edited: Tensor, source: Tensor, target: Tensor
    ) -> Tensor:
        """Return the critic's own loss."""
        original = original.detach()
        images = torch.cat([original, edited, original[::2]])
        scores = self.critic(images, torch.cat([source, target, target[::2]]))
        real, computed, mistaken = scores.tensor_split([len(source), 2 * len(source)])
        false = functional.relu(1 + computed).mean() + functional.relu(1 + mistaken).mean()
        return functional.relu(1 - real).mean() + false / 2


def _within(averages: Tensor, classes: Tensor) -> Tensor:
    """Return the covariance ``(c, c)`` of averaged latents within their classes."""
    member = (classes[:, None] == classes[None, :]).to(averages.dtype)
    centred = averages - member @ averages / member.sum(1, keepdim=True)
    return (centred.T @ centred / len(centred)).float()


def _log_odds(logits: Tensor, target: Tensor, source: Tensor) -> Tensor:
    rows = torch.arange(len(logits), device=logits.device)
    return logits[rows, target] - logits[rows, source]
