"""The classifier of patches from the encoder: what is tried, what is kept, how it generalises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.networks.patch_file import load_patch_network, save_patch_network
from counterstain.plates.store import CropStore
from counterstain.plates.wells import well_names
from counterstain.run_folder import RunFolder
from counterstain.stages.overlap_calls import summarise_calls, with_field
from counterstain.stages.progress import Listener, Silent
from counterstain.statistics.inputs import undefined_noted
from counterstain.training.device import choose_machine
from counterstain.training.patch_choices import (
    TriedChoice,
    best_choice,
    fine_tuned_choices,
    frozen_choices,
)
from counterstain.training.patch_classification import (
    ClassifierTrainer,
    ClassTargets,
    class_probabilities,
)
from counterstain.training.patch_parts import PARTS, assign_parts
from counterstain.training.patch_settings import PatchLearning
from counterstain.training.patch_source import PatchSource

__all__ = ["FAULTY", "learn_classes"]

FAULTY = "faulty"
"""Name of the class of faulty patches; always the last."""

_STARTS = ("autoencoder", "regressor")


@dataclass(frozen=True, slots=True)
class _Labelled:
    """Classes of patches, and which count."""

    names: tuple[str, ...]
    index: NDArray[np.int64]
    counts: NDArray[np.bool_]
    parts: NDArray[np.str_]
    wells: NDArray[np.str_]
    fields: NDArray[Any]

    def of(self, part: str) -> NDArray[np.bool_]:
        """Patches of a part that accuracy is measured on: those of wells in a class."""
        return np.asarray(self.counts & (self.parts == part))


def learn_classes(
    settings: PatchLearning,
    folder: RunFolder,
    patches: pd.DataFrame,
    stores: Mapping[str, CropStore],
    *,
    listener: Listener | None = None,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Train classifiers of the screen's classes and ``faulty``; whole wells are held out.

    Encoders start from ``models/overlap_autoencoder_KIND`` and ``models/overlap_regressor_KIND``.
    Frozen or fine-tuned, weight decay, augmentation and the step to stop at are chosen on
    validation wells. Faulty patches of all wells train the class ``faulty``; accuracy is that of
    the wells in a class, with theirs. Writes ``models/overlap_classifier_KIND.safetensors`` and
    ``.json``.

    Parameters
    ----------
    settings : PatchLearning
        Kinds, steps, seed.
    folder : RunFolder
        Where models are.
    patches : DataFrame
        A row a patch in the order of the stores: ``Metadata_*``, ``class_name``, ``faulty``.
    stores : mapping of str to CropStore
        ``plain`` and ``masked``.
    listener : Listener, optional
        Who is told how far it is.

    Returns
    -------
    columns : DataFrame
        Index of `patches`; ``part``, and for each kind ``class_predicted_KIND``,
        ``class_in_field_KIND`` (called together with the patches of its field) and
        ``probability_CLASS_KIND``. Patches of wells in no class are called, too.
    metrics : dict
        By kind: ``class_names``; ``accuracy`` with the shares that are right by ``patch``,
        ``patch_in_field`` and ``well`` for ``train``, ``validation``, ``test``, and the ``gap``
        (train - test); ``test`` and ``test_in_field`` as of `summarise_calls`; ``faulty_recall``
        (test patches of all wells); ``tried``, ``chosen``, ``curves``.

    Raises
    ------
    InvalidInputError
        If there are fewer than two classes, a class has fewer than three wells, or no encoder is
        there to start from.
    """
    hears = listener or Silent()
    labelled = _label(settings, patches)
    columns = pd.DataFrame({"part": labelled.parts}, index=patches.index)
    metrics: dict[str, Any] = {}
    for kind in settings.images:
        source = PatchSource(stores, kind)
        tried = _try_all(settings, folder, source, labelled, hears)
        best = best_choice(tried)
        device = choose_machine(settings.device).device
        found = class_probabilities(
            best.network.to(device), source, np.arange(len(patches)), device=device
        )
        facts = {
            "images": kind,
            "channels": list(source.channels),
            "classes": list(labelled.names),
            "chosen": best.to_json(),
        }
        save_patch_network(best.network.cpu(), folder.models / f"overlap_classifier_{kind}", facts)
        metrics[kind] = _judge(found, labelled, settings.seed) | {
            "tried": [one.to_json() | {"chosen": one is best} for one in tried],
            "chosen": best.to_json(),
            "curves": best.history,
        }
        columns = columns.assign(**_columns(found, labelled, kind))
    return columns, metrics


