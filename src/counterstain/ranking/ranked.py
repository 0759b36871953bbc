"""Rank treatments by how far they carry diseased wells to healthy, and by what else they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.ranking.plate_rows import plate_rows
from counterstain.ranking.profile_views import as_views, mark_profiles
from counterstain.ranking.rescue_rows import mean_rescue, rescue_rows
from counterstain.ranking.side_effect_rows import side_effect_rows, well_side_effects
from counterstain.ranking.treatment_groups import group_treatments
from counterstain.ranking.treatment_rows import treatment_table
from counterstain.ranking.well_scores import ViewScores, score_view
from counterstain.ranking.well_table import WellTable, read_wells
from counterstain.statistics.calls import OFF_AXIS, CallRules
from counterstain.statistics.intervals import check_settings

__all__ = ["Ranking", "rank_treatments"]

_MAX_SCALE_ERROR = 0.25
_NEITHER_SHARE = 0.1
_NEITHER_Z = 4.0
"""Robust SDs of the controls' distances off the axis from which a well is neither of the two."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a screen answers; three tables and what the reader must know.

    Parameters
    ----------
    treatments : DataFrame
        A row per compound and dose, best first; see `rank_treatments`.
    wells : DataFrame
        A row per well in the order given: ``Metadata_*``, ``class_name``, ``compound`` and
        ``concentration`` as read ("" and NaN for controls), ``rescue``, ``side_effect``,
        ``off_axis_z``, ``state`` and ``mark`` (why a well takes no part). The state is *neither*
        where the well lies off the axis (with its treatment, or by itself more than 4 robust SDs
        and a tenth of the way from diseased to healthy) or more than half the way beyond a
        control, else *diseased* (rescue below 0.25), *healthy* (above 0.75), *between*, or
        *not scored*.
    plates : DataFrame
        A row per plate: ``n_wells``, ``n_diseased``, ``n_healthy``, ``z_prime``,
        ``robust_z_prime``, ``ssmd``, ``v_factor``, ``position_share`` (how much of the controls'
        spread the position predicts), ``failed``, ``note``.
    axis_length : float
        Way from diseased to healthy, in SDs of the controls' wells.
    notes : tuple of str
        Wells that take no part and plates that fail, a sentence each.
    """

    treatments: pd.DataFrame
    wells: pd.DataFrame
    plates: pd.DataFrame
    axis_length: float
    notes: tuple[str, ...]


def rank_treatments(
    profiles: ArrayLike | Sequence[ArrayLike],
    wells: pd.DataFrame,
    *,
    seed: int,
    diseased: str = "diseased",
    healthy: str = "healthy",
    position: Literal["controls", "median_polish", "none"] = "controls",
    axis: Literal["discriminant", "means"] = "discriminant",
    rules: CallRules | None = None,
    min_cells: int = 10,
    min_z_prime: float = 0.5,
    confidence: float = 0.95,
    n_resamples: int = 4000,
    n_permutations: int = 9999,
) -> Ranking:
    """Rank treatments by rescue and side effect of their wells' profiles.

    *Rescue* is the projection on the way from diseased to healthy: 0 and 1 are the controls of the
    same plate. *Side effect* is the distance off that way that a treatment's wells agree on, in SDs
    of the controls' wells. Both are measured by axes that the plate itself took no part in finding.

    Parameters
    ----------
    profiles : array-like of float, shape (W, D), or a sequence of these
        Mean latent profile per well. Profiles of several networks (folds) are passed as a sequence,
        with NaN in the rows of wells that a network was trained on: latent spaces of different
        networks are never mixed, only their scores are averaged.
    wells : DataFrame, W rows
        ``Metadata_Plate``, ``Metadata_Well`` (such as "B07") and ``class_name``; of treated wells
        also ``Metadata_Compound`` and ``Metadata_Concentration`` (numbers, or text with a molar
        unit: then in µM; so too where a column ``Metadata_ConcentrationUnit`` holds more than one
        unit). ``n_cells`` and ``Metadata_Batch`` are used where they are there. Wells of any class
        but the two controls are treated.
    seed : int
        Seed of bootstrap and permutations.
    diseased, healthy : str
        Names of the controls in ``class_name``.
    position : {"controls", "median_polish", "none"}
        How row and column effects are taken off: a shrunk surface fitted on controls, Tukey's
        median polish of the treated wells (which must be mostly inactive), or not.
    axis : {"discriminant", "means"}
        Fisher's direction with shrunk covariance, or the plain difference of the means.
    rules : CallRules, optional
        Lines between the calls.
    min_cells : int
        Wells with fewer cells take no part; nor do those with less than a fifth of their plate's
        diseased controls. Where half of a treatment's wells are such, it is off the axis.
    min_z_prime : float
        Z' below which a plate fails; its wells stay in.
    confidence : float
        Coverage of intervals, between 0 and 1.
    n_resamples, n_permutations : int
        Draws of the bootstrap, and of the permutations.

    Returns
    -------
    Ranking
        Columns of ``treatments``: ``rank``, ``Metadata_Compound``, ``Metadata_Concentration``,
        ``call`` (see :func:`counterstain.statistics.calls.call_hits`), ``rescue``, ``rescue_low``,
        ``rescue_high``, ``rescue_sd`` (between wells), ``p_value`` (one-sided permutation against
        diseased controls), ``q_value``, ``side_effect``, ``side_effect_share`` (of the way from
        diseased to healthy), ``side_effect_p``, ``side_effect_q``, ``n_wells``, ``n_plates``,
        ``n_few_cells``, ``cell_share`` (cells over those of diseased controls) and ``note``.

    Raises
    ------
    InvalidInputError
        If profiles and wells do not fit, a column is missing, a well is there twice, a control has
        fewer than two usable wells, the controls cannot be told apart at all, no plate has both,
        or a setting is out of range. Anything that concerns single
        wells or plates is marked in the tables instead.

    Notes
    -----
    Simulated (`benchmarks/screens.py`, 40 screens of four plates, heavy-tailed wells, drifts),
    intervals of 95 % cover 95 % of rescues on the axis, and 82 % far off it, where rescue depends
    on which way counts as along. With six controls of a kind a plate, 48 latents and all
    replicates on one plate, one inactive treatment in eight is called off the axis.

    References
    ----------
    Ledoit & Wolf 2004, doi:10.1016/S0047-259X(03)00096-4 (covariance); Smyth 2004,
    doi:10.2202/1544-6115.1027 (spread of few wells); Phipson & Smyth 2010,
    doi:10.2202/1544-6115.1585 (permutation p); Benjamini & Hochberg 1995,
    doi:10.1111/j.2517-6161.1995.tb02031.x (q); Zou & Donner 2008, doi:10.1002/sim.3095 (interval
    from two sources).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> wells = pd.DataFrame({
    ...     "Metadata_Plate": "P1",
    ...     "Metadata_Well": [f"{r}{c:02d}" for r in "ABCD" for c in range(1, 7)],
    ...     "class_name": (["diseased"] * 8 + ["healthy"] * 8 + [""] * 8),
    ...     "Metadata_Compound": [""] * 16 + ["C1"] * 4 + ["C2"] * 4, "Metadata_Concentration": 1.0,
    ... })
    >>> profiles = rng.normal(size=(24, 5))
    >>> profiles[8:20, 0] += 20
    >>> ranking = rank_treatments(profiles, wells, seed=0)
    >>> ranking.treatments[["rank", "Metadata_Compound", "call"]].values.tolist()
    [[1, 'C1', 'hit'], [2, 'C2', 'inactive']]
    """
    found = rules or CallRules()
    _check_choices(position, axis, min_z_prime)
    check_settings(n_resamples, confidence)
    table = read_wells(wells, diseased=diseased, healthy=healthy, min_cells=min_cells)
    spaces = as_views(profiles, len(wells))
    table = mark_profiles(spaces, table)
    views = [score_view(space, table, position=position, axis=axis) for space in spaces]
    rescue = mean_rescue(views)
    table = table.marked(~np.isfinite(rescue), "plate without usable controls")
    groups = group_treatments(
        table.treatment, table.counts & np.isfinite(rescue), len(table.treatments)
    )
    side = side_effect_rows(
        groups.means(rescue[groups.rows]), views, groups, seed=seed, n_permutations=n_permutations
    )
    rows = rescue_rows(
        rescue, views, table, groups, side["side_effect"].to_numpy(), seed=seed,
        confidence=confidence, n_resamples=n_resamples, n_permutations=n_permutations,
    )  # fmt: skip
    plates = plate_rows(rescue, table, views, min_z_prime=min_z_prime)
    length = float(np.mean([view.axis_length for view in views]))
    treatments = treatment_table(
        pd.concat([rows, side], axis=1), table, groups, plates, found, length
    )
    numbers = treatments.pop("number")
    off_axis = np.isin(table.treatment, numbers[treatments["call"] == OFF_AXIS])
    failed = plates[plates["failed"]]
    told = [
        f"the controls are hardly told apart (their distance has an error of {error:.0%}): rescue "
        f"has no reliable scale"
        for error in (float(np.nanmedian(view.scales.common_variance)) ** 0.5 for view in views)
        if error > _MAX_SCALE_ERROR
    ]
    told += [f"plate {row.Metadata_Plate} fails: {row.note}" for row in failed.itertuples()]
    return Ranking(
        treatments, _well_rows(wells, rescue, views, table, off_axis), plates, length,
        (*table.notes, *told),
    )  # fmt: skip


def _well_rows(
    wells: pd.DataFrame,
    rescue: NDArray[np.float64],
    views: list[ViewScores],
    table: WellTable,
    off_axis: NDArray[np.bool_],
) -> pd.DataFrame:
    side_effect, off_axis_z = well_side_effects(views)
    length = float(np.mean([view.axis_length for view in views]))
    odd = (off_axis_z > _NEITHER_Z) & (side_effect > _NEITHER_SHARE * length)
    state = np.select(
        [
            table.mark != "",
            off_axis | odd | (rescue < -0.5) | (rescue > 1.5),
            rescue < 0.25,
            rescue > 0.75,
        ],
        ["not scored", "neither", "diseased", "healthy"],
        "between",
    )
    kept = [name for name in wells if str(name).startswith("Metadata_") or name == "class_name"]
    named = table.treatments.reindex(np.where(table.treatment >= 0, table.treatment, -1))
    return wells[kept].assign(
        compound=named["Metadata_Compound"].fillna("").to_numpy(),
        concentration=named["Metadata_Concentration"].to_numpy(np.float64),
        rescue=rescue,
        side_effect=side_effect,
        off_axis_z=off_axis_z,
        state=state,
        mark=table.mark.astype(str),
    )


def _check_choices(position: str, axis: str, min_z_prime: float) -> None:
    problems = []
    if position not in ("controls", "median_polish", "none"):
        problems.append(
            f"`position` must be 'controls', 'median_polish' or 'none'; got {position!r}."
        )
    if axis not in ("discriminant", "means"):
        problems.append(f"`axis` must be 'discriminant' or 'means'; got {axis!r}.")
    if not min_z_prime <= 1:
        problems.append(f"`min_z_prime` must be at most 1; got {min_z_prime}: 0.5 is usual.")
    if problems:
        raise InvalidInputError(problems)
