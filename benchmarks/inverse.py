"""Our inverse of `iresnet50` against plain fixed-point iteration, 100 steps a block, same network.

A network is trained for a few steps on simulated cells, so that its blocks have left their start.
Both inverses run in float64 (to the certificate) and in float32 (as for trial edits); the speed
ratio is the median of five paired runs, in turns. The coupling network's bound and error are
measured beside it. Prints one line of JSON and writes it with --json FILE.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from counterstain.networks import InvertibleNetwork, build_network
from counterstain.networks.iresnet import InvertibleResNet
from counterstain.networks.residual import Whitening, haar_merge, unfold_places

SEED = 0
PAIRS = 5
PLAIN_STEPS = 100


def draw_cells(count: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Round nuclei in one channel, a stain that is inside or around them in the other."""
    axis = torch.arange(size) - (size - 1) / 2
    shift = torch.randn(count, 2, generator=generator)
    radius = size / 6 * torch.empty(count).uniform_(0.8, 1.3, generator=generator)
    y = axis[None, :, None] - shift[:, 0, None, None]
    x = axis[None, None, :] - shift[:, 1, None, None]
    distance = torch.sqrt(y.square() + x.square()) / radius[:, None, None]
    nucleus = torch.sigmoid(6 * (1 - distance))
    cell = torch.sigmoid(4 * (2 - distance))
    classes = torch.arange(count) % 2
    inside = classes[:, None, None].float()
    stain = 0.6 * (inside * nucleus + (1 - inside) * (cell - nucleus))
    images = torch.stack([0.7 * nucleus, stain], 1)
    return images + 0.02 * torch.rand(images.shape, generator=generator), classes


def train(network: InvertibleNetwork, size: int, steps: int) -> None:
    generator = torch.Generator().manual_seed(SEED)
    network.train()
    adam = torch.optim.Adam(network.parameters(), 2e-3, betas=(0.9, 0.99))
    for _ in range(steps):
        images, classes = draw_cells(32, size, generator)
        by_class = network.log_prob_by_class(*network.transform(images))
        loss = -by_class.gather(1, classes[:, None]).mean() / network.n_latents
        adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        adam.step()
    network.eval()


@torch.no_grad()
def plain_inverse(network: InvertibleResNet, maps: Tensor) -> Tensor:
    """Iterate ``x <- y - g(x)`` a fixed number of times in every block."""
    x = unfold_places(maps) if network.folds else maps
    for squeezed, layers in reversed(network._layers()):
        for layer in reversed(layers):
            if isinstance(layer, Whitening):
                x = layer.inverse(x)
                continue
            g, y = layer.contraction(x.dtype), x
            for _ in range(PLAIN_STEPS):
                x = y - g.value(x)
        x = haar_merge(x) if squeezed else x
    return network.compression.inverse(x)


def seconds(run: Callable[[], Tensor]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compare(ours: Callable[[], Tensor], plain: Callable[[], Tensor], images: Tensor) -> dict:
    errors = [float((run().to(images) - images).abs().max()) for run in (ours, plain)]
    pairs = [(seconds(ours), seconds(plain)) for _ in range(PAIRS)]
    return {
        "speed_ratio": round(statistics.median(slow / fast for fast, slow in pairs), 2),
        "seconds": round(statistics.median(fast for fast, _ in pairs), 4),
        "seconds_plain": round(statistics.median(slow for _, slow in pairs), 4),
        "error": errors[0],
        "error_plain": errors[1],
    }


def certificate(network: InvertibleNetwork, latents: Tensor, images: Tensor) -> dict:
    decoded = network.decode_with_bound(latents)
    error = (decoded.images.double() - images).abs().flatten(1).amax(1)
    return {
        "bound": float(decoded.error_bound.max()),
        "error": float(error.max()),
        "bound_covers_error": bool((decoded.error_bound.double() >= error).all()),
    }


def measure(size: int, count: int, steps: int) -> dict:
    torch.manual_seed(SEED)
    network = build_network("iresnet50", channels=2, size=size, n_classes=2)
    assert isinstance(network, InvertibleResNet)
    train(network, size, steps)
    images = draw_cells(count, size, torch.Generator().manual_seed(SEED + 1))[0]
    with torch.no_grad():
        maps = network.latent_maps(images)
        precise = network.latent_maps(images.double())
    coupling = build_network("coupling", channels=2, size=size, n_classes=2, hidden=32, blocks=4)
    assert isinstance(coupling, InvertibleNetwork)
    train(coupling, size, steps)
    with torch.no_grad():
        coupled = coupling.encode(images)
    return {
        "float32": compare(
            lambda: network.inverse_transform(maps), lambda: plain_inverse(network, maps), images
        ),
        "float64": compare(
            lambda: network.inverse_transform(precise),
            lambda: plain_inverse(network, precise),
            images.double(),
        ),
        "certified": certificate(network, maps.flatten(1), images.double()),
        "coupling": certificate(coupling, coupled, images.double()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()
    result = {
        "benchmark": "inverse",
        "must_reach": {"speed_ratio": 5, "bound": 1e-4},
        **measure(arguments.size, arguments.images, arguments.steps),
        "plain_steps_a_block": PLAIN_STEPS,
        "size": arguments.size,
        "images": arguments.images,
        "training_steps": arguments.steps,
        "seed": SEED,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
    }
    line = json.dumps(result)
    print(line)
    if arguments.json:
        arguments.json.write_text(line + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
