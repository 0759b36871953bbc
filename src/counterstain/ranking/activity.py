"""Whether wells of a treatment find each other: mean average precision, by copairs."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain._optional import import_optional
from counterstain.statistics.significance import benjamini_hochberg

__all__ = ["combine_p_values", "phenotypic_activity", "phenotypic_consistency"]

_NULL_SIZE = 10_000
_FEWEST = 2


def combine_p_values(p_values: Sequence[float]) -> float:
    """Combine p-values of one hypothesis that depend on each other in an unknown way.

    Parameters
    ----------
    p_values : sequence of float
        One or more.

    Returns
    -------
    float
        A single one as it is; twice the mean of several, 1 at most, which holds whatever their
        dependence.

    References
    ----------
    Vovk & Wang 2020, doi:10.1093/biomet/asaa027.

    Examples
    --------
    >>> combine_p_values([0.01]), combine_p_values([0.01, 0.03]), combine_p_values([0.6, 0.8])
    (0.01, 0.04, 1.0)
    """
    values = [float(p) for p in p_values]
    return values[0] if len(values) == 1 else min(1.0, 2 * float(np.mean(values)))


def phenotypic_activity(
    views: Sequence[NDArray[np.floating]],
    treatment: NDArray[np.int64],
    reference: NDArray[np.bool_],
    plate: NDArray[Any],
    *,
    seed: int,
) -> pd.DataFrame:
    """Measure how well the wells of each treatment retrieve each other against reference wells.

    In each latent space profiles are centred on the reference wells of their plate and divided by
    these wells' spread; cosine similarity ranks the treatment's other wells among the references.

    Parameters
    ----------
    views : sequence of ndarray of float, shape (W, D)
        A latent space each; rows that are not finite are left out.
    treatment : ndarray of int, shape (W,)
        Number of each well's treatment; -1 for none.
    reference : ndarray of bool, shape (W,)
        Wells that treatments are to be told from.
    plate : ndarray, shape (W,)
        Plate of each well; wells of plates with fewer than two references are left out.
    seed : int
        Seed of the null distribution.

    Returns
    -------
    DataFrame, indexed by treatment
        ``activity`` (mean average precision, mean over the spaces; 1 is perfect), ``activity_p``
        and ``activity_q`` (Benjamini-Hochberg). Only treatments with two wells or more in a space.

    Raises
    ------
    OptionalDependencyError
        If copairs is not installed.

    References
    ----------
    Kalinin et al. 2025, doi:10.1038/s41467-025-60306-2.

    Examples
    --------
    >>> from counterstain.ranking.activity import phenotypic_activity
    >>> phenotypic_activity(views, treatment, reference, plate, seed=0)  # doctest: +SKIP
    """
    parts = []
    for view in views:
        scaled = _scaled(view, reference, plate)
        used = np.flatnonzero(np.isfinite(scaled).all(axis=1) & (reference | (treatment >= 0)))
        # Treated wells share the reference -1, so that they are compared with references only.
        meta = pd.DataFrame(
            {
                "group": np.where(reference, -1 - np.arange(len(reference)), treatment)[used],
                "reference": np.where(reference, np.arange(len(reference)), -1)[used],
            }
        )
        parts.append(_precision(meta, scaled[used], ["group", "reference"], seed))
    return _combined(parts, "activity")


def phenotypic_consistency(
    views: Sequence[NDArray[np.floating]],
    treatment: NDArray[np.int64],
    compound: NDArray[np.int64],
    reference: NDArray[np.bool_],
    plate: NDArray[Any],
    *,
    seed: int,
) -> pd.DataFrame:
    """Measure how well the doses of a compound retrieve each other against other compounds.

    Parameters
    ----------
    views, reference, plate, seed
        As for :func:`phenotypic_activity`.
    treatment : ndarray of int, shape (W,)
        Number of each well's treatment where that is active; -1 for all others.
    compound : ndarray of int, shape (W,)
        Number of each well's compound.

    Returns
    -------
    DataFrame, indexed by compound
        ``consistency``, ``consistency_p`` and ``consistency_q``, of compounds with two active doses
        or more; empty where there is no other compound to compare with.

    Raises
    ------
    OptionalDependencyError
        If copairs is not installed.

    Examples
    --------
    >>> from counterstain.ranking.activity import phenotypic_consistency
    >>> phenotypic_consistency(
    ...     views, treatment, compound, reference, plate, seed=0
    ... )  # doctest: +SKIP
    """
    parts = []
    for view in views:
        scaled = _scaled(view, reference, plate)
        used = np.flatnonzero(np.isfinite(scaled).all(axis=1) & (treatment >= 0))
        means = pd.DataFrame(scaled[used]).groupby(treatment[used]).mean()
        owner = pd.Series(compound[used]).groupby(treatment[used]).first()
        meta = pd.DataFrame({"group": owner.to_numpy()})
        parts.append(_precision(meta, means.to_numpy(np.float64), ["group"], seed))
    return _combined(parts, "consistency")


def _scaled(
    view: NDArray[np.floating], reference: NDArray[np.bool_], plate: NDArray[Any]
) -> NDArray[np.float64]:
    """Centre each plate on its references, and divide by their spread over all plates."""
    values = np.asarray(view, np.float64)
    known = np.isfinite(values).all(axis=1)
    scaled = np.full(values.shape, np.nan)
    left = []
    for name in np.unique(plate):
        here = (plate == name) & known
        own = values[here & reference]
        if len(own) >= _FEWEST:
            scaled[here] = values[here] - own.mean(axis=0)
            left.append((own - own.mean(axis=0)) * np.sqrt(len(own) / (len(own) - 1)))
    if not left:
        return scaled
    spread = np.concatenate(left).std(axis=0)
    return np.asarray(scaled[:, spread > 0] / spread[spread > 0])


def _precision(
    meta: pd.DataFrame, profiles: NDArray[np.float64], columns: list[str], seed: int
) -> pd.DataFrame:
    """Return mean average precision and p by group; empty where nothing can be compared."""
    copairs = import_optional("copairs.map", "activity", "measure phenotypic activity")
    sizes = meta["group"].value_counts()
    treated = meta["reference"] < 0 if "reference" in meta else pd.Series(True, index=meta.index)
    several = treated & (meta["group"].map(sizes) > 1)
    others = len(sizes) > 1 if "reference" not in meta else bool((~treated).any())
    if not several.any() or not others:
        return pd.DataFrame({"value": [], "p": []})
    # Its bars are not ours; without them copairs 0.5 fails.
    with contextlib.redirect_stderr(io.StringIO()):
        scores = copairs.average_precision(
            meta, profiles, pos_sameby=columns, pos_diffby=[], neg_sameby=[], neg_diffby=columns
        )
        found = copairs.mean_average_precision(
            scores[several.to_numpy()], ["group"], null_size=_NULL_SIZE, threshold=0.05, seed=seed,
            max_workers=1,
        )  # fmt: skip
    table: pd.DataFrame = found.set_index("group")
    return table[["mean_average_precision", "p_value"]].set_axis(["value", "p"], axis=1)


def _combined(parts: list[pd.DataFrame], name: str) -> pd.DataFrame:
    groups = pd.concat(parts).groupby(level=0)
    table = pd.DataFrame(
        {
            name: groups["value"].mean().astype(float),
            f"{name}_p": groups["p"].agg(lambda p: combine_p_values(p.tolist())).astype(float),
        }
    )
    table[f"{name}_q"] = benjamini_hochberg(table[f"{name}_p"].to_numpy(np.float64))
    return table
