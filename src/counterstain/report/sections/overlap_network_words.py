"""What is said of networks that saw patches; each number is of wells that were held out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from counterstain.report.numbers import as_estimate, count, decimal, percent, plain_percent
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.overlap_words import joined, probability

__all__ = [
    "IMAGE_WORDS",
    "classifier_sentence",
    "network_sentences",
    "parts_of",
    "regressor_sentence",
    "structure_words",
]

IMAGE_WORDS: Mapping[str, str] = {"plain": "plain patches", "masked": "masked patches"}
"""Kinds of images, in their order."""
_CHANCE = 0.05
_LARGE_GAP = 0.05


def parts_of(overlap: OverlapData, name: str) -> dict[str, Mapping[str, Any]]:
    """Return what was learnt of each kind of image; empty where nothing was."""
    found = overlap.numbers.get(name) or {}
    return {k: found[k] for k in IMAGE_WORDS if isinstance(found.get(k), Mapping)}


def structure_words(found: Mapping[str, Any], label: str) -> str:
    """Say whether points of one label lie together beyond chance, with the numbers.

    There are two numbers, so that the smaller p counts double (Bonferroni).

    Parameters
    ----------
    found : mapping
        As of `ClusterSeparation.to_json`.
    label : str
        What the points are labelled by.

    Returns
    -------
    str
        Words; a p above 0.05 is "no structure beyond chance".

    Examples
    --------
    >>> found = {"silhouette": 0.01, "silhouette_chance": 0.0, "silhouette_p": 0.4, "purity": 0.35,
    ...          "purity_chance": 0.33, "purity_p": 0.2, "neighbours": 15}
    >>> structure_words(found, "drug")[:27]
    'no structure beyond chance '
    """
    numbers = {k: as_estimate(v).value for k, v in found.items() if k != "reason"}
    ps = [numbers.get(k, float("nan")) for k in ("silhouette_p", "purity_p")]
    known = [p for p in ps if p == p]
    if not known:
        return f"not judged ({found.get('reason') or f'too few wells of a {label}'})"
    sure = len(known) * min(known) <= _CHANCE
    words = "same labels lie together beyond chance" if sure else "no structure beyond chance"
    return (
        f"{words} (silhouette {decimal(numbers['silhouette'])} against "
        f"{decimal(numbers['silhouette_chance'])} shuffled, {probability(ps[0])}; of "
        f"{count(numbers['neighbours'])} neighbours {plain_percent(numbers['purity'], 0)} alike "
        f"against {plain_percent(numbers['purity_chance'], 0)}, {probability(ps[1])})"
    )


def classifier_sentence(kind: str, found: Mapping[str, Any]) -> str:
    """Say how well the classifier does on wells it never saw, beside those it learnt from."""
    accuracy = (found.get("accuracy") or {}).get("patch") or {}
    train, gap = (as_estimate(accuracy.get(k)).value for k in ("train", "gap"))
    test = as_estimate(((found.get("test") or {}).get("accuracy") or {}).get("crop"))
    if not test.is_defined:
        return f"The classifier of {IMAGE_WORDS[kind]} has no accuracy: {test.reason}."
    others = [
        f"{plain_percent(as_estimate(shares.get('test')).value)} {words}"
        for level, words in (
            ("patch_in_field", "of patches when those of a field are called together"),
            ("well", "of wells"),
        )
        if (shares := (found.get("accuracy") or {}).get(level))
    ]
    text = (
        f"From {IMAGE_WORDS[kind]}, the classifier calls {percent(test)} of the patches of "
        f"held-out wells right, {plain_percent(train)} of those it learnt from: a gap of "
        f"{decimal(100 * gap, 1)} points."
    )
    text += f" It calls {joined(others)} right." if others else ""
    if gap > _LARGE_GAP:
        text += " So large a gap says that much of what it learnt are its own wells."
    return text


def regressor_sentence(kind: str, found: Mapping[str, Any]) -> str:
    """Say how far predicted overlap is from measured overlap, and from what is simpler."""
    test = found.get("test") or {}
    network = {k: as_estimate(v).value for k, v in (test.get("network") or {}).items()}
    if "rmse" not in network:
        return f"The regressor of {IMAGE_WORDS[kind]} has no errors to tell."
    others = [
        f"{decimal(as_estimate(errors.get('rmse')).value, 3)} for {_model(name)}"
        for name, errors in test.items()
        if name != "network"
    ]
    simpler = [as_estimate(e.get("rmse")).value for k, e in test.items() if k != "network"]
    beaten = any(rmse <= network["rmse"] for rmse in simpler)
    verdict = " Something simpler does as well: the network adds nothing here." if beaten else ""
    return (
        f"From {IMAGE_WORDS[kind]}, the IoU of held-out patches is predicted with an RMSE of "
        f"{decimal(network['rmse'], 3)} (R² {decimal(network['r2'])}, Spearman "
        f"{decimal(network['spearman'])}; {joined(others)}); the histograms of measured and "
        f"predicted IoU lie {plain_percent(network['wasserstein_of_range'])} of the range apart."
        f"{verdict}"
    )


def _model(name: str) -> str:
    names = {"constant": "a constant", "ridge": "a ridge regression on intensities",
             "boosted trees": "boosted trees on intensities"}  # fmt: skip
    return names.get(name, name)


def network_sentences(overlap: OverlapData) -> list[str]:
    """Return the findings on networks, or why there are none."""
    sentences = []
    parts = {
        "latent_space": ("latent space", None),
        "classifier": ("classifier", classifier_sentence),
        "regressor": ("regressor", regressor_sentence),
    }
    for name, (words, say) in parts.items():
        found = parts_of(overlap, name)
        reason = (overlap.numbers.get(name) or {}).get("reason")
        if not found and reason:
            sentences.append(f"No {words}: {overlap.data.without_paths(str(reason)).rstrip('.')}.")
        if say is not None:
            sentences += [say(kind, content) for kind, content in found.items()]
    return sentences
