"""Contacts beyond chance: cells that touch more often than shifted ones.

If a share p of the cells of `labels_a` is bound and the others lie anywhere, a share
``p + (1 - p) q`` touches, where q is what chance gives. ``(observed - q) / (1 - q)`` is p again,
however crowded the field. For the cells of `labels_b` chance is at work with the unbound cells of
`labels_a` only, so that its q is first brought to their density.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from counterstain.errors import InvalidInputError
from counterstain.masks.chance_shift import Null, default_reach, local_offsets, torus_offsets
from counterstain.masks.contact import Contacts, contacts
from counterstain.masks.contact_pixels import LabelArray, disc_offsets, near, numbered_labels

__all__ = ["ExcessContacts", "excess_contacts"]

_SHIFTS = 48


@dataclass(frozen=True, slots=True)
class ExcessContacts:
    """Contacts against chance.

    Parameters
    ----------
    observed : Contacts
        What was counted.
    expected_share_a, expected_share_b : float
        Share of each kind's cells that touch the other after a shift, mean over the shifts.
    expected_per_a, expected_per_b : float
        Mean partners a cell after a shift.
    share_a_above_chance, share_b_above_chance : float
        Share of cells whose contact chance does not explain: freed from crowding.
    contacts_per_a_above_chance, contacts_per_b_above_chance : float
        Partners a cell, observed minus expected.
    z : float
        Excess of touching cells of `labels_a` in standard deviations of the shifts; grows with the
        number of cells.
    null : {'torus', 'local'}
        Which shifts stand for chance.
    n_shifts : int
        Number of shifts.
    reason : str
        Why numbers are NaN; empty otherwise.
    """

    observed: Contacts
    expected_share_a: float = math.nan
    expected_share_b: float = math.nan
    expected_per_a: float = math.nan
    expected_per_b: float = math.nan
    share_a_above_chance: float = math.nan
    share_b_above_chance: float = math.nan
    contacts_per_a_above_chance: float = math.nan
    contacts_per_b_above_chance: float = math.nan
    z: float = math.nan
    null: Null = "torus"
    n_shifts: int = 0
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; NaN becomes None, since JSON has no NaN."""
        return {
            key: None if isinstance(item, float) and math.isnan(item) else item
            for key, item in (asdict(self) | {"observed": self.observed.to_json()}).items()
        }


def excess_contacts(
    labels_a: NDArray[Any],
    labels_b: NDArray[Any],
    *,
    distance_px: float = 1.0,
    null: Null = "torus",
    reach_px: float | None = None,
    n_shifts: int = _SHIFTS,
) -> ExcessContacts:
    """Compare the contacts of two kinds of cells with those after shifting one of them.

    Parameters
    ----------
    labels_a, labels_b : ndarray of int, shape (H, W)
        Label images of one field. `labels_a` is the kind that moves about and binds (T cells).
    distance_px : float, default 1
        Gap up to which cells touch, as in `contacts`.
    null : {'torus', 'local'}, default 'torus'
        Shifts over the whole torus, or within the cells' own density; see `excess_overlap`.
    reach_px : float, optional
        Least local shift in pixels; the sum of both kinds' typical diameters where not given.
    n_shifts : int, default 48
        Shifts, spread evenly; the same every time, so that no seed is needed.

    Returns
    -------
    ExcessContacts
        NaN with a reason and an `UndefinedStatisticWarning` where a kind has no cell; with local
        shifts also where every shift takes all cells out of the field.

    Raises
    ------
    InvalidInputError
        If the labels differ in size or are no whole numbers, or a setting is out of range.

    References
    ----------
    Shifting on a torus: Lotwick & Silverman 1982, doi:10.1111/j.2517-6161.1982.tb01221.x.
    (observed - expected) / (1 - expected): Abbott 1925, doi:10.1093/jee/18.2.265a.

    Examples
    --------
    >>> a, b = np.zeros((2, 64, 64), int)
    >>> a[10:14, 10:14], a[40:44, 40:44], b[14:20, 10:16] = 1, 2, 1
    >>> found = excess_contacts(a, b)
    >>> found.observed.share_a_touching, found.expected_share_a < 0.1
    (0.5, True)
    """
    if null not in ("torus", "local") or n_shifts < 1:
        raise InvalidInputError(
            f"`null` must be 'torus' or 'local' and `n_shifts` at least 1; got {null!r} and "
            f"{n_shifts}: leave them out for 48 shifts on the torus."
        )
    observed = contacts(labels_a, labels_b, distance_px=distance_px)
    if observed.reason:
        return ExcessContacts(observed, null=null, reason=observed.reason)
    a, b = (numbered_labels(x, n)[0] for x, n in ((labels_a, "labels_a"), (labels_b, "labels_b")))
    if null == "torus":
        offsets = torus_offsets(n_shifts, a.shape)
    else:
        reach = default_reach(a > 0, b > 0) if reach_px is None else reach_px
        offsets = local_offsets(reach, n_shifts, a.shape)
    shifting = _Shifting(a, b, distance_px, torus=null == "torus")
    return _compare(observed, np.array([shifting.count(*o) for o in offsets.tolist()]), null)


