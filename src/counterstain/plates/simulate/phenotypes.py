"""What a phenotype changes in a cell, against healthy reference cells."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, fields

from counterstain.errors import InvalidInputError

__all__ = [
    "CHANNELS",
    "HEALTHY",
    "PHENOTYPES",
    "TOXIC",
    "NamedPhenotype",
    "Phenotype",
    "PlantedEffect",
    "find_phenotype",
]

CHANNELS = ("DNA", "cytoplasm", "mitochondria")


@dataclass(frozen=True, slots=True)
class Phenotype:
    """Parameters of a state of cells; the defaults are the healthy reference.

    Factors multiply the reference and are positive; additive parameters start at 0.

    Parameters
    ----------
    dna_intensity, cytoplasm_intensity, mitochondria_intensity : float
        Factor on the amount of stain in a cell.
    nucleus_size, cell_size : float
        Factor on the radius. The stain of a shrunken cell is kept, so the cell gets brighter.
    cell_count : float
        Factor on the number of cells.
    cytoplasm_coarseness : float
        Factor on the grain (correlation length) of the cytoplasm's texture.
    cytoplasm_nuclear_shift : float
        Added to log2 of nucleus / cytoplasm in the cytoplasm channel; the total stays.
    mitochondria_fragmentation : float
        0 (long filaments) to 1 (dots); the total stays.
    mitochondria_perinuclear : float
        0 (reach to the cell's edge) to 1 (a shell around the nucleus); the total stays.
    roundness : float
        0 (irregular outlines) to 1 (circles).

    Examples
    --------
    >>> half_ill = Phenotype(mitochondria_intensity=0.49).scaled(0.5)
    >>> round(half_ill.mitochondria_intensity, 3)
    0.7
    """

    dna_intensity: float = 1.0
    cytoplasm_intensity: float = 1.0
    mitochondria_intensity: float = 1.0
    nucleus_size: float = 1.0
    cell_size: float = 1.0
    cell_count: float = 1.0
    cytoplasm_coarseness: float = 1.0
    cytoplasm_nuclear_shift: float = 0.0
    mitochondria_fragmentation: float = 0.0
    mitochondria_perinuclear: float = 0.0
    roundness: float = 0.0

    def __post_init__(self) -> None:
        problems = []
        for name, value in asdict(self).items():
            if name in _ADDITIVE:
                if name != "cytoplasm_nuclear_shift" and not 0 <= value <= 1:
                    problems.append(f"`{name}` must lie in [0, 1]; got {value}: choose another.")
            elif not value > 0:
                problems.append(f"`{name}` is a factor and must be > 0; got {value}.")
        if problems:
            raise InvalidInputError(problems)

    def scaled(self, severity: float) -> Phenotype:
        """Return the phenotype at a part of its strength.

        Parameters
        ----------
        severity : float
            0 gives the healthy reference, 1 this phenotype. Factors are raised to this power,
            additive parameters multiplied by it.

        Returns
        -------
        Phenotype
            The weaker phenotype.
        """
        changes = {
            name: value * severity if name in _ADDITIVE else value**severity
            for name, value in asdict(self).items()
        }
        return Phenotype(**changes)

    def combined(self, other: Phenotype) -> Phenotype:
        """Return both phenotypes in one cell: factors multiply, additive parameters add up."""
        mine, theirs = asdict(self), asdict(other)
        changes = {
            name: min(mine[name] + theirs[name], _CEILING[name])
            if name in _ADDITIVE
            else mine[name] * theirs[name]
            for name in mine
        }
        return Phenotype(**changes)

    def to_json(self) -> dict[str, float]:
        """Return all parameters by name, rounded to six digits."""
        return {item.name: round(float(getattr(self, item.name)), 6) for item in fields(self)}


_CEILING = {
    "cytoplasm_nuclear_shift": 4.0,
    "mitochondria_fragmentation": 1.0,
    "mitochondria_perinuclear": 1.0,
    "roundness": 1.0,
}
_ADDITIVE = frozenset(_CEILING)


@dataclass(frozen=True, slots=True)
class PlantedEffect:
    """What a perfect explanation names: one measurable difference, diseased against healthy.

    Parameters
    ----------
    channel : str
        One of `CHANNELS`.
    region : str
        ``nucleus``, ``cell`` or ``field``.
    feature : str
        What differs there.
    direction : {'up', 'down'}
        Diseased against healthy.
    """

    channel: str
    region: str
    feature: str
    direction: str


@dataclass(frozen=True, slots=True)
class NamedPhenotype:
    """A phenotype with the differences that it plants."""

    name: str
    phenotype: Phenotype
    planted: tuple[PlantedEffect, ...]


HEALTHY = Phenotype()

TOXIC = Phenotype(
    dna_intensity=1.1,
    cytoplasm_intensity=0.8,
    mitochondria_intensity=1.3,
    nucleus_size=0.76,
    cell_size=0.78,
    cell_count=0.45,
    cytoplasm_coarseness=1.5,
    mitochondria_fragmentation=0.5,
    roundness=0.8,
)
"""Dying cells: few, round, with small bright nuclei.

Shrinking concentrates their mitochondria, so that diseased cells gain the intensity of healthy ones
without being healed.
"""


def _named(name: str, phenotype: Phenotype, *planted: tuple[str, str, str, str]) -> NamedPhenotype:
    return NamedPhenotype(name, phenotype, tuple(PlantedEffect(*effect) for effect in planted))


_MEAN = "mean intensity"
_ALL = (
    _named("none", HEALTHY),
    _named("dna_down", Phenotype(dna_intensity=0.5), ("DNA", "nucleus", _MEAN, "down")),
    _named("dna_up", Phenotype(dna_intensity=2.0), ("DNA", "nucleus", _MEAN, "up")),
    _named(
        "cytoplasm_down", Phenotype(cytoplasm_intensity=0.5), ("cytoplasm", "cell", _MEAN, "down")
    ),
    _named("cytoplasm_up", Phenotype(cytoplasm_intensity=2.0), ("cytoplasm", "cell", _MEAN, "up")),
    _named(
        "mitochondria_down",
        Phenotype(mitochondria_intensity=0.5),
        ("mitochondria", "cell", _MEAN, "down"),
    ),
    _named(
        "mitochondria_up",
        Phenotype(mitochondria_intensity=2.0),
        ("mitochondria", "cell", _MEAN, "up"),
    ),
    _named(
        "mitochondria_fragmented",
        Phenotype(mitochondria_fragmentation=0.9),
        ("mitochondria", "cell", "granularity", "up"),
    ),
    _named(
        "mitochondria_perinuclear",
        Phenotype(mitochondria_perinuclear=0.75),
        ("mitochondria", "cell", "radial concentration", "up"),
    ),
    _named("nuclei_larger", Phenotype(nucleus_size=1.25), ("DNA", "nucleus", "area", "up")),
    _named(
        "cytoplasm_coarser",
        Phenotype(cytoplasm_coarseness=2.5),
        ("cytoplasm", "cell", "texture scale", "up"),
    ),
    _named(
        "cytoplasm_to_nucleus",
        Phenotype(cytoplasm_nuclear_shift=1.2),
        ("cytoplasm", "cell", "log2 nucleus/ring", "up"),
    ),
    _named("fewer_cells", Phenotype(cell_count=0.5), ("DNA", "field", "cell count", "down")),
    _named(
        "mitochondria_down_nuclei_larger",
        Phenotype(mitochondria_intensity=0.5, nucleus_size=1.25),
        ("mitochondria", "cell", _MEAN, "down"),
        ("DNA", "nucleus", "area", "up"),
    ),
)

PHENOTYPES: dict[str, NamedPhenotype] = {item.name: item for item in _ALL}
"""Named phenotypes of diseased cells; ``none`` makes a plate on which nothing is to be found."""


def find_phenotype(name: str) -> NamedPhenotype:
    """Look a phenotype up by its name.

    Parameters
    ----------
    name : str
        A key of `PHENOTYPES`.

    Returns
    -------
    NamedPhenotype
        The phenotype and what it plants.

    Raises
    ------
    InvalidInputError
        If there is none of that name.

    Examples
    --------
    >>> find_phenotype("nuclei_larger").planted[0].feature
    'area'
    """
    if name not in PHENOTYPES:
        close = difflib.get_close_matches(name, PHENOTYPES, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(PHENOTYPES)}."
        raise InvalidInputError(f"`phenotype` must name a known phenotype; got {name!r}: {hint}")
    return PHENOTYPES[name]
