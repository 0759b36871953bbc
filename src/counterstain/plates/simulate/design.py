"""Which well holds what: controls balanced over the plate, treatments at random places."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from counterstain.errors import InvalidInputError

__all__ = [
    "DISEASED",
    "HEALTHY_CONTROL",
    "Compound",
    "PlannedWell",
    "draw_compounds",
    "lay_out",
    "rows_and_columns",
]

DISEASED = "diseased"
HEALTHY_CONTROL = "healthy"

_FORMATS = {
    6: (2, 3),
    12: (3, 4),
    24: (4, 6),
    48: (6, 8),
    96: (8, 12),
    384: (16, 24),
    1536: (32, 48),
}
# Every prefix is a sensible mix; twelve give 4 full, 2 partial, 4 none and 2 toxic.
_KINDS = (
    *("full", "none", "partial", "toxic", "full", "none"),
    *("full", "none", "partial", "full", "none", "toxic"),
)
_TOP_DOSE_UM = 10.0
_DILUTION = math.sqrt(10)


@dataclass(frozen=True, slots=True)
class Compound:
    """A compound and what it truly does.

    Parameters
    ----------
    name : str
        Name in the plate map.
    kind : {'full', 'partial', 'none', 'toxic'}
        Full or partial rescue, no effect, or a phenotype of its own.
    efficacy : float
        Response at infinite dose: share of the disease undone, or of the toxic phenotype.
    ec50_uM : float
        Dose of half the efficacy; NaN for compounds without effect.
    hill : float
        Steepness.
    """

    name: str
    kind: str
    efficacy: float
    ec50_uM: float  # noqa: N815
    hill: float

    def response(self, concentration_uM: float) -> float:
        """Return the response at a dose, a four-parameter log-logistic that starts at 0.

        Examples
        --------
        >>> Compound("C01", "partial", efficacy=0.6, ec50_uM=1.0, hill=1.5).response(1.0)
        0.3
        """
        if self.efficacy == 0:
            return 0.0
        return float(self.efficacy / (1 + (self.ec50_uM / concentration_uM) ** self.hill))


@dataclass(frozen=True, slots=True)
class PlannedWell:
    """A well of the plan.

    Parameters
    ----------
    well : str
        Name, such as ``B03``.
    row, column : int
        Zero-based place.
    class_name : str
        ``diseased`` or ``healthy`` for controls; empty for treatments.
    compound : Compound or None
        What was added to diseased cells; None in controls.
    concentration_uM : float
        Dose; NaN in controls.
    """

    well: str
    row: int
    column: int
    class_name: str
    compound: Compound | None = None
    concentration_uM: float = math.nan  # noqa: N815

    @property
    def rescue(self) -> float:
        """Share of the disease that is undone: 0 in diseased, 1 in healthy controls."""
        if self.compound is None:
            return float(self.class_name == HEALTHY_CONTROL)
        if self.compound.kind == "toxic":
            return 0.0
        return self.compound.response(self.concentration_uM)

    @property
    def toxicity(self) -> float:
        """Strength of the toxic phenotype, 0 to 1."""
        if self.compound is None or self.compound.kind != "toxic":
            return 0.0
        return self.compound.response(self.concentration_uM)


def draw_compounds(count: int, rng: np.random.Generator) -> tuple[Compound, ...]:
    """Draw compounds; names do not tell the kinds.

    Parameters
    ----------
    count : int
        Number of compounds. Twelve are four that rescue fully, at potencies spread over the doses,
        two that rescue partially, four without effect and two toxic ones.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    tuple of Compound
        In the order of their names, ``C01`` first.
    """
    kinds = [_KINDS[i % len(_KINDS)] for i in range(count)]
    drawn: list[tuple[str, float, float, float]] = []
    for kind in ("full", "partial", "toxic", "none"):
        number = kinds.count(kind)
        for i in range(number):
            spread = (i + rng.uniform(0.2, 0.8)) / number
            hill = round(float(rng.uniform(1.0, 2.0)), 3)
            if kind == "none":
                drawn.append((kind, 0.0, math.nan, math.nan))
            elif kind == "full":
                drawn.append((kind, 1.0, _log_between(0.05, 1.5, spread), hill))
            elif kind == "partial":
                efficacy = round(0.35 + 0.35 * spread, 3)
                drawn.append((kind, efficacy, _log_between(0.1, 1.0, rng.uniform(0, 1)), hill))
            else:
                drawn.append((kind, 1.0, _log_between(0.5, 2.0, rng.uniform(0, 1)), hill))
    order = rng.permutation(count)
    digits = max(2, len(str(count)))
    return tuple(Compound(f"C{i + 1:0{digits}d}", *drawn[k]) for i, k in enumerate(order))


def _log_between(low: float, high: float, share: float) -> float:
    return float(f"{low * (high / low) ** share:.4g}")


def _well_name(row: int, column: int) -> str:
    letters = chr(65 + row) if row < 26 else "A" + chr(65 + row - 26)
    return f"{letters}{column + 1:02d}"


def _doses(count: int) -> list[float]:
    return [float(f"{_TOP_DOSE_UM / _DILUTION**i:.3g}") for i in reversed(range(count))]


def rows_and_columns(plate_format: int) -> tuple[int, int]:
    """Return rows and columns of a plate by its number of wells.

    Raises
    ------
    InvalidInputError
        If there is no such plate.

    Examples
    --------
    >>> rows_and_columns(96)
    (8, 12)
    """
    if plate_format not in _FORMATS:
        raise InvalidInputError(
            f"`plate_format` must be one of {', '.join(map(str, _FORMATS))}; got {plate_format}."
        )
    return _FORMATS[plate_format]


def _control_places(rows: int, columns: int, each: int) -> list[tuple[int, int]]:
    """Return the places of all controls: whole columns, spread from edge to edge of the plate."""
    needed = 2 * each
    used = math.ceil(needed / rows)
    spread = [0] if used == 1 else np.linspace(0, columns - 1, used).round().astype(int).tolist()
    return [(row, column) for column in spread for row in range(rows)][:needed]


def lay_out(
    compounds: tuple[Compound, ...],
    rng: np.random.Generator,
    *,
    plate_format: int = 96,
    control_wells: int = 12,
    doses: int = 6,
) -> tuple[PlannedWell, ...]:
    """Plan a plate.

    Controls fill columns that are spread over the plate. Their classes follow the Thue-Morse
    sequence, which balances them against every linear gradient and the edge; treatments lie at
    random in the other wells, so that no position gives a class or a dose away.

    Parameters
    ----------
    compounds : tuple of Compound
        What is tested.
    rng : numpy.random.Generator
        Source of the random places.
    plate_format : int, default 96
        Wells of the plate.
    control_wells : int, default 12
        Wells of each of the two classes.
    doses : int, default 6
        Doses of every compound, 10 µM the highest, each √10 above the one before.

    Returns
    -------
    tuple of PlannedWell
        In the order of the plate, row by row; unused wells are left out.

    Raises
    ------
    InvalidInputError
        If the format is unknown or the wells do not suffice.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> wells = lay_out(draw_compounds(12, rng), rng)
    >>> len(wells), [w.class_name for w in wells if w.column == 0][:4]
    (96, ['diseased', 'healthy', 'healthy', 'diseased'])
    """
    rows, columns = rows_and_columns(plate_format)
    needed = 2 * control_wells + len(compounds) * doses
    if needed > plate_format:
        raise InvalidInputError(
            f"`plate_format` {plate_format} has too few wells: 2 x {control_wells} controls and "
            f"{len(compounds)} compounds x {doses} doses need {needed}; take fewer or a larger "
            "plate."
        )
    wells = []
    places = _control_places(rows, columns, control_wells)
    for i, (row, column) in enumerate(places):
        name = HEALTHY_CONTROL if i.bit_count() % 2 else DISEASED
        wells.append(PlannedWell(_well_name(row, column), row, column, name))
    taken = set(places)
    free = [(r, c) for r in range(rows) for c in range(columns) if (r, c) not in taken]
    treatments = [(compound, dose) for compound in compounds for dose in _doses(doses)]
    chosen = rng.permutation(len(free))[: len(treatments)]
    for (compound, dose), k in zip(treatments, chosen, strict=True):
        row, column = free[k]
        wells.append(PlannedWell(_well_name(row, column), row, column, "", compound, dose))
    return tuple(sorted(wells, key=lambda well: (well.row, well.column)))