class _Shifting:
    """Counts contacts at one shift after the other; prepared once for a field."""

    def __init__(self, a: LabelArray, b: LabelArray, distance_px: float, *, torus: bool) -> None:
        self.a, self.b = a, b
        self.mask_a, self.near_b = a > 0, near(b > 0, distance_px)
        self.offsets = disc_offsets(distance_px)
        self.base = int(b.max()) + 1
        self.torus = torus
        self.boxes_a, self.boxes_b = _boxes(a), _boxes(b)

    def count(self, dy: int, dx: int) -> list[int]:
        """Return, of a and then of b, cells that touch, cells that could, and their pairs."""
        pairs = self._pairs(dy, dx)
        found = []
        for side, boxes, sign in ((0, self.boxes_a, 1), (1, self.boxes_b, -1)):
            # A cell that stays whole meets all partners, those at the field's edge as well.
            keep = self._kept(boxes, sign * dy, sign * dx)
            own = pairs[keep[pairs[:, side] - 1], side]
            found += [len(np.unique(own)), int(keep.sum()), len(own)]
        return found

    def _kept(self, boxes: NDArray[np.intp], dy: int, dx: int) -> NDArray[np.bool_]:
        """Say which cells stay whole; on the torus all do."""
        if self.torus:
            return np.ones(len(boxes), bool)
        height, width = self.a.shape
        top, left, bottom, right = boxes.T + np.array([dy, dx, dy, dx])[:, None]
        return np.asarray((top >= 0) & (left >= 0) & (bottom <= height) & (right <= width))

    def _pairs(self, dy: int, dx: int) -> NDArray[np.int64]:
        height, width = self.a.shape
        codes = []
        for rows, columns in _blocks(self.a.shape, dy, dx, torus=self.torus):
            close = self.mask_a[rows[0], columns[0]] & self.near_b[rows[1], columns[1]]
            # Several times as fast as `np.nonzero` of two axes.
            y, x = np.divmod(np.flatnonzero(close), close.shape[1])
            own = self.a[y + rows[0].start, x + columns[0].start] * self.base
            y, x = y + rows[1].start, x + columns[1].start
            for oy, ox in self.offsets:
                # A contact over the seam of the field is one that `contacts` does not count either.
                ny, nx = y + oy, x + ox
                inside = (ny >= 0) & (ny < height) & (nx >= 0) & (nx < width)
                other = self.b[ny[inside], nx[inside]]
                codes.append((own[inside] + other)[other > 0])
        code = np.unique(np.concatenate(codes))
        return np.stack([code // self.base, code % self.base], axis=1)


def _blocks(
    shape: tuple[int, ...], dy: int, dx: int, *, torus: bool
) -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Return the blocks, as (rows of a, rows of b), (columns of a, columns of b), of a shift."""
    spans = []
    for edge, step in zip(shape, (dy, dx), strict=True):
        whole = [
            (slice(max(0, -step), edge - max(0, step)), slice(max(0, step), edge + min(0, step)))
        ]
        if torus and step:
            back = step - edge if step > 0 else step + edge
            whole.append(
                (
                    slice(max(0, -back), edge - max(0, back)),
                    slice(max(0, back), edge + min(0, back)),
                )
            )
        spans.append(whole)
    return [(rows, columns) for rows in spans[0] for columns in spans[1]]


def _boxes(labels: LabelArray) -> NDArray[np.intp]:
    """Return top, left, bottom and right of each label, shape (n, 4)."""
    found = [box for box in ndimage.find_objects(labels) if box is not None]
    return np.array([(r.start, c.start, r.stop, c.stop) for r, c in found], np.intp).reshape(-1, 4)


def _compare(observed: Contacts, counts: NDArray[np.int64], null: Null) -> ExcessContacts:
    touching_a, cells_a, pairs_a, touching_b, cells_b, pairs_b = counts.T.astype(np.float64)
    if not cells_a.sum() or not cells_b.sum():
        reason = "every shift takes all cells out of the field"
        return ExcessContacts(observed, null=null, n_shifts=len(counts), reason=reason)
    q_a, q_b = touching_a.sum() / cells_a.sum(), touching_b.sum() / cells_b.sum()
    per_a, per_b = pairs_a.sum() / cells_a.sum(), pairs_b.sum() / cells_b.sum()
    bound = _above(observed.share_a_touching, q_a)
    # Partners come independently, so that (1 - q) goes with the power of their number.
    unbound = 1 - min(max(bound, 0.0), 1.0)
    free_b = 1 - (1 - q_b) ** unbound
    spread = float((touching_a / np.maximum(cells_a, 1)).std())
    return ExcessContacts(
        observed=observed,
        expected_share_a=float(q_a),
        expected_share_b=float(q_b),
        expected_per_a=float(per_a),
        expected_per_b=float(per_b),
        share_a_above_chance=bound,
        share_b_above_chance=_above(observed.share_b_touching, free_b),
        contacts_per_a_above_chance=observed.contacts_per_a - float(per_a),
        contacts_per_b_above_chance=observed.contacts_per_b - float(per_b),
        z=(observed.share_a_touching - float(q_a)) / spread if spread > 0 else math.nan,
        null=null,
        n_shifts=len(counts),
        reason="" if math.isfinite(bound) else "chance alone lets every cell touch",
    )


def _above(share: float, chance: float) -> float:
    return (share - chance) / (1 - chance) if chance < 1 else math.nan
