"""Interaction, yes or no: a threshold from control wells, and what it does to the calls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_values, warn_undefined
from counterstain.statistics.intervals import wilson_interval
from counterstain.statistics.resampling import well_bootstrap
from counterstain.types import Estimate

__all__ = [
    "DEFAULT_THRESHOLD",
    "CallCounts",
    "InteractionThreshold",
    "calls_by_threshold",
    "interaction_threshold",
]

FloatArray = NDArray[np.float64]

DEFAULT_THRESHOLD = 0.2
"""Threshold where nothing else is known."""

_FEWEST = 2
_BOOTSTRAP = 1000


@dataclass(frozen=True, slots=True)
class InteractionThreshold:
    """A threshold of overlap, and how well it parts wells that interact from those that do not.

    Parameters
    ----------
    threshold : float
        A well interacts where its score is at least this.
    source : {'youden', 'given', 'default'}
        Where it comes from: controls, the caller, or the default.
    sensitivity, specificity : Estimate
        Share of positive control wells called, and of negative ones not called. With ``youden``
        each well is judged by the threshold of the others, so that both hold for wells to come.
    auc : Estimate
        Area under the ROC curve, whatever the threshold.
    false_positive_rate, true_positive_rate, thresholds : tuple of float
        The ROC curve, thresholds falling from infinity.
    reason : str
        Why numbers are NaN; empty otherwise.
    """

    threshold: float
    source: str
    sensitivity: Estimate
    specificity: Estimate
    auc: Estimate
    false_positive_rate: tuple[float, ...] = ()
    true_positive_rate: tuple[float, ...] = ()
    thresholds: tuple[float, ...] = ()
    reason: str = ""

    def calls(self, scores: ArrayLike) -> NDArray[np.bool_]:
        """Say which wells interact; a NaN score does not."""
        return np.asarray(np.asarray(scores, np.float64) >= self.threshold)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; NaN and infinity become None."""
        content = asdict(self)
        for key in ("sensitivity", "specificity", "auc"):
            content[key] = getattr(self, key).to_json()
        content["thresholds"] = [t if math.isfinite(t) else None for t in self.thresholds]
        return content


@dataclass(frozen=True, slots=True)
class CallCounts:
    """What one threshold does.

    Parameters
    ----------
    threshold : float
        A well interacts where its score is at least this.
    called : mapping of str to int
        Wells that interact, by group.
    sensitivity, specificity : Estimate
        By control wells; undefined where there are none.
    changed : int
        Wells of all groups that are called differently than by the reference threshold.
    """

    threshold: float
    called: Mapping[str, int]
    sensitivity: Estimate
    specificity: Estimate
    changed: int

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return asdict(self) | {
            "called": dict(self.called),
            "sensitivity": self.sensitivity.to_json(),
            "specificity": self.specificity.to_json(),
        }


def interaction_threshold(
    negative: ArrayLike,
    positive: ArrayLike,
    *,
    threshold: float | None = None,
    seed: int = 0,
    confidence: float = 0.95,
) -> InteractionThreshold:
    """Choose the overlap from which on cells count as interacting.

    Parameters
    ----------
    negative, positive : array-like of float, shapes (n,) and (m,)
        Overlap of control wells without and with interaction, a finite value a well.
    threshold : float, optional
        A threshold to judge instead. Where not given: the one with the largest Youden index
        (sensitivity + specificity - 1) on the controls, half-way to the next score below it; 0.2
        where a kind of control has fewer than two wells, since nothing else is known then.
    seed : int, default 0
        Seed of the resamples behind the interval of the area under the curve.
    confidence : float, default 0.95
        Coverage of the intervals: Wilson's with wells as trials, and BCa for the area.

    Returns
    -------
    InteractionThreshold
        With reasons and an `UndefinedStatisticWarning` where controls are missing.

    Raises
    ------
    InvalidInputError
        If a score or the threshold is not finite, or the confidence is out of range.

    References
    ----------
    Youden 1950, doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3; Wilson 1927,
    doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> found = interaction_threshold([0.02, 0.05, 0.04], [0.25, 0.31, 0.19])
    >>> round(found.threshold, 3), found.source, found.sensitivity.value
    (0.12, 'youden', 1.0)
    >>> found.calls([0.1, 0.2]).tolist()
    [False, True]
    """
    low, high = as_values(negative, "negative"), as_values(positive, "positive")
    if (threshold is not None and not math.isfinite(threshold)) or not 0 < confidence < 1:
        raise InvalidInputError(
            f"`threshold` must be finite and `confidence` lie between 0 and 1; got {threshold} and "
            f"{confidence}: leave them out for Youden's threshold and 95 %."
        )
    missing = [n for n, a in (("negative", low), ("positive", high)) if a.size < _FEWEST]
    reason = f"fewer than {_FEWEST} {' and '.join(missing)} control wells" if missing else ""
    if reason:
        warn_undefined("threshold from controls", reason)
    if threshold is not None:
        level, source = threshold, "given"
    elif missing:
        level, source = DEFAULT_THRESHOLD, "default"
    else:
        level, source = _youden(low, high), "youden"
    judged = _left_out_calls(low, high) if source == "youden" else (low < level, high >= level)
    curve = ((), (), ()) if missing else _curve(low, high)
    return InteractionThreshold(
        threshold=level,
        source=source,
        sensitivity=_share(judged[1], confidence),
        specificity=_share(judged[0], confidence),
        auc=_area(low, high, seed, confidence, reason),
        false_positive_rate=curve[0],
        true_positive_rate=curve[1],
        thresholds=curve[2],
        reason=reason,
    )


