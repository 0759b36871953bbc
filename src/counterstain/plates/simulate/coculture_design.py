"""Which well of a co-culture gets which stimulation and which drug."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from counterstain.errors import InvalidInputError
from counterstain.plates.simulate.coculture_settings import CocultureSettings
from counterstain.plates.simulate.design import Compound, rows_and_columns
from counterstain.plates.wells import row_name

__all__ = ["CocultureWell", "lay_out_coculture"]

_TOP_DOSE_UM = 10.0
_DILUTION = math.sqrt(10)
# A toxic drug at infinite dose leaves this share of the cells.
_SURVIVAL = 0.35


@dataclass(frozen=True, slots=True)
class CocultureWell:
    """A well of the plan.

    Parameters
    ----------
    row, column : int
        Zero-based place.
    stimulation : str
        Name of the stimulation.
    stimulated_rate : float
        Share of T cells that binds under this stimulation without a drug.
    level : float
        How strong the stimulation is among the planned ones: 0 the first, 1 that with most contact.
    compound : Compound or None
        The drug; None in wells with solvent only.
    concentration_uM : float
        Dose; NaN without a drug.
    """

    row: int
    column: int
    stimulation: str
    stimulated_rate: float
    level: float
    compound: Compound | None = None
    concentration_uM: float = math.nan  # noqa: N815

    @property
    def well(self) -> str:
        """Name, such as ``B03``."""
        return f"{row_name(self.row)}{self.column + 1:02d}"

    @property
    def response(self) -> float:
        """What the drug does at this dose, 0 to 1."""
        return 0.0 if self.compound is None else self.compound.response(self.concentration_uM)

    @property
    def contact_rate(self) -> float:
        """Share of T cells that is bound: what the stimulation gives and the drug leaves."""
        toxic = self.compound is not None and self.compound.kind == "toxic"
        return self.stimulated_rate * (1.0 if toxic else 1 - self.response)

    @property
    def activation(self) -> float:
        """How far T cells are activated: as far as the stimulation goes; drugs part cells only."""
        return self.level

    @property
    def survival(self) -> float:
        """Share of the cells that a toxic drug leaves."""
        toxic = self.compound is not None and self.compound.kind == "toxic"
        return 1 - (1 - _SURVIVAL) * self.response if toxic else 1.0


def _treatments(
    settings: CocultureSettings, drugs: tuple[Compound, ...]
) -> list[tuple[Compound | None, float]]:
    """Return what each well of one stimulation gets."""
    doses = [float(f"{_TOP_DOSE_UM / _DILUTION**i:.3g}") for i in reversed(range(settings.doses))]
    treated: list[tuple[Compound | None, float]] = [
        (drug, dose) for drug in drugs for dose in doses for _ in range(settings.replicates)
    ]
    return [(None, math.nan)] * settings.control_wells + treated


def _levels(rates: list[float]) -> list[float]:
    """Return 0 for the first stimulation, 1 for that with most contact, shares between."""
    others = rates[1:]
    most = max(others)
    span = most - rates[0]
    # Exactly one stimulation is the top, so that ties do not make two positive controls.
    top = 1 + others.index(most)
    between = [min(max((rate - rates[0]) / span, 0.0), 0.99) if span > 0 else 0.5 for rate in rates]
    return [0.0 if i == 0 else 1.0 if i == top else max(s, 0.01) for i, s in enumerate(between)]


def lay_out_coculture(
    settings: CocultureSettings, drugs: tuple[Compound, ...], rng: np.random.Generator
) -> tuple[CocultureWell, ...]:
    """Plan a plate: every stimulation with solvent only and with every drug at every dose.

    Wells lie at random, so that no position gives a stimulation or a dose away.

    Parameters
    ----------
    settings : CocultureSettings
        Numbers of wells, drugs and doses, and the contact rates.
    drugs : tuple of Compound
        What is tested; ``full`` and ``partial`` undo contact, ``toxic`` kills cells.
    rng : numpy.random.Generator
        Source of the random places.

    Returns
    -------
    tuple of CocultureWell
        In the order of the plate, row by row; unused wells are left out.

    Raises
    ------
    InvalidInputError
        If the format is unknown or the wells do not suffice.

    Examples
    --------
    >>> settings = CocultureSettings(control_wells=2, drugs=0, plate_format=6)
    >>> wells = lay_out_coculture(settings, (), np.random.default_rng(0))
    >>> wells[0].well, sorted(well.stimulation for well in wells)[:3]
    ('A01', ['ConA', 'ConA', 'OVA'])
    """
    rows, columns = rows_and_columns(settings.plate_format)
    treatments = _treatments(settings, drugs)
    needed = len(settings.contact_rates) * len(treatments)
    if needed > rows * columns:
        raise InvalidInputError(
            f"`plate_format` {settings.plate_format} has too few wells: "
            f"{len(settings.contact_rates)} stimulations x ({settings.control_wells} without a "
            f"drug + {len(drugs)} drugs x {settings.doses} doses x {settings.replicates}) need "
            f"{needed}; take fewer or a larger plate."
        )
    levels = _levels(list(settings.contact_rates.values()))
    places = rng.permutation(rows * columns)[:needed]
    contents = [
        (name, level, treatment)
        for name, level in zip(settings.contact_rates, levels, strict=True)
        for treatment in treatments
    ]
    wells = [
        CocultureWell(
            *divmod(int(place), columns),
            stimulation=name,
            stimulated_rate=settings.contact_rates[name],
            level=level,
            compound=compound,
            concentration_uM=dose,
        )
        for place, (name, level, (compound, dose)) in zip(places, contents, strict=True)
    ]
    return tuple(sorted(wells, key=lambda well: (well.row, well.column)))
