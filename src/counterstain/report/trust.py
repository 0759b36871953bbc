"""Whether the counterfactuals hold up, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from counterstain.report.audit_data import withheld
from counterstain.report.data import RunData
from counterstain.report.numbers import as_estimate, count, decimal, percent, scientific
from counterstain.report.sentences import flips

__all__ = ["trust", "trust_status"]

_FLIP_GOOD = 0.6


_TRUST = {
    "good": "The counterfactuals hold up",
    "mixed": "The counterfactuals hold up, but not in every direction",
    "weak": "The counterfactuals do not hold up, and their pictures prove little",
    "unknown": "The counterfactuals could not be judged",
}
_DOUBT = "With a red audit, counterfactuals show what the network uses, and that may be a shortcut."


def trust_status(data: RunData) -> str:
    """Return how the counterfactuals fare: "good", "mixed", "weak" or "unknown"."""
    shares = [f.oracle.value for f in flips(data) if f.oracle.is_defined]
    if not shares:
        return "unknown"
    if min(shares) >= _FLIP_GOOD:
        return "good"
    return "mixed" if max(shares) >= _FLIP_GOOD else "weak"


def trust(data: RunData) -> str:
    """Say whether the counterfactuals hold up before a measurement that never saw the network."""
    if data.nothing_to_explain:
        return "Without a difference there are no counterfactuals to judge."
    directions = flips(data)
    if not directions:
        return "The counterfactuals were not judged by an independent measurement in this run."
    oracle = data.metrics["oracle"]
    parts = [str(oracle.get(k) or "") for k in ("channel", "feature", "region")]
    what = " ".join(part.replace("_", " ") for part in parts if part)
    shares = "; ".join(f"{f.source} → {f.target} {percent(f.oracle, 0)}" for f in directions)
    start = f"{_TRUST[trust_status(data)]}: judged"
    if withheld(data) is not None:
        start = f"{_DOUBT} Judged"
    return (
        f"{start} by {what or 'a measurement'}, which never saw the network, this "
        f"share of them crosses to the other class: {shares}. {_inverse_sentence(data)}"
    )


def _inverse_sentence(data: RunData) -> str:
    inverse = data.metrics.get("inverse") or {}
    error = as_estimate(inverse.get("max_error"))
    if not error.is_defined:
        return "The error of the network's inverse was not recorded."
    if inverse.get("kind") == "reconstruction":
        text = (
            "This network has no inverse: an edit adds to the image what the edit changes in its "
            f"reconstruction, and reconstructions miss pixels by up to {decimal(error.value)} of "
            "the intensity range."
        )
    else:
        text = f"The network's inverse is exact to {scientific(error.value)} of the intensity range"
        tolerance = as_estimate(inverse.get("tolerance"))
        if tolerance.is_defined:
            text += f" (tolerance {scientific(tolerance.value)})"
        text += "."
    return text + _left_out(inverse)


def _left_out(inverse: Mapping[str, Any]) -> str:
    """Say how many edits ended early or were refused; nothing where none was."""
    stopped, refused = (int(inverse.get(key) or 0) for key in ("n_stopped", "n_refused"))
    text = ""
    if stopped:
        text += f" {count(stopped)} edits ended early, before they would have left the data."
    if refused:
        text += f" {count(refused)} were left out, since their error bound is above the tolerance."
    return text
