"""What is said of a treatment: hit, partial, inactive, toxic/off-axis, or not enough wells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError

__all__ = ["CALLS", "CallRules", "call_hits"]

HIT, PARTIAL, INACTIVE, OFF_AXIS, TOO_FEW = (
    "hit",
    "partial",
    "inactive",
    "toxic/off-axis",
    "not enough wells",
)
_LEAST_WAY = 0.3
CALLS = (HIT, PARTIAL, INACTIVE, OFF_AXIS, TOO_FEW)
"""All calls, best first."""


@dataclass(frozen=True, slots=True)
class CallRules:
    """Where the lines between calls lie.

    Parameters
    ----------
    level : float
        Benjamini-Hochberg q up to which rescue, or side effect, counts as shown.
    hit_rescue : float
        Rescue from which a treatment is a hit: 0.5 is half the way from diseased to healthy.
    partial_rescue : float
        Rescue from which it is a partial one; less is inactive however certain.
    side_effect : float
        Side effect above which a treatment is off the axis, in SDs of the controls' wells.
    side_effect_share : float
        And in shares of the treatment's own way towards healthy, counted as 0.3 at least: where
        the controls lie 80 SDs apart, 5 SDs aside are shown in their column, but are no reason to
        reject.
    min_wells : int
        Usable wells below which nothing is called, 2 or more.

    Raises
    ------
    InvalidInputError
        If a rule is out of range.
    """

    level: float = 0.05
    hit_rescue: float = 0.5
    partial_rescue: float = 0.15
    side_effect: float = 3.0
    side_effect_share: float = 0.33
    min_wells: int = 2

    def __post_init__(self) -> None:
        problems = []
        if not 0 < self.level < 1:
            problems.append(
                f"`level` must lie between 0 and 1; got {self.level}: 0.05 is the usual one."
            )
        if not 0 < self.partial_rescue <= self.hit_rescue:
            problems.append(
                f"`partial_rescue` must be above 0 and at most `hit_rescue`; got "
                f"{self.partial_rescue} and {self.hit_rescue}: exchange them."
            )
        if min(self.side_effect, self.side_effect_share) < 0:
            problems.append("`side_effect` and `side_effect_share` must be 0 or more.")
        if self.min_wells < 2:
            problems.append(
                f"`min_wells` must be 2 or more; got {self.min_wells}: one well has no replicate "
                f"that could confirm it."
            )
        if problems:
            raise InvalidInputError(problems)


def call_hits(
    rescue: ArrayLike,
    rescue_low: ArrayLike,
    rescue_q: ArrayLike,
    side_effect: ArrayLike,
    side_effect_q: ArrayLike,
    n_wells: ArrayLike,
    *,
    axis_length: float,
    poisoned: ArrayLike | None = None,
    rules: CallRules | None = None,
) -> NDArray[np.object_]:
    """Call each treatment; the first rule that fits, from top to bottom, decides.

    1. *toxic/off-axis*: half of its wells or more, and at least two, have too few cells
       (`poisoned`).
    2. *not enough wells*: fewer than ``rules.min_wells``.
    3. *toxic/off-axis*: the side effect is shown (q), and above both limits.
    4. *hit*: rescue is shown (q), its interval lies above 0, and it reaches ``rules.hit_rescue``.
    5. *partial*: the same, and it reaches ``rules.partial_rescue``.
    6. *inactive*: everything else, which is no proof of inactivity.

    Parameters
    ----------
    rescue, rescue_low : array-like of float, shape (T,)
        Estimate and lower end of its interval; diseased is 0, healthy 1.
    rescue_q : array-like of float, shape (T,)
        Benjamini-Hochberg q of rescue; NaN where there is no test.
    side_effect, side_effect_q : array-like of float, shape (T,)
        Distance off the axis in SDs of the controls' wells, and its q.
    n_wells : array-like of int, shape (T,)
        Usable wells.
    axis_length : float
        Way from diseased to healthy in the same SDs.
    poisoned : array-like of bool, shape (T,), optional
        Whether half of the wells or more have too few cells; none where left out.
    rules : CallRules, optional
        Where the lines lie.

    Returns
    -------
    ndarray of str, shape (T,)
        One of `CALLS` each.

    Raises
    ------
    InvalidInputError
        If the lengths differ.

    Examples
    --------
    >>> call_hits([0.9, 0.9, 0.3, 0.0], [0.8, 0.8, 0.2, -0.1], [0.001, 0.001, 0.01, 0.6],
    ...           [0.5, 9.0, 0.0, 0.2], [0.4, 0.001, 0.9, 0.8], [4, 4, 4, 4],
    ...           axis_length=10).tolist()
    ['hit', 'toxic/off-axis', 'partial', 'inactive']
    """
    found = rules or CallRules()
    columns = [
        np.asarray(column, dtype=np.float64)
        for column in (rescue, rescue_low, rescue_q, side_effect, side_effect_q, n_wells)
    ]
    value, low, q, side, side_q, wells = columns
    few_cells = np.zeros(value.shape, bool) if poisoned is None else np.asarray(poisoned, bool)
    if any(column.shape != value.shape or column.ndim != 1 for column in (*columns, few_cells)):
        raise InvalidInputError(
            f"All columns must be 1-D and of one length; got "
            f"{[column.shape for column in (*columns, few_cells)]}: pass them from one table."
        )
    along = axis_length * np.clip(np.nan_to_num(value), _LEAST_WAY, 1)
    limit = np.maximum(found.side_effect, found.side_effect_share * along)
    shown = (q <= found.level) & (low > 0)
    calls = np.full(value.shape, INACTIVE, dtype=object)
    calls[shown & (value >= found.partial_rescue)] = PARTIAL
    calls[shown & (value >= found.hit_rescue)] = HIT
    calls[(side_q <= found.level) & (side > limit)] = OFF_AXIS
    calls[wells < found.min_wells] = TOO_FEW
    calls[few_cells] = OFF_AXIS
    return calls
