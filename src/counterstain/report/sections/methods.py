"""How the run was made, in paragraphs for the methods section of a paper.

Everything is read from the run; what it does not hold is not told. Each method is given with the
paper that it is from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from counterstain.figures.attribution_record import method_words
from counterstain.report.chapter import Chapter
from counterstain.report.data import RunData
from counterstain.report.numbers import as_estimate, count, decimal, scientific
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.limits import limits_chapter
from counterstain.report.sections.overlap_methods import overlap_methods

__all__ = ["methods_chapter"]

_NETWORKS = {
    "coupling": "network of additive coupling blocks (Dinh et al. 2014, "
    "doi:10.48550/arXiv.1410.8516; invertible, all latents kept)",
    "iresnet50": "residual network of 16 invertible blocks (Behrmann et al. 2019, "
    "doi:10.48550/arXiv.1811.00995; all latents kept)",
    "autoencoder": "convolutional autoencoder with a linear head and a trained edit",
    "resnext50": "ResNeXt50 classifier (Xie et al. 2017, doi:10.48550/arXiv.1611.05431)",
    "compact": "compact residual classifier",
}
_ATTRIBUTIONS = {
    "saliency": "Simonyan et al. 2014, doi:10.48550/arXiv.1312.6034",
    "smooth_grad": "Smilkov et al. 2017, doi:10.48550/arXiv.1706.03825",
    "integrated_gradients": "Sundararajan et al. 2017, doi:10.48550/arXiv.1703.01365",
    "grad_cam": "Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74",
    "grad_cam_plus_plus": "Chattopadhay et al. 2018, doi:10.1109/WACV.2018.00097",
    "occlusion": "Zeiler and Fergus 2014, doi:10.1007/978-3-319-10590-1_53",
}


def methods_chapter(data: RunData) -> Chapter:
    """Return the paragraphs, each with a heading, and the limits of the run in one of them."""
    parts: list[tuple[str, str]] = []
    if data.run and data.metrics:
        if data.has_classes:
            parts += _class_parts(data)
        if data.has_overlap:
            parts.append(("Overlap", overlap_methods(OverlapData(data))))
        parts.append(("Software", _software(data)))
        parts.append(("Limits", " ".join(limits_chapter(data).content["items"])))
    missing = [data.missing[name] for name in ("run", "metrics") if name in data.missing]
    content = {"parts": [part for part in parts if part[1]], "problems": missing}
    return Chapter("methods", "Methods", "Methods", content)


def _class_parts(data: RunData) -> list[tuple[str, str]]:
    return [
        ("Images", _images(data)),
        ("Network and validation", _network(data)),
        ("Counterfactuals", _counterfactuals(data)),
        ("Attribution and audits", _attributions(data)),
        ("Treatments", _ranking(data)),
        ("Statistics", _statistics(data)),
    ]


def _images(data: RunData) -> str:
    crops = data.section("crops")
    low, high = (crops.get("percentiles") or (0.1, 99.9))[:2]
    n_channels = "one channel" if len(data.channels) == 1 else f"{len(data.channels)} channels"
    size = f"; {data.pixel_size_um:g} µm a pixel" if data.pixel_size_um else ""
    text = (
        f"Images of {n_channels} ({', '.join(data.channels)}) were cut into "
        f"crops of {crops.get('size', '?')} px ({data.noun}{size}); intensities were scaled per "
        f"plate and channel so that the percentiles {low:g} and {high:g} of the negative controls "
        "became 0 and 1."
    )
    quality = data.metrics.get("quality") or {}
    if quality.get("n_fields"):
        text += (
            f" {count(quality.get('n_faulty') or 0)} of {count(quality['n_fields'])} fields were "
            "left out as faulty (focus, saturation, debris, outlying intensity, too few cells)."
        )
    return text


def _network(data: RunData) -> str:
    split, training = data.section("split"), data.metrics.get("training") or {}
    held_out = data.crops.get("held_out") or split.get("group") or "Metadata_Well"
    group = str(held_out).removeprefix("Metadata_").lower()
    labelled = ", ".join(
        f"{name}: {count(n)} wells" for name, n in (data.metrics.get("n_wells") or {}).items()
    )
    name = str(training.get("network") or "?")
    text = (
        f"A {_NETWORKS.get(name, f'{name} network')} was trained on the classes "
        f"({labelled or 'not recorded'}) in {training.get('folds') or split.get('folds') or '?'} "
        f"folds grouped by {group}, so that every crop was scored by a network that never saw its "
        f"{group}. Training took {count(as_estimate(training.get('steps')).value)} steps a fold "
        f"with minibatches of {training.get('minibatch') or '?'} "
        f"({training.get('pretrained') or 'start not recorded'}; "
        f"{training.get('precision') or '?'} on {training.get('device') or '?'})."
    )
    fitted = (data.metrics.get("calibration") or {}).get("temperatures") or []
    if any(value is not None for value in fitted):
        text += (
            " Probabilities were calibrated by one temperature a network, fitted on the wells of "
            "other folds (Guo et al. 2017, doi:10.48550/arXiv.1706.04599)."
        )
    return text


def _counterfactuals(data: RunData) -> str:
    oracle = data.metrics.get("oracle")
    if not isinstance(oracle, Mapping) or data.nothing_to_explain:
        return ""
    section, inverse = data.section("counterfactual"), data.metrics.get("inverse") or {}
    to = section.get("to") or "upper_quartile"
    goal = (
        f"the {to.replace('_', ' ')} of" if isinstance(to, str) else f"a probability of {to:g} in"
    )
    text = (
        "Crops of held-out wells were carried across the decision boundary by an edit of their "
        f"latents to {goal} the target class’s scores and decoded by the network’s inverse"
    )
    error = as_estimate(inverse.get("max_error"))
    text += f" (error at most {scientific(error.value)})." if error.is_defined else "."
    measured = f": {oracle['definition']}" if oracle.get("definition") else ""
    return (
        f"{text} They were judged by a measurement that never saw the network{measured}; the "
        "oracle flip is the share in which it crosses the midpoint between the classes’ medians. A "
        "change was called confirmed where real wells and counterfactuals agree in sign and size."
    )


def _attributions(data: RunData) -> str:
    methods = (data.metrics.get("attribution") or {}).get("methods") or {}
    audits = [audit for audit in data.metrics.get("audits") or [] if isinstance(audit, Mapping)]
    texts = []
    if methods:
        named = [
            f"{method_words(name)} ({_ATTRIBUTIONS[name]})"
            for name in methods
            if name in _ATTRIBUTIONS
        ]
        texts.append(
            f"Attribution maps were made by {', '.join(named)} and put to the sanity checks of "
            "Adebayo et al. 2018 (doi:10.48550/arXiv.1810.03292)."
        )
    if audits:
        found = ", ".join(
            f"{str(audit.get('title') or audit.get('key')).lower()} ({audit.get('status', '?')})"
            for audit in audits
        )
        texts.append(f"The run was audited: {found}.")
    return " ".join(texts)


def _ranking(data: RunData) -> str:
    ranking = data.metrics.get("ranking")
    if not isinstance(ranking, Mapping) or ranking.get("reason"):
        return ""
    settings: Mapping[str, Any] = ranking.get("settings") or {}
    hit = as_estimate(settings.get("hit_rescue")).value
    return (
        f"Treatments were ranked by rescue: the share of the way from {ranking.get('diseased')} "
        f"(0) to {ranking.get('healthy')} (1) wells of the same plate that their wells have gone "
        "along Fisher’s direction with a shrunk covariance (Ledoit and Wolf 2004, "
        "doi:10.1016/S0047-259X(03)00096-4), and by side effect, their agreed distance off that "
        "way. Spreads were moderated over treatments (Smyth 2004, doi:10.2202/1544-6115.1027); "
        "p-values are those of permutations against diseased wells (Phipson and Smyth 2010, "
        f"doi:10.2202/1544-6115.1585); a hit has a rescue of {decimal(hit)} and more. Doses were "
        "fitted by a four-parameter log-logistic (Ritz et al. 2015, "
        "doi:10.1371/journal.pone.0146021)."
    )


def _statistics(data: RunData) -> str:
    text = (
        "The well is the unit of every interval and test. Intervals are 95 % intervals over wells: "
        "expanded BCa bootstrap (Hesterberg 2015, doi:10.1080/00031305.2015.1089789), Wilson where "
        "resamples do not differ, percentiles for the gap closed. Whether classes are told apart "
        "at all was tested by permuting wells (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585)."
    )
    if data.table("effects") is not None:
        text += (
            " Measurements were compared by Welch’s test on well means (Welch 1947, "
            "doi:10.1093/biomet/34.1-2.28), with q-values of Benjamini and Hochberg (1995, "
            "doi:10.1111/j.2517-6161.1995.tb02031.x)."
        )
    if len(data.classes) == 2:
        text += (
            " Z′ follows Zhang et al. 1999 (doi:10.1177/108705719900400206) with sample standard "
            "deviations, SSMD follows Zhang 2007 (doi:10.1016/j.ygeno.2006.12.014); both on "
            "trimmed well means (a tenth at either end) of the out-of-fold score."
        )
    return text


def _software(data: RunData) -> str:
    versions = {str(k): str(v) for k, v in (data.run.get("versions") or {}).items()}
    own = data.run.get("version") or versions.get("counterstain") or "?"
    others = ", ".join(
        f"{k} {v}" for k, v in versions.items() if k not in ("python", "counterstain")
    )
    python = f", Python {versions['python']}" if "python" in versions else ""
    digest = str(data.run.get("config_digest") or "?")[:12]
    return (
        f"counterstain {own}{python}{f' with {others}' if others else ''}; seed "
        f"{data.run.get('seed', '?')}, configuration {digest}."
    )
