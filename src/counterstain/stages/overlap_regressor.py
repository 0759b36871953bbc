"""Overlap predicted from images alone, against a constant and against plain intensities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from counterstain.networks.patch_file import load_patch_network, save_patch_network
from counterstain.plates.store import CropStore
from counterstain.plates.wells import well_names
from counterstain.run_folder import RunFolder
from counterstain.stages.overlap_errors import error_histograms, prediction_errors
from counterstain.stages.progress import Listener, Silent
from counterstain.training.device import choose_machine
from counterstain.training.patch_intensities import predict_from_intensities
from counterstain.training.patch_parts import PARTS, assign_parts
from counterstain.training.patch_regression import (
    HEADS,
    OverlapTargets,
    TrainedRegressor,
    fit_regressor,
    predict_overlap,
)
from counterstain.training.patch_settings import PatchLearning
from counterstain.training.patch_source import PatchSource

__all__ = ["learn_overlap"]


def learn_overlap(
    settings: PatchLearning,
    folder: RunFolder,
    patches: pd.DataFrame,
    stores: Mapping[str, CropStore],
    *,
    listener: Listener | None = None,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Train regressors of the overlap (IoU) on patches of all wells; test on wells held out.

    Encoders start from ``models/overlap_autoencoder_KIND`` where it is there. Writes
    ``models/overlap_regressor_KIND.safetensors`` and ``.json``: the one that does best on
    validation wells.

    Parameters
    ----------
    settings : PatchLearning
        Kinds, steps, seed.
    folder : RunFolder
        Where models are.
    patches : DataFrame
        A row a patch in the order of the stores: ``Metadata_*``, ``class_name``, ``faulty``,
        ``iou`` (0 where faulty).
    stores : mapping of str to CropStore
        ``plain`` and ``masked``.
    listener : Listener, optional
        Who is told how far it is.

    Returns
    -------
    columns : DataFrame
        Index of `patches`; ``part``, and ``iou_predicted_KIND``.
    metrics : dict
        By kind: ``train``, ``validation``, ``test`` and ``test_good`` (without faulty patches),
        each with the errors of `prediction_errors` for the ``network``, the ``constant`` (mean of
        the training patches), ``ridge`` and ``boosted trees`` on intensities; ``test_wells`` (means
        of good patches a well); ``histograms`` and ``errors`` of the test patches; ``tried`` and
        ``chosen``.

    Raises
    ------
    InvalidInputError
        If a kind has no store, or a class has fewer than three wells.
    """
    hears = listener or Silent()
    parts = assign_parts(patches, folds=settings.folds, group=settings.group, seed=settings.seed)
    faulty = patches["faulty"].to_numpy(bool)
    iou = np.where(faulty, 0, patches["iou"].to_numpy(np.float32)).astype(np.float32)
    ids = [np.flatnonzero(parts == part) for part in PARTS]
    targets = OverlapTargets(iou, faulty, ids[0], ids[1])
    columns = pd.DataFrame({"part": parts}, index=patches.index)
    wells = well_names(patches)
    metrics: dict[str, Any] = {}
    for kind in settings.images:
        source = PatchSource(stores, kind)
        tried = _try_heads(settings, folder, source, targets, hears)
        best = min(tried, key=lambda one: one.validation_rmse)
        device = choose_machine(settings.device).device
        found = predict_overlap(best.network, source, np.arange(len(patches)), device=device)
        facts = {"images": kind, "channels": list(source.channels), "head": best.head}
        save_patch_network(best.network.cpu(), folder.models / f"overlap_regressor_{kind}", facts)
        others = predict_from_intensities(source.images, iou, ids[0], seed=settings.seed)
        constant = np.full(len(iou), iou[ids[0]].mean())
        predicted = {"network": found, "constant": constant, **others}
        metrics[kind] = _judge(predicted, targets, parts, wells) | _tried(tried, best)
        columns[f"iou_predicted_{kind}"] = found
    return columns, metrics


def _try_heads(
    settings: PatchLearning,
    folder: RunFolder,
    source: PatchSource,
    targets: OverlapTargets,
    listener: Listener,
) -> list[TrainedRegressor]:
    path = folder.models / f"overlap_autoencoder_{source.kind}"
    encoder: Mapping[str, torch.Tensor] | None = None
    if path.with_suffix(".json").is_file():
        encoder = load_patch_network(path)[0].encoder.state_dict()
    return [
        fit_regressor(
            head,
            source,
            targets,
            settings,
            encoder=encoder,
            device=choose_machine(settings.device).device,
            progress=listener.track(f"regressor ({head}) of {source.kind} patches"),
        )
        for head in HEADS
    ]


def _judge(
    predicted: Mapping[str, NDArray[Any]],
    targets: OverlapTargets,
    parts: NDArray[np.str_],
    wells: NDArray[np.str_],
) -> dict[str, Any]:
    """Measure the errors by part; of the wells, from the means of their good patches."""
    rows = {part: parts == part for part in PARTS}
    rows["test_good"] = rows["test"] & ~targets.faulty
    found: dict[str, Any] = {
        name: {
            model: prediction_errors(targets.iou[chosen], values[chosen])
            for model, values in predicted.items()
        }
        for name, chosen in rows.items()
    }
    test, good = rows["test"], rows["test_good"]
    both = pd.DataFrame({"true": targets.iou, "predicted": predicted["network"]})[good]
    means = both.groupby(wells[good]).mean()
    found["test_wells"] = prediction_errors(means["true"].to_numpy(), means["predicted"].to_numpy())
    found |= error_histograms(targets.iou[test], predicted["network"][test])
    constant = found["test"]["constant"]["rmse"]
    found["rmse_of_constant"] = found["test"]["network"]["rmse"] / constant if constant else None
    return found


def _tried(tried: list[TrainedRegressor], best: TrainedRegressor) -> dict[str, Any]:
    rows = [
        {
            "head": one.head,
            "start": one.start,
            "validation_rmse": one.validation_rmse,
            "history": one.history,
        }
        for one in tried
    ]
    return {"tried": rows, "chosen": best.head}
