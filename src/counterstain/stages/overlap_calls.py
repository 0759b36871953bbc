"""From probabilities of patches to calls of fields and wells, and how often they are right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.statistics.classification import classification_summary

__all__ = ["call_wells", "summarise_calls", "with_field"]

_Floats = NDArray[np.float64]


def with_field(probabilities: NDArray[Any], fields: NDArray[Any]) -> _Floats:
    """Call each patch together with the other patches of its field.

    A patch holds a dozen cells; how many of them are in contact says little about a treatment, and
    the patches around it have had the same one. Whether a patch is faulty is its own affair, unless
    most of its field is.

    Parameters
    ----------
    probabilities : ndarray of float, shape (N, K)
        Of each patch; the last class is ``faulty``.
    fields : ndarray, shape (N,)
        Field of each patch.

    Returns
    -------
    ndarray of float64, shape (N, K)
        ``faulty``: the greater of the patch's own and the field's mean. The others: means over the
        field, each patch counting as far as it is not faulty.

    Examples
    --------
    >>> some = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.02, 0.08, 0.9]])
    >>> with_field(some, np.array([0, 0, 0])).round(3).tolist()
    [[0.373, 0.327, 0.3], [0.373, 0.327, 0.3], [0.053, 0.047, 0.9]]
    """
    own = np.asarray(probabilities, np.float64)
    codes, known = pd.factorize(fields, sort=True)
    sums = np.zeros((len(known), own.shape[1]))
    np.add.at(sums, codes, own)
    count = np.bincount(codes, minlength=len(known))
    fault = np.maximum(own[:, -1], (sums[:, -1] / count)[codes])
    # Probabilities of the other classes already shrink as that of a fault grows.
    good = np.maximum(sums[:, :-1], 1e-12)
    shares = (good / good.sum(1, keepdims=True))[codes]
    return np.column_stack([shares * (1 - fault)[:, None], fault])


def call_wells(
    probabilities: NDArray[Any], wells: NDArray[Any], good: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Call each well by the mean probabilities of its good patches.

    Parameters
    ----------
    probabilities : ndarray of float, shape (N, K)
        Of each patch; the last class is ``faulty`` and takes no part.
    wells : ndarray, shape (N,)
        Well of each patch.
    good : ndarray of bool, shape (N,)
        Patches that are not faulty; wells without any are not called.

    Returns
    -------
    names : ndarray, shape (W,)
        Wells in sorted order.
    index : ndarray of int64, shape (W,)
        Class of each.

    Examples
    --------
    >>> some = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.3, 0.7, 0.0]])
    >>> names, index = call_wells(some, np.array(["A", "A", "B"]), np.array([True] * 3))
    >>> names.tolist(), index.tolist()
    (['A', 'B'], [0, 1])
    """
    means = (
        pd.DataFrame(np.asarray(probabilities, np.float64)[good, :-1]).groupby(wells[good]).mean()
    )
    return means.index.to_numpy(), means.to_numpy().argmax(1).astype(np.int64)


def summarise_calls(
    probabilities: NDArray[Any],
    index: NDArray[np.int64],
    wells: NDArray[Any],
    class_names: tuple[str, ...],
    *,
    seed: int,
) -> dict[str, Any]:
    """Summarise the calls of one part's patches and of its wells.

    Parameters
    ----------
    probabilities : ndarray of float, shape (N, K)
        Of each patch; the last class is ``faulty``.
    index : ndarray of int64, shape (N,)
        True class of each patch.
    wells : ndarray of str, shape (N,)
        Well of each patch. Its faulty patches count as a well of their own: they are a class apart.
    class_names : tuple of str
        The K classes.
    seed : int
        Of the intervals.

    Returns
    -------
    dict
        As of `ClassificationSummary.to_json`: ``accuracy`` (``crop`` is by patch), ``per_class``,
        ``confusion``; and ``n_patches``, ``n_wells``.
    """
    faulty = index == len(class_names) - 1
    names, called = call_wells(probabilities, wells, ~faulty)
    of_well = dict(zip(wells[~faulty].tolist(), index[~faulty].tolist(), strict=True))
    summary = classification_summary(
        index,
        np.asarray(probabilities).argmax(1).astype(np.int64),
        np.where(faulty, np.char.add(wells.astype(np.str_), " (faulty)"), wells),
        class_names,
        well_true=np.array([of_well[name] for name in names.tolist()], np.int64),
        well_predicted=called,
        seed=seed,
    )
    return summary.to_json() | {"n_patches": len(index), "n_wells": len(names)}
