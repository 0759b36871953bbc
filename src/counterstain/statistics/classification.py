"""How often the classifier is right: accuracy, and precision, recall and F1 by class.

Intervals draw whole wells within their true class: a resampled confusion matrix is a sum of the
wells' own matrices, and every measure is computed from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.statistics.confusion import confusion_of, measures_of, wells_behind
from counterstain.statistics.inputs import as_class_index, as_well_codes, warn_undefined
from counterstain.statistics.intervals import (
    check_settings,
    estimate_from_resamples,
    wilson_interval,
)
from counterstain.statistics.resampling import draw_counts
from counterstain.statistics.wells import well_classes
from counterstain.types import Estimate

__all__ = ["ClassRow", "ClassificationSummary", "classification_summary"]

_Floats = NDArray[np.float64]
_MEANS = ("macro precision", "macro F1", "weighted F1")


@dataclass(frozen=True, slots=True)
class ClassRow:
    """What the classifier makes of one class, on crops.

    Parameters
    ----------
    class_name : str
        The class.
    precision : Estimate
        Share of the crops called this class that are of it; undefined where none is called so.
    recall : Estimate
        Share of the crops of this class that are called so.
    f1 : Estimate
        Harmonic mean of the two.
    support : int
        Crops of this class: a count, so it has no interval.
    n_wells : int
        Wells of this class.
    """

    class_name: str
    precision: Estimate
    recall: Estimate
    f1: Estimate
    support: int
    n_wells: int

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping with the class under ``class``."""
        return {
            "class": self.class_name,
            "precision": self.precision.to_json(),
            "recall": self.recall.to_json(),
            "f1": self.f1.to_json(),
            # An estimate like its neighbours, so that readers treat all columns alike.
            "support": Estimate(float(self.support), n_wells=self.n_wells).to_json(),
            "n_wells": self.n_wells,
        }


