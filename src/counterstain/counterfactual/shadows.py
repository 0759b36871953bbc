"""Which measurements say what differs, and which only follow from those: shadows.

One cause moves many measurements. Mitochondria of half the brightness halve the mean intensity of
the cell, of its nucleus, of its ring and of what lies around it, and every standard deviation.
Naming the largest of these would be a lottery. The rules here rest on what the measurements are
and on the real wells, never on a network; a shadow keeps its numbers and its verdict, but ranks
behind every measurement that is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Change", "find_shadows"]

# Parts of a cell that change alike to this factor change as one: blur and neighbours make the
# change of one part show in the other at about half of its size.
_ALIKE = 1.5
# A part that changes by less than this share of the other, in the channel's own unit, shows what
# blur carries over from there, however much that is of its own little signal.
_SPILL = 1 / 7
_PARTS = ("nucleus", "ring")


@dataclass(frozen=True, slots=True)
class Change:
    """How one measurement differs between real wells.

    Parameters
    ----------
    value : float
        The difference, in doublings where there is a ratio to the source class: comparable between
        regions of one channel and feature.
    amount : float
        The difference in the measurement's own unit.
    effect : float
        The same in standard deviations between wells.
    clear : bool
        Whether it is a finding: clear of zero after correction for all measurements.
    """

    value: float
    amount: float
    effect: float
    clear: bool


def find_shadows(changes: Mapping[str, Change]) -> dict[str, str]:
    """Say of each measurement which other one it follows from; "" where from none.

    Parameters
    ----------
    changes : mapping of str to Change
        By column of :func:`counterstain.masks.measure_cells`.

    Returns
    -------
    dict of str to str
        Column to column. The rules, for one channel each, of clear findings only:

        1. *Place*: where nucleus and ring change the same way, and alike to a factor of 1.5 (and
           neither by less than a seventh of the other in the channel's unit: that is blur), the
           whole cell changes and its parts are shadows; else the cell is a shadow of the part
           that changes more. Textures are not measured in the ring: there the nucleus is a
           shadow of the cell unless it changes more than 1.5 times as much, or the other way.
        2. *Shift*: where the mean intensities of nucleus and ring change in opposite directions,
           signal has moved and they are shadows of the nucleus/ring ratio; else that ratio is a
           shadow of the mean intensity.
        3. *Size*: where the nucleus's area changes and its mean intensity does not, or less
           clearly, all other measurements of the nucleus's channel are shadows of the area.
        4. *Spread*: standard deviations are shadows of everything else in the cell.
        5. *Surroundings*: the background is a shadow of everything else.

    Examples
    --------
    >>> half = Change(-1.0, -0.2, -9.0, True)
    >>> shadows = find_shadows({
    ...     "mean_intensity:cell:GFP": half, "mean_intensity:ring:GFP": half,
    ...     "mean_intensity:nucleus:GFP": half, "sd:cell:GFP": Change(-1.0, -0.1, -12.0, True),
    ... })
    >>> [column for column, source in shadows.items() if not source]
    ['mean_intensity:cell:GFP']
    """
    found = dict.fromkeys(changes, "")
    for channel in dict.fromkeys(column.split(":", 2)[2] for column in changes):
        own = {
            column.rsplit(f":{channel}", 1)[0]: change
            for column, change in changes.items()
            if column.split(":", 2)[2] == channel and change.clear
        }
        for shadow, source in _of_channel(own).items():
            found[f"{shadow}:{channel}"] = f"{source}:{channel}"
    return found


def _of_channel(own: Mapping[str, Change]) -> dict[str, str]:
    """Apply the rules to the clear findings of one channel, ``feature:region``."""
    shadows: dict[str, str] = {}
    for feature in ("mean_intensity", "texture_scale", "granularity"):
        shadows |= _place(own, feature)
    shadows |= _shift(own, shadows)
    shadows |= _size(own)
    spread = [key for key in own if key.startswith("sd:")]
    outside = [key for key in own if key.endswith(":background")]
    direct = [key for key in own if key not in (*spread, *outside, *shadows)]
    for followers, sources in ((spread, direct), (outside, direct or spread)):
        if sources:
            strongest = max(sources, key=lambda key: abs(own[key].effect))
            shadows |= dict.fromkeys(followers, strongest)
    return shadows


def _place(own: Mapping[str, Change], feature: str) -> dict[str, str]:
    cell, parts = f"{feature}:cell", [f"{feature}:{part}" for part in _PARTS]
    clear = [part for part in parts if part in own]
    if cell not in own or not clear:
        return {}
    largest = max(clear, key=lambda part: abs(own[part].value))
    # A part alone is held against the cell; two parts are held against each other.
    other = min(clear, key=lambda part: abs(own[part].value)) if len(clear) > 1 else cell
    same = np.sign(own[largest].value) == np.sign(own[other].value)
    alike = abs(own[largest].value) <= _ALIKE * abs(own[other].value)
    spill = abs(own[other].amount) < _SPILL * abs(own[largest].amount)
    if same and alike and not spill:
        return dict.fromkeys(clear, cell)
    if same:
        return {key: largest for key in (cell, *clear) if key != largest}
    # Opposite parts are two findings and the cell is their sum; so are a part and the cell.
    return {cell: largest} if len(clear) > 1 else {}


def _shift(own: Mapping[str, Change], shadows: Mapping[str, str]) -> dict[str, str]:
    ratio, cell = "log2_ratio:nucleus/ring", "mean_intensity:cell"
    parts = [f"mean_intensity:{part}" for part in _PARTS if f"mean_intensity:{part}" in own]
    if ratio not in own:
        return {}
    signs = {float(np.sign(own[part].value)) for part in parts}
    if len(signs) == len(_PARTS):
        return dict.fromkeys([*parts, *([cell] if cell in own else [])], ratio)
    direct = [key for key in (cell, *parts) if key in own and key not in shadows]
    if not direct:
        return {}
    return {ratio: max(direct, key=lambda key: abs(own[key].effect))}


def _size(own: Mapping[str, Change]) -> dict[str, str]:
    area, mean = "area:nucleus", "mean_intensity:nucleus"
    if area not in own or (mean in own and abs(own[mean].effect) >= abs(own[area].effect)):
        return {}
    return {key: area for key in own if key not in (area, "cell_count:crop")}
