"""The arguments of a simulation, checked together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from counterstain.errors import InvalidInputError

__all__ = ["SimulationSettings"]

_LEAST = {
    "seed": 0,
    "fields_per_well": 1,
    "field_size": 48,
    "plates": 1,
    "control_wells": 1,
    "compounds": 0,
    "doses": 1,
}


@dataclass(frozen=True, slots=True)
class SimulationSettings:
    """Arguments of `simulate_plate`, described there.

    Raises
    ------
    InvalidInputError
        If any is out of range; all problems at once.

    Examples
    --------
    >>> SimulationSettings(seed=3).control_wells
    12
    """

    seed: int = 0
    phenotype: str = "mitochondria_down"
    fields_per_well: int = 2
    field_size: int = 320
    plates: int = 1
    plate_format: int = 96
    control_wells: int = 12
    compounds: int = 12
    doses: int = 6
    faulty_fields: int | None = None
    plate_gradient: float = 0.05
    background_tilt: float = 0.2

    def __post_init__(self) -> None:
        problems = [
            f"`{name}` must be a whole number of at least {least}; got {getattr(self, name)!r}."
            for name, least in _LEAST.items()
            if not isinstance(getattr(self, name), int) or getattr(self, name) < least
        ]
        if self.faulty_fields is not None and self.faulty_fields < 0:
            problems.append(f"`faulty_fields` must be at least 0; got {self.faulty_fields}.")
        problems += [
            f"`{name}` must lie in [0, 1]; got {getattr(self, name)!r}."
            for name in ("plate_gradient", "background_tilt")
            if not 0 <= getattr(self, name) <= 1
        ]
        if problems:
            raise InvalidInputError(problems)

    def to_json(self) -> dict[str, Any]:
        """Return all arguments by name."""
        return asdict(self)
