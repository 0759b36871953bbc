"""Side effect of each treatment: how far its wells agree to lie off the axis.

The square length is the mean product of two different wells' off-axis vectors: what wells share
adds up, what each has for itself has mean 0. So there is no floor that grows with the number of
latents, and no single odd well can make a side effect. What wells share for other reasons is taken
off: their plate's diseased mean, and the error of the axis itself.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.ranking.treatment_groups import TreatmentGroups, pair_product
from counterstain.ranking.well_scores import ViewScores
from counterstain.ranking.well_table import DISEASED, HEALTHY
from counterstain.statistics.permutation import draw_different, share_above

__all__ = ["side_effect_rows", "well_side_effects"]

_Floats = NDArray[np.float64]
_BLOCK = 4_000_000
_MAX_PAIRS, _MIN_DRAWS = 5_000_000, 199
"""Pairs of wells that are drawn for one size of group; large groups need few draws."""
_MAD_TO_SD = 1.4826


def well_side_effects(views: list[ViewScores]) -> tuple[_Floats, _Floats]:
    """Return the side effect of each well, and how unusual its distance off the axis is.

    Returns
    -------
    side_effect : ndarray of float64, shape (W,)
        Length off the axis less that of a control's own noise, in SDs; 0 or more.
    off_axis_z : ndarray of float64, shape (W,)
        Distance off the axis, in robust SDs of the control wells' distances from their median.
    """
    squares, scores = [], []
    for view in views:
        distance = np.einsum("wd,wd->w", view.off_axis, view.off_axis, dtype=np.float64)
        beyond = distance - np.clip(view.rescue, 0, None) ** 2 * view.axis_error
        table = view.alignment.table
        length = np.sqrt(np.maximum(beyond, 0.0))
        is_control = table.controls(DISEASED) | table.controls(HEALTHY)
        usual = length[is_control & np.isfinite(length)]
        middle = float(np.median(usual))
        spread = _MAD_TO_SD * float(np.median(np.abs(usual - middle)))
        scores.append((length - middle) / spread if spread > 0 else np.zeros(len(length)))
        squares.append(beyond - view.noise)
    return np.sqrt(np.maximum(_mean_known(squares), 0.0)), _mean_known(scores)


def side_effect_rows(
    rescue: _Floats,
    views: list[ViewScores],
    groups: TreatmentGroups,
    *,
    seed: int,
    n_permutations: int,
) -> pd.DataFrame:
    """Return ``side_effect`` and ``side_effect_p``, a row per treatment.

    Parameters
    ----------
    rescue : ndarray of float, shape (T,)
        Rescue of each treatment.
    views : list of ViewScores
        One a network.
    groups : TreatmentGroups
        Wells of each treatment.
    seed : int
        Seed of the draws of control wells.
    n_permutations : int
        Draws; as many diseased wells as the treatment has, at once.

    Returns
    -------
    DataFrame, a row per treatment
        NaN for treatments of which no network sees two wells: nothing confirms what is off the axis
        there.
    """
    seen = [_seen(view, groups) for view in views]
    found, margin = (
        _mean_known(list(part))
        for part in zip(
            *(_squares(view, rescue, own) for view, own in zip(views, seen, strict=True)),
            strict=True,
        )
    )
    p_value = np.full(len(found), np.nan)
    rng = np.random.default_rng(seed)
    sizes = _compared(seen)
    for n in np.unique(sizes[sizes > 1]):
        null = np.concatenate([_null(view, int(n), n_permutations, rng) for view in views])
        chosen = np.flatnonzero((sizes == n) & np.isfinite(found))
        if null.size and chosen.size:
            p_value[chosen] = share_above((found - margin)[chosen], null)
    return pd.DataFrame({"side_effect": np.sqrt(np.maximum(found, 0.0)), "side_effect_p": p_value})


def _seen(view: ViewScores, groups: TreatmentGroups) -> TreatmentGroups:
    """Return the wells of each treatment that a network may score."""
    known = np.isfinite(view.off_axis[groups.rows]).all(axis=1)
    if known.all():
        return groups
    sizes = np.bincount(groups.owner[known], minlength=len(groups.sizes))
    return TreatmentGroups(groups.rows[known], np.concatenate([[0], np.cumsum(sizes)]))


def _compared(seen: list[TreatmentGroups]) -> NDArray[np.intp]:
    """Return with how many wells each treatment is judged: the fewest, of two or more, of a view.

    Fewer wells scatter more, so that a null of the fewest errs on the safe side.
    """
    sizes = np.stack([groups.sizes for groups in seen])
    fewest = np.where(sizes > 1, sizes, np.iinfo(sizes.dtype).max).min(axis=0)
    return np.where((sizes > 1).any(axis=0), fewest, 0)


def _squares(view: ViewScores, rescue: _Floats, groups: TreatmentGroups) -> tuple[_Floats, _Floats]:
    """Return the squared side effect of each treatment, which may be negative by chance.

    And a margin for the test: two SDs of what wells of one plate share through its controls.
    """
    rows, owner = groups.rows, groups.owner
    plate = view.alignment.table.plate[rows]
    contrasts = view.contrasts(rows, np.zeros(len(rows)))
    keys, group = np.unique(np.column_stack([owner, plate]), axis=0, return_inverse=True)
    group = group.reshape(-1)
    total = np.column_stack([np.bincount(group, column, len(keys)) for column in contrasts.T])
    uncertain = view.alignment.uncertainty
    # Products of different wells of one plate: the square of the sum less the wells' own.
    together = np.einsum("gi,gij,gj->g", total, uncertain[keys[:, 1]], total)
    own = np.einsum("wi,wij,wj->w", contrasts, uncertain[plate], contrasts)
    shared = np.bincount(keys[:, 0], together, len(groups.sizes))
    shared -= np.bincount(owner, own, len(groups.sizes))
    pairs = np.maximum(groups.sizes * (groups.sizes - 1.0), 1)
    through_controls = view.noise * shared / pairs
    raw = groups.pair_products(view.off_axis, view.noise)
    square = raw - through_controls - np.clip(rescue, 0, None) ** 2 * view.axis_error
    return square, 2 * np.sqrt(2 / view.off_axis.shape[1]) * np.maximum(through_controls, 0)


def _null(view: ViewScores, n: int, draws: int, rng: np.random.Generator) -> _Floats:
    """Return squared side effects of groups of n diseased wells, free of their shared mean."""
    table = view.alignment.table
    rows = np.flatnonzero(table.controls(DISEASED) & np.isfinite(view.off_axis[:, 0]))
    # Fewer controls than wells: smaller groups scatter more, which errs on the safe side.
    n = min(n, rows.size)
    if n < 2:
        return np.empty(0)
    draws = min(draws, max(_MIN_DRAWS, _MAX_PAIRS // n**2))
    vectors = view.off_axis[rows]
    plate = table.plate[rows]
    # Two wells left out of one mean lean apart, by the share of that mean that each makes up.
    pull = view.noise * view.alignment.uncertainty[plate, 0, 0]
    picks = draw_different(rows.size, n, draws, rng)
    found = []
    step = max(1, _BLOCK // (n * vectors.shape[1]))
    for start in range(0, draws, step):
        part = picks[start : start + step]
        same = plate[part][:, :, None] == plate[part][:, None, :]
        lean = (same * pull[part][:, :, None]).sum(axis=(1, 2)) - pull[part].sum(axis=1)
        found.append(pair_product(vectors[part], view.noise) + lean / (n * (n - 1)))
    return np.concatenate(found)


def _mean_known(columns: list[_Floats]) -> _Floats:
    stacked = np.stack(columns)
    known = np.isfinite(stacked)
    counts = known.sum(axis=0)
    total = np.where(known, stacked, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, counts, out=np.full(len(total), np.nan), where=counts > 0))
