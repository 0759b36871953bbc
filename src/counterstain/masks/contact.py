"""Which cells of two kinds touch, counted cell by cell."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterstain.masks.contact_pixels import (
    LabelArray,
    check_distance,
    disc_offsets,
    near,
    numbered_labels,
)
from counterstain.masks.mask_overlap import check_pair
from counterstain.statistics.inputs import warn_undefined

__all__ = ["Contacts", "contacts", "touching_pairs"]


@dataclass(frozen=True, slots=True)
class Contacts:
    """Cells of two kinds that touch.

    Parameters
    ----------
    n_a, n_b : int
        Cells of each kind.
    a_touching, b_touching : int
        Cells of a kind that touch one of the other kind or more.
    share_a_touching, share_b_touching : float
        The same as a share, 0 to 1; NaN where there is no such cell.
    pairs : int
        Pairs of cells that touch.
    mutual_pairs : int
        Pairs in which each is the other's closest partner: the one that it shares most pixels with.
    contacts_per_a, contacts_per_b : float
        Mean number of partners a cell; NaN where there is no such cell.
    distance_px : float
        Gap up to which cells touch.
    reason : str
        Why a number is NaN; empty otherwise.
    """

    n_a: int
    n_b: int
    a_touching: int
    b_touching: int
    share_a_touching: float
    share_b_touching: float
    pairs: int
    mutual_pairs: int
    contacts_per_a: float
    contacts_per_b: float
    distance_px: float
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; NaN becomes None, since JSON has no NaN."""
        return {
            key: None if isinstance(item, float) and math.isnan(item) else item
            for key, item in asdict(self).items()
        }


def touching_pairs(
    labels_a: LabelArray, labels_b: LabelArray, distance_px: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the pairs of cells that touch, and how closely.

    Parameters
    ----------
    labels_a, labels_b : ndarray of int64, shape (H, W)
        Labels numbered from 1.
    distance_px : float
        Gap up to which cells touch.

    Returns
    -------
    pairs : ndarray of int64, shape (P, 2)
        Label of a, label of b; sorted.
    weight : ndarray of int64, shape (P,)
        Pairs of pixels within the distance.

    Examples
    --------
    >>> labels = np.array([[1, 0, 2, 2]])
    >>> touching_pairs(labels, np.array([[0, 5, 0, 0]]), 1.0)[0].tolist()
    [[1, 5], [2, 5]]
    """
    base = int(labels_b.max(initial=0)) + 1
    close = near(labels_b > 0, distance_px)
    rows, columns = np.nonzero((labels_a > 0) & close)
    own = labels_a[rows, columns]
    height, width = labels_a.shape
    codes = []
    for dy, dx in disc_offsets(distance_px):
        y, x = rows + dy, columns + dx
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        other = labels_b[y[inside], x[inside]]
        codes.append((own[inside] * base + other)[other > 0])
    code, weight = np.unique(np.concatenate(codes), return_counts=True)
    return np.stack([code // base, code % base], axis=1), weight.astype(np.int64)


def contacts(
    labels_a: NDArray[Any], labels_b: NDArray[Any], *, distance_px: float = 1.0
) -> Contacts:
    """Count the cells of two kinds that touch or overlap.

    Crowded cells touch by chance: `excess_contacts` takes that off.

    Parameters
    ----------
    labels_a, labels_b : ndarray of int, shape (H, W)
        Label images of one field, 0 for the background, e.g. T cells and dendritic cells.
    distance_px : float, default 1
        Cells touch where two of their pixels lie no further apart, centre to centre: 0 means over
        each other, 1 edge to edge, 1.5 corner to corner too.

    Returns
    -------
    Contacts
        Shares and means of a kind that has no cell are NaN, with a reason and an
        `UndefinedStatisticWarning`.

    Raises
    ------
    InvalidInputError
        If the labels differ in size or are no whole numbers, or the distance is not in [0, 20].

    Examples
    --------
    >>> a, b = np.zeros((2, 8, 8), int)
    >>> a[1:3, 1:3], a[5:7, 5:7], b[3:5, 1:3] = 1, 2, 1
    >>> found = contacts(a, b)
    >>> found.a_touching, found.b_touching, found.pairs, found.contacts_per_a
    (1, 1, 1, 0.5)
    """
    check_distance(distance_px)
    a, n_a = numbered_labels(labels_a, "labels_a")
    b, n_b = numbered_labels(labels_b, "labels_b")
    check_pair(a, b, ("labels_a", "labels_b"))
    pairs, weight = touching_pairs(a, b, distance_px)
    a_touching, b_touching = (len(np.unique(pairs[:, k])) for k in range(2))
    empty = [name for name, n in (("labels_a", n_a), ("labels_b", n_b)) if n == 0]
    reason = f"no cell in {' and '.join(empty)}" if empty else ""
    if reason:
        warn_undefined("contacts", reason)
    return Contacts(
        n_a=n_a,
        n_b=n_b,
        a_touching=a_touching,
        b_touching=b_touching,
        share_a_touching=_ratio(a_touching, n_a),
        share_b_touching=_ratio(b_touching, n_b),
        pairs=len(pairs),
        mutual_pairs=_mutual(pairs, weight),
        contacts_per_a=_ratio(len(pairs), n_a),
        contacts_per_b=_ratio(len(pairs), n_b),
        distance_px=distance_px,
        reason=reason,
    )


def _mutual(pairs: NDArray[np.int64], weight: NDArray[np.int64]) -> int:
    """Count pairs that are the closest of both cells; the smaller label wins a tie."""
    best = []
    for side in range(2):
        order = np.lexsort((pairs[:, 1 - side], -weight, pairs[:, side]))
        _, first = np.unique(pairs[order, side], return_index=True)
        best.append(set(order[first].tolist()))
    return len(best[0] & best[1])


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
