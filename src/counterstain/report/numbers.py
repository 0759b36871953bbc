"""Numbers as a reader wants them: rounded, with their interval, undefined ones with the reason."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from counterstain.types import Estimate

__all__ = [
    "as_estimate",
    "count",
    "decimal",
    "duration",
    "interval",
    "percent",
    "plain_percent",
    "scientific",
    "tidy",
]

_MINUS = "\N{MINUS SIGN}"
_NARROW = "\N{NARROW NO-BREAK SPACE}"


def as_estimate(content: Any) -> Estimate:
    """Read an estimate back from JSON.

    Parameters
    ----------
    content : mapping, number or None
        What :meth:`Estimate.to_json` wrote, or a bare number; None where it was never computed.

    Returns
    -------
    Estimate
        The estimate; undefined where there is none.

    Examples
    --------
    >>> print(as_estimate({"value": 0.5, "low": None, "high": None, "n_wells": 3, "reason": ""}))
    0.500
    >>> print(as_estimate(None))
    undefined (not computed in this run)
    """
    if isinstance(content, Mapping):
        number = {k: _number(content.get(k)) for k in ("value", "low", "high")}
        n_wells, reason = content.get("n_wells") or 0, content.get("reason") or ""
        return Estimate(**number, n_wells=int(n_wells), reason=str(reason))
    value = _number(content)
    if math.isnan(value):
        return Estimate.undefined("not computed in this run")
    return Estimate(value)


def _number(content: Any) -> float:
    return float(content) if isinstance(content, (int, float)) else math.nan


def decimal(value: float, digits: int = 2) -> str:
    """Return a number with a true minus sign.

    Examples
    --------
    >>> decimal(-0.125, 2), decimal(-0.001, 2), decimal(float("nan"))
    ('−0.12', '0.00', '–')
    """
    if not math.isfinite(value):
        return "–"
    text = f"{value:,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.removeprefix("-")
    return text.replace("-", _MINUS)


def _has_interval(estimate: Estimate) -> bool:
    return math.isfinite(estimate.low) and math.isfinite(estimate.high)


def interval(estimate: Estimate, digits: int = 2) -> str:
    """Return ``value [low, high]``, or why there is none.

    Examples
    --------
    >>> interval(Estimate(0.712, 0.65, 0.77))
    '0.71 [0.65, 0.77]'
    >>> interval(Estimate.undefined("one well a class"))
    'undefined (one well a class)'
    """
    if not estimate.is_defined:
        return f"undefined ({estimate.reason or 'no reason given'})"
    text = decimal(estimate.value, digits)
    if _has_interval(estimate):
        text += f" [{decimal(estimate.low, digits)}, {decimal(estimate.high, digits)}]"
    return text


def percent(estimate: Estimate, digits: int = 1) -> str:
    """Return a share as ``value % [low, high]``, or why there is none.

    Examples
    --------
    >>> percent(Estimate(0.984, 0.971, 0.993)).replace(chr(0x202f), " ")
    '98.4 % [97.1, 99.3]'
    """
    if not estimate.is_defined:
        return interval(estimate)
    text = plain_percent(estimate.value, digits)
    if _has_interval(estimate):
        low, high = decimal(100 * estimate.low, digits), decimal(100 * estimate.high, digits)
        text += f" [{low}, {high}]"
    return text


def plain_percent(share: float, digits: int = 1) -> str:
    """Return a share in per cent.

    Examples
    --------
    >>> plain_percent(0.5, 0).replace(chr(0x202f), " ")
    '50 %'
    """
    return f"{decimal(100 * share, digits)}{_NARROW}%"


def count(number: float) -> str:
    """Return a whole number with separators.

    Examples
    --------
    >>> count(50000)
    '50,000'
    """
    return f"{number:,.0f}" if math.isfinite(number) else "–"


def scientific(value: float) -> str:
    """Return a small number such as an error: one significant digit and the power of ten.

    Examples
    --------
    >>> scientific(8.7e-06).replace(chr(0xA0), " "), scientific(0.02), scientific(0.0)
    ('8.7 × 10⁻⁶', '0.02', '0')
    """
    if not math.isfinite(value):
        return "–"
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.2g}".replace("-", _MINUS)
    mantissa, power = f"{value:.1e}".split("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa.replace('-', _MINUS)}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10{raised}"


def duration(seconds: float) -> str:
    """Return a duration.

    Examples
    --------
    >>> duration(1.84), duration(391.0), duration(7260.0)
    ('1.8 s', '6 min 31 s', '2 h 1 min')
    """
    if not math.isfinite(seconds):
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def tidy(sentence: str) -> str:
    """Set a sentence as print does: true minus signs, no line break before a per cent sign.

    Examples
    --------
    >>> tidy("-0.4 to -0.3, P-1, 5 %").replace(chr(0x202f), "_")
    '−0.4 to −0.3, P-1, 5_%'
    """
    sentence = re.sub(r"(?<![\w-])-(?=\d)", _MINUS, sentence)
    return sentence.replace(" %", f"{_NARROW}%")
