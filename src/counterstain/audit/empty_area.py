"""Empty-area audit: whether the network decides by the cells or by places without any."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from counterstain.audit.empty_look import EmptyAreaLook
from counterstain.audit.verdict import AuditCheck, AuditVerdict, Status
from counterstain.statistics import mean_by_well, well_bootstrap
from counterstain.types import Estimate

__all__ = ["empty_area_audit"]

_RED_SHARE, _RED_LOW = 0.5, 0.25
_AMBER_SHARE, _AMBER_LOW = 0.25, 0.1
# A call goes with the background when it does so more often than with the cells.
_RED_FOLLOWS, _AMBER_FOLLOWS = 0.5, 0.25

_Floats = NDArray[np.float64]


def empty_area_audit(
    look: EmptyAreaLook,
    *,
    seed: int,
    shares: Mapping[str, tuple[_Floats, _Floats, NDArray[np.int64]]] | None = None,
) -> AuditVerdict:
    """Judge how much of a classifier's decision rests on places without cells.

    Accuracy alone would mislead: without cells a network may call all images one class, and be
    right in half of them. What counts is how much of the *distance between the classes* is left
    when only the background is.

    Parameters
    ----------
    look : EmptyAreaLook
        What networks say of whole, emptied and mixed images of wells that they never saw.
    seed : int
        Seed of the intervals.
    shares : mapping of str to (share, area, wells), optional
        For each attribution method, per crop: the share of its map that lies inside cells, the
        share of the area that cells take, and the crop's well.

    Returns
    -------
    AuditVerdict
        Key ``empty_area``: red where half of the distance between the classes, or half of the
        calls, come from the background, or where every method puts more of its map on an empty
        pixel than on one of a cell.

    Notes
    -----
    The distance of class k is the mean log-odds of k over its own wells minus that over all other
    wells; distances are summed over the classes. Intervals draw whole wells.

    Examples
    --------
    >>> classes, wells = np.repeat([0, 1], 8), np.arange(16)
    >>> sure = np.where(classes[:, None] == [0, 1], 3.0, -3.0)
    >>> none = np.zeros((16, 2))
    >>> look = EmptyAreaLook(classes, wells, 1 - classes, sure, none, none, sure)
    >>> empty_area_audit(look, seed=0).status
    'green'
    >>> look = EmptyAreaLook(classes, wells, 1 - classes, sure, sure, sure, -sure)
    >>> empty_area_audit(look, seed=0).status
    'red'
    """
    checks = [
        _accuracy(look, "whole", "images as they are", seed),
        _accuracy(look, "without_own", "own cell removed", seed),
        _accuracy(look, "background_only", "background only", seed),
        _carried(look, seed),
        _follows(look, seed),
        *_maps(shares or {}, seed),
    ]
    carried = next(check for check in checks if check.check == "share carried by background")
    number = "–" if np.isnan(carried.value) else f"{_part(carried.value)} from background"
    return AuditVerdict.of_checks(
        "empty_area", "Empty areas", checks, number=number, sentence=_sentence(checks),
        details={"n_crops": len(look.classes), "n_without_empty": look.n_without_empty},
    )  # fmt: skip


def _part(share: float) -> str:
    """Say a share of the distance; below 0 the background points the wrong way."""
    return f"{share:.0%}" if share >= 0.005 else "nothing"


def _sentence(checks: list[AuditCheck]) -> str:
    order = {"red": 0, "amber": 1, "green": 2, "unknown": 3}
    judged = [check for check in checks if check.check in ("share carried by background",
              "calls that follow the background", "maps")]  # fmt: skip
    return min(judged, key=lambda check: order[check.status]).sentence


def _log_odds(logits: _Floats) -> _Floats:
    """Return the log-odds of each class against all others, (n, K)."""
    columns = [
        logits[:, k] - logsumexp(np.delete(logits, k, axis=1), axis=1)
        for k in range(logits.shape[1])
    ]
    return np.stack(columns, axis=1)


def _by_well(look: EmptyAreaLook, *values: _Floats) -> list[_Floats]:
    """Return well means of several quantities side by side, an array a class."""
    stacked = np.concatenate(values, axis=1)
    groups = []
    for index in np.unique(look.classes):
        rows = look.classes == index
        wells = np.unique(look.wells[rows])
        own = [stacked[rows & (look.wells == well)].mean(axis=0) for well in wells]
        groups.append(np.stack(own))
    return groups


def _accuracy(look: EmptyAreaLook, version: str, name: str, seed: int) -> AuditCheck:
    """Report the balanced accuracy of one version of the images; it is never judged alone."""
    right = (getattr(look, version).argmax(axis=1) == look.classes).astype(float)
    groups = [group[:, 0] for group in _by_well(look, right[:, None])]

    def balanced(*samples: _Floats) -> _Floats:
        return np.asarray(np.mean([sample.mean(axis=1) for sample in samples], axis=0))

    found = well_bootstrap(balanced, groups, seed=seed, share=True)
    return _check(
        f"accuracy, {name}", "green", found, "share",
        f"Balanced accuracy on wells never seen, {name}: {found.value:.0%} (chance "
        f"{1 / max(1, len(groups)):.0%}).",
    )  # fmt: skip


def _distance(samples: tuple[_Floats, ...], offset: int, classes: list[int]) -> _Floats:
    """Sum over classes of how far their own wells lie above all others, (B,)."""
    total = np.zeros(samples[0].shape[0])
    for own, index in enumerate(classes):
        column = offset + index
        rest = np.concatenate([s[:, :, column] for k, s in enumerate(samples) if k != own], axis=1)
        total += samples[own][:, :, column].mean(axis=1) - rest.mean(axis=1)
    return total


def _carried(look: EmptyAreaLook, seed: int) -> AuditCheck:
    name = "share carried by background"
    classes = [int(index) for index in np.unique(look.classes)]
    if len(classes) < 2:
        return AuditCheck(name, "unknown", sentence="Only one class has crops to look at.")
    n_classes = look.whole.shape[1]
    groups = _by_well(look, _log_odds(look.whole), _log_odds(look.background_only))

    def share(*samples: _Floats) -> _Floats:
        whole, bare = (_distance(samples, offset, classes) for offset in (0, n_classes))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(whole > 0, bare / whole, np.nan)

    found = well_bootstrap(share, groups, seed=seed)
    if not found.is_defined:
        return AuditCheck(
            name, "unknown",
            sentence="The classes are not apart even on whole images: nothing can be shared out.",
        )  # fmt: skip
    low = found.low if np.isfinite(found.low) else found.value
    status: Status = "green"
    if found.value >= _AMBER_SHARE:
        status = "red" if found.value >= _RED_SHARE and low >= _RED_LOW else "amber"
    what = {
        "green": "the network decides by the cells.",
        "unsure": "too few wells or too little empty place to say more; add wells, or larger "
        "crops.",
        "amber": "part of the decision rests on places without cells: look for haze, debris or "
        "uneven light that differs between the classes.",
        "red": "the network decides by places without cells: look for tags, debris or light that "
        "differ between the classes, and image both side by side.",
    }["unsure" if status == "amber" and low < _AMBER_LOW else status]
    return _check(
        name, status, found, "share",
        f"Without any cell, {_part(found.value)} of the distance between the classes is left "
        f"[{low:.0%}, {found.high:.0%}]: "
        + what,
    )  # fmt: skip


def _follows(look: EmptyAreaLook, seed: int) -> AuditCheck:
    name = "calls that follow the background"
    lent = look.background_class != look.classes
    if not lent.any():
        return AuditCheck(name, "unknown", sentence="There is no background of another class.")
    with_background = look.swapped.argmax(axis=1) == look.background_class
    before = look.whole.argmax(axis=1) == look.background_class
    gained = (with_background & ~before).astype(float)[lent]
    found = mean_by_well(gained, look.wells[lent], seed=seed)
    low = found.low if np.isfinite(found.low) else found.value
    status: Status = "green"
    if found.value >= _AMBER_FOLLOWS:
        status = "red" if found.value >= _RED_FOLLOWS and low >= _AMBER_FOLLOWS else "amber"
    return _check(
        name, status, found, "share",
        f"Put on the background of another class, {found.value:.0%} of the cells are called that "
        "class instead of their own.",
    )  # fmt: skip


def _maps(
    shares: Mapping[str, tuple[_Floats, _Floats, NDArray[np.int64]]], seed: int
) -> list[AuditCheck]:
    """Compare the share of each method's map inside cells with the share of area there."""
    checks = []
    for method, (share, area, wells) in shares.items():
        good = np.isfinite(share) & (area > 0) & (area < 1)
        if not good.any():
            checks.append(
                AuditCheck(f"map: {method}", "unknown", sentence=f"{method}: no map to share out.")
            )
            continue
        inside = mean_by_well(share[good], wells[good], seed=seed)
        excess = mean_by_well((share - area)[good], wells[good], seed=seed)
        low = excess.high if np.isfinite(excess.high) else excess.value
        status: Status = "amber" if low < 0 else "green"
        checks.append(
            _check(
                f"map: {method}",
                status,
                inside,
                "share",
                f"{method}: {inside.value:.0%} of the map lies inside cells, which take "
                f"{float(area[good].mean()):.0%} of the area.",
            )
        )
    judged = [check for check in checks if check.status != "unknown"]
    if not judged:
        return checks
    bad = [check for check in judged if check.status == "amber"]
    status = "red" if len(bad) == len(judged) else "amber" if bad else "green"
    names = ", ".join(check.check.removeprefix("map: ") for check in bad)
    sentence = (
        f"Maps that put more on an empty pixel than on one of a cell: {names}."
        if bad
        else "Every map puts more on a pixel of a cell than on an empty one."
    )
    return [*checks, AuditCheck("maps", status, sentence=sentence)]


def _check(name: str, status: Status, found: Estimate, unit: str, sentence: str) -> AuditCheck:
    return AuditCheck(
        name, status, found.value, found.low, found.high, unit, found.n_wells, sentence
    )
