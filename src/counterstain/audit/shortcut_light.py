"""Lamps, cameras and filters that differ by class: tilt, vignette, background and noise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from counterstain.audit.field_reading import FieldFeatures
from counterstain.audit.shortcut_tests import ALPHA, AMBER_FACTOR, Shift, shift_of
from counterstain.audit.verdict import AuditCheck, Status

__all__ = ["check_background", "check_illumination", "check_noise", "judge", "sides_of"]

_TILT = 0.01
_TILT_OF_CROPS = 0.02
_ONE_CHANNEL = 2.0
"""Factor on a tolerance where it is one channel of several, which biology may touch."""
_VIGNETTE = 0.03
_BACKGROUND = 0.06
_CORRELATION = 0.04


def sides_of(features: FieldFeatures) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield (class, its wells, the wells of all other classes); once where there are two."""
    names = features.wells["class_name"].to_numpy(str)
    classes = [name for name in dict.fromkeys(names) if name]
    for name in classes[1:] if len(classes) == 2 else classes:
        yield name, names == name, (names != name) & (names != "")


def judge(p: float, may_be_red: bool = True, alpha: float = ALPHA) -> Status:
    """Return red or amber by a p-value that is corrected for what was tried."""
    if p <= alpha and may_be_red:
        return "red"
    return "amber" if p <= AMBER_FACTOR * alpha else "green"


def compared(
    features: FieldFeatures, values: NDArray[np.float64], tolerance: float
) -> Iterator[tuple[str, Shift]]:
    """Yield the shift of each class against the others."""
    plates = features.wells["Metadata_Plate"].to_numpy(str)
    for name, member, other in sides_of(features):
        of_classes = member | other
        yield name, shift_of(values[of_classes], member[of_classes], plates[of_classes], tolerance)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0).sum(axis=1) / known.sum(axis=1))


def check_illumination(features: FieldFeatures) -> AuditCheck:
    """Ask whether light falls otherwise on the fields of one class.

    Parameters
    ----------
    features : FieldFeatures
        ``tilt_y``, ``tilt_x`` and ``vignette`` of the background.

    Returns
    -------
    AuditCheck
        Value: the change across the field by which a class differs, % of the background.
    """
    tilt = _TILT_OF_CROPS if features.centred else _TILT
    tried: list[tuple[Shift, str, str]] = []
    for measure, words in (
        ("tilt_y", "from top to bottom"),
        ("tilt_x", "from left to right"),
        ("vignette", "from centre to corner"),
    ):
        if features.centred and measure == "vignette":
            continue
        values = features.values[measure]
        tolerance = tilt if measure != "vignette" else _VIGNETTE
        common = _mean(values)
        tried += [(s, name, words) for name, s in compared(features, common, tolerance)]
        if values.shape[1] > 1:
            for c, channel in enumerate(features.channels):
                found = compared(features, values[:, c], tolerance * _ONE_CHANNEL)
                tried += [(s, name, f"{words} in {channel}") for name, s in found]
    return _worst_of(
        "illumination", tried, 100.0, "% of the background",
        "Light falls unevenly by class: the background changes {words} by {size:.1f} % more in "
        "{name} than in the other classes; correct the illumination plate by plate, or image the "
        "classes in turns.",
        "Light falls alike on the classes: the background's tilts differ by at most {size:.1f} %, "
        "no more than wells scatter.",
    )  # fmt: skip


def _worst_of(
    check: str,
    tried: list[tuple[Shift, str, str]],
    scale: float,
    unit: str,
    found: str,
    clear: str,
    may_be_red: bool = True,
) -> AuditCheck:
    """Make the check of the shift that is least likely within its tolerance."""
    tested = [item for item in tried if np.isfinite(item[0].value)]
    if not tested:
        return AuditCheck(
            check, "unknown", sentence=f"The {check} could not be compared by class: it needs two "
            "wells of each class with background in sight.",
        )  # fmt: skip
    shift, name, words = min(tested, key=lambda item: item[0].p)
    status = judge(min(1.0, shift.p * len(tested)), may_be_red)
    largest = scale * max(abs(item[0].value) for item in tested)
    text = clear if status == "green" else found
    size = largest if status == "green" else abs(shift.value) * scale
    return AuditCheck(
        check, status, shift.value * scale, shift.low * scale, shift.high * scale, unit,
        shift.n_wells, text.format(size=size, name=name or "that class", words=words),
    )  # fmt: skip


def check_noise(features: FieldFeatures) -> AuditCheck:
    """Ask whether images of one class were filtered, resampled or compressed otherwise.

    Parameters
    ----------
    features : FieldFeatures
        ``correlation`` of neighbouring pixels' noise.

    Returns
    -------
    AuditCheck
        Value: difference of the correlation, 0 to 1.
    """
    values = features.values["correlation"]
    tried = [
        (s, name, "all channels") for name, s in compared(features, _mean(values), _CORRELATION)
    ]
    if values.shape[1] > 1:
        for c, channel in enumerate(features.channels):
            found = compared(features, values[:, c], _CORRELATION)
            tried += [(s, name, channel) for name, s in found]
    return _worst_of(
        "noise", tried, 1.0, "correlation of neighbouring pixels",
        "The camera's noise differs by class: neighbouring pixels of the background are tied "
        "together by {size:.2f} more or less in {name} ({words}), which filters, resampling or "
        "compression do and biology cannot; export the raw images of all classes in one way.",
        "The noise of the background is alike in all classes (correlations of neighbouring pixels "
        "differ by at most {size:.3f}).",
    )  # fmt: skip


def check_background(features: FieldFeatures) -> AuditCheck:
    """Ask whether the background of all channels is brighter in one class.

    Parameters
    ----------
    features : FieldFeatures
        ``background``, log of grey values.

    Returns
    -------
    AuditCheck
        Value: difference in %. Red where all channels move alike; one channel alone may be a dye
        in the medium, and is amber.
    """
    values = features.values["background"]
    several = values.shape[1] > 1
    tried = []
    for name, shift in compared(features, _mean(values), _BACKGROUND):
        each = [
            dict(compared(features, values[:, c], _BACKGROUND))[name].value
            for c in range(values.shape[1])
        ]
        alike = min(v * np.sign(shift.value) for v in each) >= _BACKGROUND / 2
        if alike or not several:
            tried.append((shift, name, "in all channels"))
    common = _worst_of(
        "background", tried, 100.0, "%",
        "The whole image is brighter or darker by class: the background of {name} differs {words} "
        "by {size:.0f} %, which lamps, exposure and medium do; scale by the background of each "
        "well, or check exposure and layout.",
        "The background is as bright in all classes, to {size:.1f} %.",
        may_be_red=several and not features.centred,
    )  # fmt: skip
    if common.status in ("red", "amber"):
        return common
    single = [
        (s, name, f"in {features.channels[c]}")
        for c in range(values.shape[1])
        for name, s in compared(features, values[:, c], _BACKGROUND * _ONE_CHANNEL)
    ]
    return _worst_of(
        "background", single, 100.0, "%",
        "The background of {name} differs {words} by {size:.0f} %: a dye in the medium, exposure "
        "or light that cells spread; see whether crops without cells give the class away.",
        "The background is as bright in all classes (channels differ by at most {size:.0f} %, no "
        "more than wells scatter).",
        may_be_red=False,
    )  # fmt: skip
