"""Which classes are alike: a tree of classes by how often they are taken for each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from counterstain.errors import InvalidInputError

__all__ = ["ClassHierarchy", "class_hierarchy"]

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ClassHierarchy:
    """A tree of classes.

    Parameters
    ----------
    class_names : tuple of str
        The K classes in order.
    linkage : ndarray of float, shape (K - 1, 4)
        As of :func:`scipy.cluster.hierarchy.linkage`: the two branches, their distance, classes
        below.
    order : tuple of int
        Classes in the order of the leaves, like beside like.
    """

    class_names: tuple[str, ...]
    linkage: _Floats
    order: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping with the classes in the order of the leaves."""
        return {
            "linkage": self.linkage.tolist(),
            "order": [self.class_names[k] for k in self.order],
        }


def class_hierarchy(confusion: ArrayLike, class_names: Sequence[str]) -> ClassHierarchy:
    """Cluster classes by how often held-out crops of one are called the other.

    With s the shares of the rows, the distance of two classes is 1 - (s_ij + s_ji) / (s_ii + s_jj):
    0 where a crop is called the other class as often as its own, 1 where it never is. Branches join
    at their mean distance (average linkage), leaves are ordered so that neighbours are alike
    (Bar-Joseph et al. 2001, doi:10.1093/bioinformatics/17.suppl_1.S22).

    Parameters
    ----------
    confusion : array-like of int, shape (K, K)
        Counts, rows true, columns called; K two or more.
    class_names : sequence of str
        The K classes in order.

    Returns
    -------
    ClassHierarchy
        A class without crops is at distance 1 from all others.

    Raises
    ------
    InvalidInputError
        If the counts are not K x K, finite and 0 or more.

    Examples
    --------
    >>> tree = class_hierarchy([[8, 0, 2], [0, 9, 1], [4, 0, 6]], ["round", "flat", "oval"])
    >>> [tree.class_names[k] for k in tree.order], tree.linkage[:, 2].round(3).tolist()
    (['flat', 'oval', 'round'], [0.571, 0.967])
    """
    names = tuple(str(name) for name in class_names)
    counts, k = np.asarray(confusion, np.float64), len(names)
    if k < 2 or counts.shape != (k, k) or not np.isfinite(counts).all() or (counts < 0).any():
        raise InvalidInputError(
            f"`confusion` must be ({k}, {k}) counts of 0 or more for two classes or more; got "
            f"{counts.shape}: pass the confusion matrix of these classes."
        )
    distances = squareform(_distances(counts), checks=False)
    tree = np.asarray(optimal_leaf_ordering(linkage(distances, "average"), distances))
    return ClassHierarchy(names, tree, tuple(int(leaf) for leaf in leaves_list(tree)))


def _distances(counts: _Floats) -> _Floats:
    totals = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    own = np.diagonal(share)
    whole = own[:, None] + own[None, :]
    mixed = share + share.T
    # Two classes that are never called right are as alike as their confusions say.
    ratio = np.divide(mixed, whole, out=np.minimum(mixed, 1.0), where=whole > 0)
    distance = 1 - np.clip(ratio, 0.0, 1.0)
    np.fill_diagonal(distance, 0.0)
    return np.asarray(distance)