def calls_by_threshold(
    scores: ArrayLike,
    groups: Sequence[str],
    thresholds: ArrayLike,
    *,
    negative: str = "",
    positive: str = "",
    reference: float = DEFAULT_THRESHOLD,
    confidence: float = 0.95,
) -> tuple[CallCounts, ...]:
    """Say how the calls change with the threshold.

    Parameters
    ----------
    scores : array-like of float, shape (W,)
        Overlap of each well; finite.
    groups : sequence of str, length W
        Group of each well, such as its stimulation.
    thresholds : array-like of float, shape (T,)
        Thresholds to try.
    negative, positive : str, default ''
        Groups that are controls without and with interaction.
    reference : float, default 0.2
        Threshold that `changed` compares with.
    confidence : float, default 0.95
        Coverage of Wilson's intervals.

    Returns
    -------
    tuple of CallCounts
        One a threshold, in the order given.

    Raises
    ------
    InvalidInputError
        If a score is not finite or the lengths differ.

    Examples
    --------
    >>> rows = calls_by_threshold([0.1, 0.3, 0.5], ["none", "OVA", "OVA"], [0.2, 0.4])
    >>> [(row.called["OVA"], row.changed) for row in rows]
    [(2, 0), (1, 1)]
    """
    array, levels = as_values(scores, "scores"), as_values(thresholds, "thresholds")
    names = np.array([str(group) for group in groups], dtype=object)
    if names.size != array.size:
        raise InvalidInputError(
            f"`groups` must name the group of each of the {array.size} wells; got {names.size}: "
            f"pass both from one table."
        )
    rows = []
    for level in levels.tolist():
        called = array >= level
        rows.append(
            CallCounts(
                threshold=level,
                called={n: int(called[names == n].sum()) for n in sorted(set(names.tolist()))},
                sensitivity=_share(called[names == positive], confidence),
                specificity=_share(~called[names == negative], confidence),
                changed=int((called != (array >= reference)).sum()),
            )
        )
    return tuple(rows)


def _youden(low: FloatArray, high: FloatArray) -> float:
    """Return the middle of the gap below the score with the largest Youden index."""
    scores = np.unique(np.concatenate([low, high]))
    called = [(wells[None] >= scores[:, None]).mean(axis=1) for wells in (high, low)]
    best = int(np.argmax(called[0] - called[1]))
    return float(scores[best] if best == 0 else (scores[best - 1] + scores[best]) / 2)


def _left_out_calls(
    low: FloatArray, high: FloatArray
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Judge each control well by the threshold of all others; say which are right."""
    right_low = [low[i] < _youden(np.delete(low, i), high) for i in range(low.size)]
    right_high = [high[i] >= _youden(low, np.delete(high, i)) for i in range(high.size)]
    return np.array(right_low, bool), np.array(right_high, bool)


def _curve(
    low: FloatArray, high: FloatArray
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    # scikit-learn takes a second to import: only where it is needed.
    from sklearn.metrics import roc_curve

    truth = np.concatenate([np.zeros(low.size, int), np.ones(high.size, int)])
    fpr, tpr, levels = roc_curve(truth, np.concatenate([low, high]), drop_intermediate=False)
    return tuple(fpr.tolist()), tuple(tpr.tolist()), tuple(levels.tolist())


def _auc(low: FloatArray, high: FloatArray) -> FloatArray:
    """Return the share of pairs in the right order, ties half; (B, n), (B, m) to (B,)."""
    above = (high[:, :, None] > low[:, None, :]).mean(axis=(1, 2))
    equal = (high[:, :, None] == low[:, None, :]).mean(axis=(1, 2))
    return np.asarray(above + equal / 2, np.float64)


def _area(low: FloatArray, high: FloatArray, seed: int, confidence: float, reason: str) -> Estimate:
    if reason:
        return Estimate.undefined(reason, low.size + high.size)
    return well_bootstrap(
        _auc, [low, high], seed=seed, n_resamples=_BOOTSTRAP, confidence=confidence, share=True
    )


def _share(hits: NDArray[np.bool_], confidence: float) -> Estimate:
    if not hits.size:
        return Estimate.undefined("there is no such control well")
    value = float(hits.mean())
    return Estimate(value, *wilson_interval(value, hits.size, confidence), n_wells=hits.size)
