"""Rescue of each treatment: estimate, interval that draws wells, permutation p."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from counterstain.ranking.treatment_groups import TreatmentGroups
from counterstain.ranking.well_scores import ViewScores
from counterstain.ranking.well_table import DISEASED, HEALTHY, WellTable
from counterstain.statistics.moderation import (
    VariancePrior,
    bootstrap_t_levels,
    fit_variance_prior,
)
from counterstain.statistics.permutation import group_p_values

__all__ = ["mean_rescue", "rescue_rows"]

_Floats = NDArray[np.float64]


def mean_rescue(views: list[ViewScores]) -> _Floats:
    """Return each well's rescue, averaged over the networks that may score it, shape (W,)."""
    stacked = np.stack([view.rescue for view in views])
    known = np.isfinite(stacked)
    total = np.where(known, stacked, 0.0).sum(axis=0)
    counts = known.sum(axis=0)
    return np.asarray(np.divide(total, counts, out=np.full(len(total), np.nan), where=counts > 0))


def rescue_rows(
    rescue: _Floats,
    views: list[ViewScores],
    table: WellTable,
    groups: TreatmentGroups,
    side_effect: _Floats,
    *,
    seed: int,
    confidence: float,
    n_resamples: int,
    n_permutations: int,
) -> pd.DataFrame:
    """Return ``rescue``, its interval, SD and p, a row per treatment.

    The spread of a treatment's few wells is moderated by that of all treatments, the levels come
    from a bootstrap-t over pooled control wells, and the uncertainty of the controls' means (origin
    and scale of each plate) is added to it in squares.
    """
    values = rescue[groups.rows]
    sizes = groups.sizes
    mean = np.divide(groups.sums(values), sizes, out=np.full(len(sizes), np.nan), where=sizes > 0)
    squares = groups.sums((values - mean[groups.owner]) ** 2)
    freedom = np.maximum(sizes - 1.0, 0.0)
    variance = np.divide(squares, freedom, out=np.zeros(len(sizes)), where=freedom > 0)
    pool = _control_residuals(rescue, table)
    prior = _prior(variance, freedom, views)
    sd = np.sqrt(prior.moderate(variance, freedom))
    usual = (variance * freedom).sum() / max(freedom.sum(), 1.0) or prior.variance
    relative = VariancePrior(prior.variance / usual, prior.freedom)
    below, above = _levels(pool, sizes, relative, seed, confidence, n_resamples)
    of_controls = float(ndtri(0.5 + confidence / 2)) * np.sqrt(
        np.mean(
            [
                _control_variance(view, groups, mean) + view.tilt_variance(side_effect)
                for view in views
            ],
            axis=0,
        )
    )
    error = sd / np.sqrt(np.maximum(sizes, 1))
    p_value = _p_values(rescue, table, groups, seed, n_permutations)
    return pd.DataFrame(
        {
            "rescue": mean,
            "rescue_low": mean - np.hypot(below * error, of_controls),
            "rescue_high": mean + np.hypot(above * error, of_controls),
            "rescue_sd": np.where(sizes > 0, sd, np.nan),
            "p_value": p_value,
        }
    )


def _control_residuals(rescue: _Floats, table: WellTable) -> _Floats:
    """Return deviations of control wells from their kind's mean, in SDs of their kind."""
    found = []
    for kind in (DISEASED, HEALTHY):
        values = rescue[table.controls(kind) & np.isfinite(rescue)]
        if values.size > 1 and np.ptp(values) > 0:
            found.append((values - values.mean()) / values.std(ddof=1))
    return np.concatenate(found) if found else np.array([-1.0, 1.0])


def _prior(variance: _Floats, freedom: _Floats, views: list[ViewScores]) -> VariancePrior:
    replicated = freedom >= 1
    if np.count_nonzero(replicated) >= 3:
        return fit_variance_prior(variance[replicated], freedom[replicated])
    # Too few treatments to learn from: controls spread as treatments do, for all that is known.
    return VariancePrior(float(np.mean([view.score_variance for view in views])), np.inf)


def _levels(
    pool: _Floats,
    sizes: NDArray[np.intp],
    prior: VariancePrior,
    seed: int,
    confidence: float,
    n_resamples: int,
) -> tuple[_Floats, _Floats]:
    below, above = np.full(len(sizes), np.nan), np.full(len(sizes), np.nan)
    for n in np.unique(sizes[sizes > 0]):
        below[sizes == n], above[sizes == n] = bootstrap_t_levels(
            pool, int(n), prior, seed=seed, n_resamples=n_resamples, confidence=confidence
        )
    return below, above


def _control_variance(view: ViewScores, groups: TreatmentGroups, mean: _Floats) -> _Floats:
    """Return the variance that a treatment's mean has from its plates' controls, shape (T,)."""
    rows, owner = groups.rows, groups.owner
    plate = view.alignment.table.plate[rows]
    contrasts = view.contrasts(rows, mean[owner])
    found = np.zeros(len(groups.sizes))
    keys, group = np.unique(np.column_stack([owner, plate]), axis=0, return_inverse=True)
    group = group.reshape(-1)
    sums = np.column_stack([np.bincount(group, column, len(keys)) for column in contrasts.T])
    together = sums / np.maximum(groups.sizes, 1)[keys[:, 0], None]
    uncertain = view.scales.uncertainty[keys[:, 1]]
    each = np.einsum("gi,gij,gj->g", together, uncertain, together)
    np.add.at(found, keys[:, 0], each * view.score_variance)
    # What a plate's scale has from all plates of its fold, all of them err in together.
    borrowed = groups.means(
        (1 - view.scales.own[plate]) * view.scales.common_variance[plate] ** 0.5
    )
    return found + (np.nan_to_num(borrowed) * mean) ** 2


def _p_values(
    rescue: _Floats, table: WellTable, groups: TreatmentGroups, seed: int, n_permutations: int
) -> _Floats:
    controls = rescue[table.controls(DISEASED) & np.isfinite(rescue)]
    p_values = np.full(len(groups.sizes), np.nan)
    for n in np.unique(groups.sizes[groups.sizes > 0]):
        chosen, rows = groups.of_size(int(n))
        p_values[chosen] = group_p_values(
            rescue[rows], controls, seed=seed, n_permutations=n_permutations
        )
    return p_values