@dataclass(frozen=True, slots=True, eq=False)
class ClassificationSummary:
    """Confusion matrix, accuracies and class table of a classifier.

    Parameters
    ----------
    class_names : tuple of str
        The K classes in order.
    confusion : ndarray of int64, shape (K, K), read-only
        Counts of crops, rows true, columns predicted.
    accuracy : Estimate
        Share of crops that are right, drawn by well.
    well_accuracy : Estimate
        Share of wells that are right, with Wilson's interval: resampling wells that are all right
        would claim certainty.
    balanced_accuracy : Estimate
        Mean recall of the classes (macro recall), on crops.
    macro_precision, macro_f1, weighted_f1 : Estimate
        Means over classes, on crops; the last weighs each class by its crops. Macro precision is
        undefined where a class is never called.
    chance : float
        Accuracy on crops of always calling the largest class.
    balanced_chance : float
        Balanced accuracy of any call that does not look: 1 / K.
    per_class : tuple of ClassRow
        A row a class.
    """

    class_names: tuple[str, ...]
    confusion: NDArray[np.int64]
    accuracy: Estimate
    well_accuracy: Estimate
    balanced_accuracy: Estimate
    macro_precision: Estimate
    macro_f1: Estimate
    weighted_f1: Estimate
    chance: float
    balanced_chance: float
    per_class: tuple[ClassRow, ...]

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready ``accuracy``, ``per_class`` and ``confusion`` entries."""
        return {
            "accuracy": {
                "crop": self.accuracy.to_json(),
                "well": self.well_accuracy.to_json(),
                "balanced": self.balanced_accuracy.to_json(),
                "macro_precision": self.macro_precision.to_json(),
                "macro_f1": self.macro_f1.to_json(),
                "weighted_f1": self.weighted_f1.to_json(),
                "chance": self.chance,
                "balanced_chance": self.balanced_chance,
            },
            "per_class": [row.to_json() for row in self.per_class],
            "confusion": self.confusion.tolist(),
        }


def classification_summary(
    true: ArrayLike,
    predicted: ArrayLike,
    wells: ArrayLike,
    class_names: Sequence[str],
    *,
    well_true: ArrayLike,
    well_predicted: ArrayLike,
    seed: int,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> ClassificationSummary:
    """Summarise out-of-fold calls of crops and wells.

    Parameters
    ----------
    true, predicted : array-like of str or int, shape (n,)
        Class of each crop, by name or index; crops of wells in no class are left out by the caller.
    wells : array-like, shape (n,)
        Well of each crop; with several plates, plate and well together.
    class_names : sequence of str
        The K classes in order.
    well_true, well_predicted : array-like of str or int, shape (W,)
        Class of each well and the call made for it, such as its largest mean probability.
    seed : int
        Seed of the resamples.
    n_resamples : int
        Resamples.
    confidence : float
        Coverage, between 0 and 1.

    Returns
    -------
    ClassificationSummary
        A measure that is undefined (precision of a class that is never called, recall of a class
        without crops) is NaN with its reason, and warns. Where every crop agrees, the interval is
        Wilson's with the wells as trials.

    Raises
    ------
    InvalidInputError
        If a label is no class, a well holds two classes, lengths differ, or there is no crop.

    Examples
    --------
    >>> names, wells = ["sick", "well"], ["A01", "A01", "A02", "A03"]
    >>> calls = classification_summary([0, 0, 1, 1], [0, 1, 1, 1], wells, names,
    ...     well_true=[0, 1, 1], well_predicted=[0, 1, 1], seed=0)
    >>> calls.accuracy.value, calls.confusion.tolist()
    (0.75, [[1, 1], [0, 2]])
    """
    check_settings(n_resamples, confidence)
    names = tuple(str(name) for name in class_names)
    row_true = as_class_index(true, names, "true")
    row_called = as_class_index(predicted, names, "predicted")
    _check_lengths("true", row_true, "predicted", row_called)
    codes, n_wells = as_well_codes(wells, "wells", row_true.size)
    class_of_well = well_classes(row_true, codes, n_wells, wells)
    calls = np.zeros((n_wells, len(names)))
    np.add.at(calls, (codes, row_called), 1)

    resampled = draw_counts(class_of_well, n_resamples, seed)
    estimates = _estimates(names, calls, class_of_well, resampled, confidence)
    well_accuracy = _well_accuracy(
        as_class_index(well_true, names, "well_true"),
        as_class_index(well_predicted, names, "well_predicted"),
        confidence,
    )
    confusion = confusion_of(np.ones((1, n_wells)), calls, class_of_well)[0]
    return _assemble(names, confusion, class_of_well, estimates, well_accuracy)


def _estimates(
    names: tuple[str, ...],
    calls: _Floats,
    class_of_well: NDArray[np.int64],
    resampled: _Floats,
    confidence: float,
) -> list[Estimate]:
    n_wells = len(calls)
    values, resamples, without = (
        measures_of(confusion_of(counts, calls, class_of_well))
        for counts in (np.ones((1, n_wells)), resampled, 1 - np.eye(n_wells))
    )
    behind = wells_behind(calls, class_of_well)
    members = [class_of_well == k for k in np.unique(class_of_well)]
    estimates = []
    for i, label in enumerate(_labels(names)):
        if np.isfinite(values[0, i]):
            estimate = estimate_from_resamples(
                float(values[0, i]),
                resamples[:, i],
                [without[of_class, i] for of_class in members],
                n_wells=int(behind[i]),
                confidence=confidence,
                share=True,
            )
        else:
            reason = _why_undefined(label)
            if label not in _MEANS:  # of these the class itself has warned already
                warn_undefined(label, reason)
            estimate = Estimate.undefined(reason, int(behind[i]))
        estimates.append(estimate)
    return estimates


def _assemble(
    names: tuple[str, ...],
    confusion: _Floats,
    class_of_well: NDArray[np.int64],
    estimates: list[Estimate],
    well_accuracy: Estimate,
) -> ClassificationSummary:
    counts = confusion.astype(np.int64)
    counts.flags.writeable = False
    support = counts.sum(axis=1)
    k = len(names)
    rows = tuple(
        ClassRow(
            name,
            precision=estimates[2 + i],
            recall=estimates[2 + k + i],
            f1=estimates[2 + 2 * k + i],
            support=int(support[i]),
            n_wells=int(np.count_nonzero(class_of_well == i)),
        )
        for i, name in enumerate(names)
    )
    return ClassificationSummary(
        names,
        counts,
        accuracy=estimates[0],
        well_accuracy=well_accuracy,
        balanced_accuracy=estimates[1],
        macro_precision=estimates[-3],
        macro_f1=estimates[-2],
        weighted_f1=estimates[-1],
        chance=float(support.max() / support.sum()),
        balanced_chance=1 / k,
        per_class=rows,
    )


def _check_lengths(
    first_name: str, first: NDArray[np.int64], second_name: str, second: NDArray[np.int64]
) -> None:
    if first.size != second.size or first.size == 0:
        raise InvalidInputError(
            f"`{first_name}` and `{second_name}` must have one class a row and one row or more; "
            f"got {first.size} and {second.size} rows: pass both from one table."
        )


def _well_accuracy(
    true: NDArray[np.int64], called: NDArray[np.int64], confidence: float
) -> Estimate:
    _check_lengths("well_true", true, "well_predicted", called)
    value = float(np.mean(true == called))
    return Estimate(value, *wilson_interval(value, true.size, confidence), n_wells=true.size)


def _labels(names: tuple[str, ...]) -> list[str]:
    by_class = [f"{what} of {name}" for what in ("precision", "recall", "F1") for name in names]
    return ["accuracy", "balanced accuracy", *by_class, *_MEANS]


def _why_undefined(label: str) -> str:
    if label == "macro precision":
        return "a class is never called"
    if label == "macro F1":
        return "a class has no crop and is never called"
    if label.startswith("precision"):
        return "no crop is called this class"
    if label.startswith("balanced"):
        return "a class has no crop"
    if label.startswith("recall"):
        return "no crop is of this class"
    return "no crop is of this class or called so"
