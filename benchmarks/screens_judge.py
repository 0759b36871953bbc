"""Hold a ranking against the truth, and a classical ranking by distance on the same profiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from screens_profiles import ProfileScreen
from sklearn.metrics import roc_auc_score

from counterstain.ranking import Ranking, fit_doses
from counterstain.statistics.permutation import group_p_values
from counterstain.statistics.significance import benjamini_hochberg

FULL = 0.8
"""Strength from which a rescuer counts as full."""
_Floats = NDArray[np.float64]


def judge(ranking: Ranking, screen: ProfileScreen) -> dict[str, Any]:
    """Return counts and shares of one screen; see `screens.py` for how they are summed."""
    keys = {"Metadata_Compound": "compound", "Metadata_Concentration": "dose"}
    found = ranking.treatments.rename(columns=keys).merge(
        screen.truth.rename(columns={"rescue": "true"}), on=["compound", "dose"]
    )
    covered = (found["rescue_low"] <= found["true"]) & (found["true"] <= found["rescue_high"])
    on_axis = found["role"] != "toxic"
    tested = found["q_value"] <= 0.05
    return {
        **_calls(found),
        "auroc": _auroc(found.assign(score=-found["rank"])),
        "auroc_toxic": _auroc(found.assign(score=-found["rank"]), against=("toxic",)),
        "coverage": float(covered[on_axis].mean()),
        "coverage_active": float(covered[found["role"] == "rescuer"].mean()),
        "coverage_toxic": float(covered[~on_axis].mean()),
        "width": float((found["rescue_high"] - found["rescue_low"]).mean()),
        "shown": int(tested.sum()),
        "shown_false": int((tested & (found["true"] == 0)).sum()),
        "toxic_seen": float(_per_compound(found, "toxic", "toxic/off-axis").mean()),
        "off_axis_wrong": int(
            ((found["call"] == "toxic/off-axis") & (found["role"] != "toxic")).sum()
        ),
        "treatments": len(found),
        "z_prime": ranking.plates["z_prime"].tolist(),
        "position_share": ranking.plates["position_share"].tolist(),
        **_ec50(ranking, screen),
    }


def classical(screen: ProfileScreen, distance: str, seed: int) -> dict[str, Any]:
    """Rank by distance to the healthy centroid after z-scores per plate on diseased controls."""
    wells = screen.wells
    scored = _z_scored(screen)
    diseased = (wells["class_name"] == "diseased").to_numpy()
    healthy = (wells["class_name"] == "healthy").to_numpy()
    score = _closeness(scored, diseased, healthy, distance)
    treated = wells[wells["Metadata_Compound"] != ""].assign(
        score=score[(wells["Metadata_Compound"] != "").to_numpy()]
    )
    grouped = treated.groupby(["Metadata_Compound", "Metadata_Concentration"])["score"]
    table = grouped.apply(lambda values: values.to_numpy()).reset_index()
    values = np.stack(table["score"].to_list())
    p_values = group_p_values(values, score[diseased], seed=seed)
    table = table.assign(
        score=values.mean(axis=1), compound=table["Metadata_Compound"],
        dose=table["Metadata_Concentration"],
        shown=(benjamini_hochberg(p_values) <= 0.05) & (values.mean(axis=1) >= 0.15),
    )  # fmt: skip
    found = table.merge(screen.truth, on=["compound", "dose"])
    found["call"] = np.select(
        [found["shown"] & (found["score"] >= 0.5), found["shown"]], ["hit", "partial"], "inactive"
    )
    return {
        **_calls(found),
        "auroc": _auroc(found),
        "auroc_toxic": _auroc(found, against=("toxic",)),
    }


def _calls(found: pd.DataFrame) -> dict[str, Any]:
    hits = found[found["call"] == "hit"]
    either = found[found["call"].isin(["hit", "partial"])]
    full = found[(found["role"] == "rescuer") & (found["strength"] >= FULL)]
    return {
        "hits": len(hits),
        "hits_false": int((hits["role"] != "rescuer").sum()),
        "called": len(either),
        "called_false": int((either["role"] == "inactive").sum()),
        "full_found": float(
            full.groupby("compound")["call"].apply(lambda c: "hit" in set(c)).mean()
        ),
        "toxic_hits": int(_per_compound(found, "toxic", "hit").sum()),
    }


def _per_compound(found: pd.DataFrame, role: str, call: str) -> pd.Series:
    chosen = found[found["role"] == role]
    return chosen.groupby("compound")["call"].apply(lambda calls: call in set(calls))


def _auroc(found: pd.DataFrame, against: tuple[str, ...] = ("toxic", "inactive")) -> float:
    """Return the AUROC of compounds by their best dose, rescuers against others."""
    best = found.groupby("compound").agg(score=("score", "max"), role=("role", "first"))
    kept = best[best["role"].isin(["rescuer", *against])]
    return float(roc_auc_score(kept["role"] == "rescuer", kept["score"]))


def _ec50(ranking: Ranking, screen: ProfileScreen) -> dict[str, Any]:
    """Count rescuers with a fit, and those within two-fold; and fits of inactive compounds."""
    truth = screen.truth.drop_duplicates("compound").set_index("compound")
    curves = fit_doses(ranking).set_index("Metadata_Compound").join(truth, rsuffix="_true")
    rescuers, inactive = (curves[curves["role"] == role] for role in ("rescuer", "inactive"))
    fold = np.abs(np.log2(rescuers["ec50"] / rescuers["ec50_true"]))
    inside = rescuers["ec50_true"].between(rescuers["ec50_low"], rescuers["ec50_high"])
    fitted = rescuers["reason"] == ""
    return {
        "rescuers": len(rescuers),
        "fitted": int(fitted.sum()),
        "ec50_close": int((fold <= 1).sum()),
        "ec50_covered": int(inside[fitted].sum()),
        "inactive_fitted": int((inactive["reason"] == "").sum()),
        "unfitted": rescuers.loc[~fitted, "reason"].tolist(),
    }


def _z_scored(screen: ProfileScreen) -> _Floats:
    scored = np.empty_like(screen.profiles)
    plates = screen.wells["Metadata_Plate"].to_numpy()
    diseased = (screen.wells["class_name"] == "diseased").to_numpy()
    for plate in np.unique(plates):
        here = plates == plate
        controls = screen.profiles[here & diseased]
        middle = np.median(controls, axis=0)
        spread = 1.4826 * np.median(np.abs(controls - middle), axis=0)
        scored[here] = (screen.profiles[here] - middle) / spread
    return scored


def _closeness(
    scored: _Floats, diseased: NDArray[np.bool_], healthy: NDArray[np.bool_], distance: str
) -> _Floats:
    """Return how close each well is to the healthy centroid: 0 as diseased ones, 1 the closest."""
    start, end = scored[diseased].mean(axis=0), scored[healthy].mean(axis=0)
    if distance == "cosine":
        away, way = scored - start, end - start
        return np.asarray(away @ way / np.linalg.norm(away, axis=1) / np.linalg.norm(way))
    if distance == "mahalanobis":
        residuals = np.concatenate([scored[diseased] - start, scored[healthy] - end])
        whitener = np.linalg.pinv(np.linalg.cholesky(np.cov(residuals.T)))
        scored, start, end = scored @ whitener.T, start @ whitener.T, end @ whitener.T
    reach = np.linalg.norm(scored - end, axis=1)
    far, near = reach[diseased].mean(), reach[healthy].mean()
    return np.asarray((far - reach) / (far - near))
