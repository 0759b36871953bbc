"""Stage: what networks make of the patches: latent space, regressor of overlap, classifier."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from counterstain.config import OverlapConfig, ScreenConfig
from counterstain.errors import InvalidInputError
from counterstain.files import atomic_path
from counterstain.plates.screen import Screen
from counterstain.plates.splits import choose_group
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder
from counterstain.stages.overlap import add_overlap_metrics
from counterstain.stages.overlap_classifier import learn_classes
from counterstain.stages.overlap_latent import learn_latents
from counterstain.stages.overlap_regressor import learn_overlap
from counterstain.stages.progress import Listener
from counterstain.stages.record import RunRecord
from counterstain.training.patch_settings import PatchLearning

__all__ = ["learn_patches"]

# Encoders of the later ones start from those of the earlier ones.
_PARTS: dict[str, Callable[..., tuple[pd.DataFrame, dict[str, Any]]]] = {
    "latent_space": learn_latents,
    "regressor": learn_overlap,
    "classifier": learn_classes,
}
# Seconds that the usual steps take on the reference machine, both kinds of images together.
_USUAL_S = 600.0
_STEPS = ("autoencoder_steps", "regressor_steps", "classifier_steps")


def learn_patches(screen: Screen, folder: RunFolder, record: RunRecord, listener: Listener) -> None:
    """Train the networks, and write what they say of each kept patch.

    Makes ``tables/overlap_latents.parquet`` (a row a kept patch), ``overlap_reconstructions.npz``
    and ``models/overlap_*``. What cannot be learnt, as of classes with too few wells, is said in
    ``metrics.json`` and the rest goes on.
    """
    config = screen.config
    if not config.overlap.learning:
        folder.table("overlap_latents").unlink(missing_ok=True)
        reason = "nothing was learnt: `overlap.learning` is false"
        add_overlap_metrics(folder, {part: {"reason": reason} for part in _PARTS})
        return
    patches = pd.read_parquet(folder.table("overlap_patches"))
    patches = patches[patches["patch"] >= 0].sort_values("patch").reset_index(drop=True)
    settings = learning_settings(config, choose_group(screen.wells, config.split.group))
    with contextlib.ExitStack() as stack:
        paths = {"plain": folder.patches, "masked": folder.masked_patches}
        stores = {k: stack.enter_context(CropStore.open(path)) for k, path in paths.items()}
        content: dict[str, Any] = {}
        for name, learn in _PARTS.items():
            try:
                columns, content[name] = learn(settings, folder, patches, stores, listener=listener)
            except InvalidInputError as error:
                content[name] = {"reason": str(error)}
                listener.say(f"note: {name.replace('_', ' ')}: {error}")
                continue
            new = [str(column) for column in columns if column not in patches]
            patches = patches.assign(**{column: columns[column] for column in new})
    with atomic_path(folder.table("overlap_latents")) as path:
        patches.to_parquet(path, index=False)
    add_overlap_metrics(folder, content)


def learning_settings(config: ScreenConfig, group: str) -> PatchLearning:
    """Return what is learnt and for how long.

    Parameters
    ----------
    config : ScreenConfig
        The screen's configuration.
    group : str
        Column whose values no two of training, validation and test share.

    Examples
    --------
    >>> from counterstain.config import ImagesConfig
    >>> images = ImagesConfig(pattern="{well}_{channel}.tif", channels=("T", "DC"))
    >>> classes = {"a": {"Metadata_A": "a"}, "b": {"Metadata_A": "b"}}
    >>> config = ScreenConfig(images=images, classes=classes, overlap={"budget": "5 min"})
    >>> learning_settings(config, "Metadata_Well").autoencoder_steps
    175
    """
    overlap: OverlapConfig = config.overlap
    settings = PatchLearning(
        images=overlap.images,
        seed=config.run.seed,
        group=group,
        latents=overlap.latents,
        device=config.run.device,
    )
    if overlap.budget is None:
        return settings
    share = overlap.budget / _USUAL_S
    steps = {name: max(1, round(getattr(settings, name) * share)) for name in _STEPS}
    return replace(settings, **steps)
