"""Stage: what the networks draw of their own: samples, morphs, reconstructions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from counterstain.config import ScreenConfig
from counterstain.files import atomic_path, read_json, write_json
from counterstain.networks.checkpoint import load_network
from counterstain.networks.generation import morph_images, sample_images
from counterstain.networks.generative import GenerativeClassifier
from counterstain.networks.invertible import InvertibleNetwork
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.boundary import NO_PICTURES
from counterstain.stages.explain import INVERSE_TOLERANCE
from counterstain.stages.progress import Listener
from counterstain.stages.reasons import why_no_pictures
from counterstain.stages.rows import class_index
from counterstain.stages.typical import evenly_scored
from counterstain.training.folds import fold_seed

__all__ = ["generate_gallery"]

_TEMPERATURE = 0.7
_SAMPLES = 8
_DRAWN = 64
_PAIRS = 4
_STEPS = 7
_REBUILT = 6
_Parts = dict[str, list[Any]]


def _samples(
    network: InvertibleNetwork, config: ScreenConfig
) -> tuple[_Parts, dict[str, Any], int]:
    """Draw samples of every class; the first few within the tolerance are shown, all are judged."""
    parts: _Parts = {}
    judged: dict[str, Any] = {}
    n_refused = 0
    for index, name in enumerate(config.class_names):
        drawn = sample_images(
            network,
            index,
            _DRAWN,
            temperature=_TEMPERATURE,
            seed=fold_seed(config.run.seed, index),
            tolerance=math.inf,
        )
        exact = np.flatnonzero((drawn.error_bound <= INVERSE_TOLERANCE).numpy())
        judged[name] = {"n": len(drawn.images), "n_outside": drawn.n_outside}
        n_refused += len(drawn.images) - len(exact)
        for row in exact[:_SAMPLES]:
            _add(parts, "sample", images=drawn.images[row].numpy(),
                 outside=bool(drawn.outside[row]), temperature=_TEMPERATURE,
                 **{"class": index})  # fmt: skip
    return parts, judged, n_refused


def _add(parts: _Parts, group: str, **facts: Any) -> None:
    for key, value in facts.items():
        parts.setdefault(f"{group}_{key}", []).append(value)


def _real(table: pd.DataFrame, config: ScreenConfig, store: CropStore) -> _Parts:
    """Take crops as imaged to show beside the samples: drawn by lot, as those are."""
    parts: _Parts = {}
    classes = class_index(table, config.class_names)
    generator = np.random.default_rng(config.run.seed)
    for index in range(len(config.class_names)):
        rows = np.flatnonzero(classes == index)
        for row in generator.choice(rows, min(_SAMPLES, len(rows)), replace=False):
            record = table.iloc[int(row)]
            _add(parts, "real", images=_pixels(record, store), well=_place(record, store),
                 **{"class": index})  # fmt: skip
    return parts


def _pixels(record: pd.Series, store: CropStore) -> NDArray[np.float32]:
    image: NDArray[np.float32] = store.scaled(np.array([record["crop"]]))[0]
    return image


def _place(record: pd.Series, store: CropStore) -> str:
    well = str(record["Metadata_Well"])
    return f"{well} {record['Metadata_Plate']}" if len(store.plates) > 1 else well


def _morphs(
    network: GenerativeClassifier, table: pd.DataFrame, config: ScreenConfig, store: CropStore
) -> tuple[_Parts, int]:
    """Turn crops of the first class into those of each other class; inexact pictures are NaN."""
    parts: _Parts = {}
    names, n_refused = config.class_names, 0
    chosen = evenly_scored(table, names, max(1, _PAIRS // (len(names) - 1)))
    classes = class_index(table, names)[chosen]
    for target in range(1, len(names)):
        for a, b in zip(chosen[classes == 0], chosen[classes == target], strict=False):
            ends = [table.iloc[int(row)] for row in (a, b)]
            first, second = (torch.from_numpy(_pixels(end, store))[None] for end in ends)
            morphs = morph_images(network, first, second, _STEPS)
            images = morphs.images[0].numpy().copy()
            if network.error_kind == "inverse":
                inexact = ~(morphs.error_bound[0] <= INVERSE_TOLERANCE).numpy()
                images[inexact] = np.nan
                n_refused += int(inexact.sum())
            wells = [_place(end, store) for end in ends]
            _add(parts, "morph", images=images, first=wells[0], second=wells[1], source=0,
                 target=target)  # fmt: skip
    return parts, n_refused


@torch.no_grad()
def _rebuilt(
    network: GenerativeClassifier, table: pd.DataFrame, config: ScreenConfig, store: CropStore
) -> _Parts:
    """Show what a network that does not invert makes of crops by way of its latents."""
    parts: _Parts = {}
    chosen = evenly_scored(table, config.class_names, _REBUILT)
    for row, index in zip(chosen, class_index(table, config.class_names)[chosen], strict=True):
        record = table.iloc[int(row)]
        pixels = _pixels(record, store)
        images = network.decode_with_bound(network.encode(torch.from_numpy(pixels)[None])).images
        rebuilt = images[0].numpy()
        _add(parts, "rebuilt", original=pixels, images=rebuilt, well=_place(record, store),
             error=float(np.abs(rebuilt - pixels).max()), **{"class": int(index)})  # fmt: skip
    return parts


def _gallery_crops(folder: RunFolder, crops: pd.DataFrame) -> tuple[int, pd.DataFrame]:
    """Return a fold whose held-out wells cover most classes, and their crops with scores."""
    scores = pd.read_parquet(folder.table("scores"))
    columns = [c for c in scores.columns if c.startswith(("logit", "prob_"))]
    table = crops[crops["usable"] & (crops["class_name"] != "")]
    covered = table.groupby("fold")["class_name"].nunique()
    fold = int(covered.index.to_numpy(int)[covered.to_numpy(int).argmax()])
    own = table[table["fold"] == fold].merge(scores[["crop", *columns]], on="crop")
    return fold, own.reset_index(drop=True)


def generate_gallery(
    config: ScreenConfig,
    folder: RunFolder,
    crops: pd.DataFrame,
    store: CropStore,
    listener: Listener,
) -> None:
    """Draw samples of every class, morphs between classes and, where apt, reconstructions.

    Writes ``generated.npz`` and the key ``generated`` of ``metrics.json``, which counts the samples
    with intensities that training never saw. All by one network, with crops that it never saw.
    Where there is nothing to explain, or the network cannot be run backwards, only the reason.

    Parameters
    ----------
    config, folder, crops, store, listener
        As for the other stages.
    """
    folder.generated.unlink(missing_ok=True)
    metrics = read_json(folder.metrics)
    reason = why_no_pictures(config, folder, metrics, NO_PICTURES)
    if reason:
        write_json(folder.metrics, metrics | {"generated": {"reason": reason}})
        return
    listener.say("Drawing samples and morphs.")
    fold, table = _gallery_crops(folder, crops)
    network, _ = load_network(folder.models / f"fold_{fold}", channels=store.channels)
    if not isinstance(network, GenerativeClassifier):
        raise TypeError("only networks that run both ways generate pictures")
    parts, n_refused = _morphs(network, table, config, store)
    judged: dict[str, Any] = {}
    no_samples = f"{config.model.network} has no likelihood to draw samples from."
    if isinstance(network, InvertibleNetwork):
        drawn, judged, more = _samples(network, config)
        parts, no_samples = parts | drawn | _real(table, config, store), ""
        n_refused += more
    if network.error_kind == "reconstruction":
        parts |= _rebuilt(network, table, config, store)
    with atomic_path(folder.generated) as temporary, temporary.open("wb") as stream:
        arrays: dict[str, Any] = {key: np.array(value) for key, value in parts.items()}
        np.savez_compressed(stream, **arrays)
    content = {
        "fold": fold,
        "temperature": _TEMPERATURE,
        "samples": judged,
        "no_samples": no_samples,
        "n_refused": n_refused,
        "reason": "",
    }
    write_json(folder.metrics, read_json(folder.metrics) | {"generated": content})