def _label(settings: PatchLearning, patches: pd.DataFrame) -> _Labelled:
    class_names = sorted(set(patches["class_name"]) - {""})
    if len(class_names) < 2 or FAULTY in class_names:
        raise InvalidInputError(
            f"`class_name` must hold two classes or more, none of them {FAULTY!r}; got "
            f"{class_names}: name the stimulations in `[classes]`."
        )
    names = (*class_names, FAULTY)
    index = np.asarray(pd.Index(names).get_indexer(pd.Index(patches["class_name"])), np.int64)
    index[patches["faulty"].to_numpy(bool)] = len(names) - 1
    parts = assign_parts(patches, folds=settings.folds, group=settings.group, seed=settings.seed)
    wells = well_names(patches)
    fields = pd.Series(wells) + "/" + patches["Metadata_Site"].astype(str).to_numpy()
    classed = (patches["class_name"] != "").to_numpy()
    return _Labelled(names, index, classed, parts, wells, fields.to_numpy())


def _try_all(
    settings: PatchLearning,
    folder: RunFolder,
    source: PatchSource,
    labelled: _Labelled,
    listener: Listener,
) -> list[TriedChoice]:
    encoders: dict[str, Mapping[str, torch.Tensor]] = {}
    for start in _STARTS:
        path = folder.models / f"overlap_{start}_{source.kind}"
        if path.with_suffix(".json").is_file():
            encoders[start] = load_patch_network(path)[0].encoder.state_dict()
    if not encoders:
        raise InvalidInputError(
            f"{folder.models} must hold an encoder of {source.kind} patches to start from; there "
            "is none: learn the latents first."
        )
    of_class = labelled.index >= 0
    training, validation = (
        np.flatnonzero(of_class & (labelled.parts == part)) for part in PARTS[:2]
    )
    targets = ClassTargets(labelled.names, labelled.index, training, validation)
    device = choose_machine(settings.device).device
    trainer = ClassifierTrainer(source, targets, encoders, settings, device)
    choices = frozen_choices(list(encoders))
    progress = listener.track(f"classifiers of {source.kind} patches")
    tried: list[TriedChoice] = []
    for choice in choices:
        tried.append(trainer.try_choice(choice))
        progress(len(tried), len(choices))
    for choice in fine_tuned_choices(best_choice(tried).choice):
        label = f"classifier of {source.kind} patches, {choice.augmentation}"
        tried.append(trainer.try_choice(choice, listener.track(label)))
    return tried


def _judge(probabilities: NDArray[Any], labelled: _Labelled, seed: int) -> dict[str, Any]:
    together = with_field(probabilities, labelled.fields)
    summaries: dict[str, dict[str, Any]] = {}
    for part in PARTS:
        rows = labelled.of(part)
        for name, values in (("", probabilities), ("_in_field", together)):
            with undefined_noted():
                summaries[part + name] = summarise_calls(
                    values[rows],
                    labelled.index[rows],
                    labelled.wells[rows],
                    labelled.names,
                    seed=seed,
                )
    levels = {"patch": ("", "crop"), "patch_in_field": ("_in_field", "crop"), "well": ("", "well")}
    accuracy: dict[str, Any] = {}
    for level, (name, unit) in levels.items():
        by_part = {part: summaries[part + name]["accuracy"][unit]["value"] for part in PARTS}
        accuracy[level] = by_part | {"gap": by_part["train"] - by_part["test"]}
    fault = len(labelled.names) - 1
    faulty = (labelled.parts == PARTS[2]) & (labelled.index == fault)
    recall = float((probabilities[faulty].argmax(1) == fault).mean()) if faulty.any() else None
    return {
        "class_names": list(labelled.names),
        "accuracy": accuracy,
        "test": summaries["test"],
        "test_in_field": summaries["test_in_field"],
        "faulty_recall": {"value": recall, "n_patches": int(faulty.sum())},
    }


def _columns(
    probabilities: NDArray[Any], labelled: _Labelled, kind: str
) -> dict[str, NDArray[Any]]:
    names = np.array(labelled.names)
    together = with_field(probabilities, labelled.fields)
    return {
        f"class_predicted_{kind}": names[probabilities.argmax(1)],
        f"class_in_field_{kind}": names[together.argmax(1)],
        **{
            f"probability_{name}_{kind}": probabilities[:, k]
            for k, name in enumerate(labelled.names)
        },
    }
