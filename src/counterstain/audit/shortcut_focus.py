"""Focus that differs by class: blur that all channels share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from counterstain.audit.field_features_sharpness import band_centres
from counterstain.audit.field_reading import FieldFeatures
from counterstain.audit.shortcut_light import judge, sides_of
from counterstain.audit.shortcut_tests import Shift, shift_of
from counterstain.audit.verdict import AuditCheck

__all__ = ["blur_by_channel", "check_focus"]

FloatArray = NDArray[np.float64]

_TOLERANCE = 0.15
_ONE_CHANNEL_TOLERANCE = 0.4
_LEAST_SNR = 0.3
_LEAST_BANDS = 4
_SHARE = 1 / 3
"""Every channel, and both halves of its spectrum, must show this share of the common blur."""
_TYPICAL_PX = 0.9


def blur_by_channel(features: FieldFeatures) -> tuple[FloatArray, FloatArray]:
    """Return the blur of every well against the others, squared width in px².

    A Gaussian blur of squared width v adds -(2 pi)² v f² to the log of power at frequency f, a
    straight line in f² with one slope in all channels. What a phenotype does to texture or outlines
    bends the line, and in its own channels.

    Parameters
    ----------
    features : FieldFeatures
        Spectra by well.

    Returns
    -------
    blur : (wells, C) array
        From all bands in which the channel shows more signal than noise; NaN where there are too
        few. Only differences mean anything.
    halves : (wells, C, 2) array
        The same from the lower and the upper half of the bands.
    """
    squared = band_centres()
    n, channels = features.spectra.shape[:2]
    blur, halves = np.full((n, channels), np.nan), np.full((n, channels, 2), np.nan)
    names = features.wells["class_name"].to_numpy(str)
    for c in range(channels):
        typical = [
            np.median(features.snr[names == name, c], axis=0) for name in np.unique(names) if name
        ]
        good = np.all(np.array(typical) > _LEAST_SNR, axis=0) if typical else np.zeros(0, bool)
        # Bands beyond the first bad one hold what noise left.
        count = int(np.argmin(good)) if not good.all() else len(good)
        if count < _LEAST_BANDS:
            continue
        spectra = features.spectra[:, c]
        parts = (slice(0, count), slice(0, count // 2 + 1), slice(count // 2, count))
        slopes = [_slope(squared[part], spectra[:, part]) for part in parts]
        blur[:, c], halves[:, c, 0], halves[:, c, 1] = (-s / (4 * np.pi**2) for s in slopes)
    return blur, halves


def _slope(x: FloatArray, y: FloatArray) -> FloatArray:
    centred = x - x.mean()
    return np.asarray(y @ centred / (centred @ centred))


def _mean(values: FloatArray) -> FloatArray:
    """Mean over channels that all wells have."""
    usable = np.isfinite(values).all(axis=0)
    return values[:, usable].mean(axis=1) if usable.any() else np.full(len(values), np.nan)


def check_focus(features: FieldFeatures) -> AuditCheck:
    """Ask whether one class is out of focus.

    Parameters
    ----------
    features : FieldFeatures
        Spectra by well.

    Returns
    -------
    AuditCheck
        Value: width of the blur that one class has more than the others, px, negative where it is
        sharper. With one channel it takes a larger shift, since texture may have changed.
    """
    blur, halves = blur_by_channel(features)
    usable = np.isfinite(blur).all(axis=0)
    if not usable.any():
        return AuditCheck(
            "focus", "unknown",
            sentence="Focus could not be compared by class: no channel shows more fine structure "
            "than noise.",
        )  # fmt: skip
    n_usable = int(usable.sum())
    tolerance = _TOLERANCE if n_usable > 1 else _ONE_CHANNEL_TOLERANCE
    plates = features.wells["Metadata_Plate"].to_numpy(str)
    found: list[tuple[Shift, str]] = []
    for name, member, other in sides_of(features):
        both = member | other

        def shift(
            values: FloatArray, of: NDArray[np.bool_] = member, at: NDArray[np.bool_] = both
        ) -> Shift:
            return shift_of(values[at], of[at], plates[at], tolerance)

        common = shift(_mean(blur))
        sign = np.sign(common.value)
        each = [shift(blur[:, c]).value * sign for c in np.flatnonzero(usable)]
        if n_usable < 3:
            # With few channels, the line must also be straight: a texture's is bent.
            each += [
                shift(halves[:, c, k]).value * sign for c in np.flatnonzero(usable) for k in (0, 1)
            ]
        shared = min(each) >= _SHARE * abs(common.value)
        p = common.p if shared else 1.0
        found.append((Shift(common.value, common.low, common.high, p, common.n_wells), name))
    shift_found, name = min(found, key=lambda item: item[0].p)
    return _check(shift_found, name, len(found), n_usable)


def _pixels(squared: float) -> float:
    """Turn a change of squared width into one of width, from that of a good objective."""
    width = np.sqrt(max(_TYPICAL_PX**2 + squared, 0.0)) - _TYPICAL_PX
    return float(width)


def _check(shift: Shift, name: str, n_tried: int, n_channels: int) -> AuditCheck:
    if not np.isfinite(shift.value):
        return AuditCheck(
            "focus", "unknown", n_wells=shift.n_wells,
            sentence="Focus could not be compared by class: it needs two wells of each.",
        )  # fmt: skip
    status = judge(min(1.0, shift.p * n_tried))
    value, low, high = (_pixels(v) for v in (shift.value, shift.low, shift.high))
    more = "more blurred" if value > 0 else "sharper"
    if status == "green":
        sentence = (
            "Focus does not differ by class in all channels at once (mean difference "
            f"{abs(value):.2f} px)."
        )
    else:
        sentence = (
            f"Focus differs by class: images of {name} are {more} in "
            f"{'all channels' if n_channels > 1 else 'the only channel'} by "
            f"{abs(value):.2f} px, which a phenotype hardly does; image the classes in turns with "
            "one autofocus, or leave the blurred wells out."
        )
    return AuditCheck("focus", status, value, low, high, "px", shift.n_wells, sentence)
