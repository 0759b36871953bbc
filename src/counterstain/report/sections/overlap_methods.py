"""How overlap was measured: a paragraph for a paper, settings, and limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from counterstain.report.numbers import count
from counterstain.report.overlap_data import OverlapData

__all__ = ["overlap_limits", "overlap_methods", "overlap_settings"]

_FEW = 4


def overlap_methods(overlap: OverlapData) -> str:
    """Return a paragraph for the methods section of a paper."""
    section, (a, b) = overlap.data.section("overlap"), overlap.kinds
    numbers = overlap.numbers
    chance = {
        "local": "within the cells’ own density (local shifts)",
        "torus": "over the whole field (on a torus)",
    }.get(str(section.get("null")), "at random")
    sentences = [
        f"Masks of {a} and {b} were made in each field {_masks(section)}.",
        "Overlap is the intersection over union (IoU) of the two masks, pooled over the pixels of "
        f"a well; a {_one(a)} touches a {_one(b)} where their masks lie at most "
        f"{_px(section.get('distance'))} apart.",
        f"Overlap by chance is the mean over shifts of one mask {chance}; above chance is (IoU − "
        "expected) / (1 − expected).",
        f"Fields were cut into patches of {_px(section.get('patch'))}. Faulty fields (focus, "
        "saturation, debris, outlying intensity) and faulty patches have no part in any mean.",
        "Wells were compared with Welch’s test and Benjamini–Hochberg’s correction; intervals are "
        "95 % intervals over wells (expanded BCa bootstrap, Hesterberg 2015, "
        "doi:10.1080/00031305.2015.1089789).",
    ]
    if (numbers.get("interaction") or {}).get("source") == "youden":
        sentences.append(
            "The threshold of interaction maximises Youden’s index on control wells (Youden 1950, "
            "doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3)."
        )
    run = overlap.data.run
    sentences.append(f"counterstain {run.get('version') or '?'}, seed {run.get('seed', '?')}.")
    return " ".join(sentences)


def _masks(section: Mapping[str, Any]) -> str:
    kind, level = section.get("masks"), section.get("threshold")
    if kind == "threshold" and isinstance(level, (int, float)):
        return f"at the grey value {level:g}"
    names = {"otsu": "Otsu’s threshold", "triangle": "the triangle threshold",
             "mean_sd": f"a threshold of mean + {section.get('sd_factor', 1):g} SD",
             "local": f"a local threshold (window {_px(section.get('window'))})"}  # fmt: skip
    return {
        "threshold": f"with {names.get(str(level), 'a threshold')}",
        "kmeans": "with k-means of the intensities (two clusters, k-means++)",
        "unet": "with a U-Net",
        "labels": "outside of counterstain (label images)",
    }.get(str(kind), "by means that were not recorded")


def _px(value: Any) -> str:
    return f"{value:g}\N{NO-BREAK SPACE}px" if isinstance(value, (int, float)) else "? px"


def _one(kind: str) -> str:
    """Return the singular of a kind of cells where its name is a plural.

    Examples
    --------
    >>> _one("T cells"), _one("FITC")
    ('T cell', 'FITC')
    """
    return kind.removesuffix("s") if kind.endswith("cells") else kind


def overlap_settings(overlap: OverlapData) -> list[tuple[str, str]]:
    """Return rows for the table of settings."""
    section, numbers = overlap.data.section("overlap"), overlap.numbers
    threshold = section.get("threshold") if section.get("masks") == "threshold" else None
    rows = [
        ("kinds of cells", ", ".join(overlap.kinds)),
        ("masks", " ".join(str(p) for p in (section.get("masks"), threshold) if p)),
        ("measure", overlap.words()),
        ("chance", str(section.get("null") or "")),
        ("patches", f"{_px(section.get('patch'))}, {section.get('patches_per_field')} a field"),
        ("patches kept as pictures", count(float(numbers.get("n_stored_patches") or 0))),
        ("readout", str((numbers.get("readout") or {}).get("file") or "none")),
    ]
    return [row for row in rows if row[1]]


def overlap_limits(overlap: OverlapData) -> list[str]:
    """Return what the overlap of a run does not show."""
    a, b = overlap.kinds
    items = [
        f"Overlap is seen in a projection: {a} and {b} that share pixels can lie above each other "
        "without touching, and blur makes masks larger than cells.",
        "Chance is a model: shifted masks keep the cells’ shapes and density, not what draws both "
        "kinds to the same place, such as an edge of the well or a clump of debris.",
        "Patches of one well are no independent observations: histograms show them, no test counts "
        "them.",
    ]
    table = overlap.data.table("overlap_treatments")
    if table is not None and len(table) and int(table["n_wells"].min()) < _FEW:
        items.append(
            f"Some treatments have {int(table['n_wells'].min())} wells only: their intervals are "
            "too narrow, and a single odd well decides them."
        )
    if not (overlap.numbers.get("readout") or {}).get("curves"):
        items.append("No other measurement of the same wells was given: the masks are the only "
                     "judge of the overlap.")  # fmt: skip
    return items
