"""The arguments of a simulated co-culture, checked together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from counterstain.errors import InvalidInputError

__all__ = ["CONTACT_RATES", "CocultureSettings"]

CONTACT_RATES: Mapping[str, float] = MappingProxyType(
    {"unstimulated": 0.05, "OVA": 0.4, "ConA": 0.85}
)
"""Share of T cells that is bound to a dendritic cell, by stimulation."""

_LEAST = {
    "seed": 0,
    "fields_per_well": 1,
    "field_size": 96,
    "plates": 1,
    "control_wells": 1,
    "drugs": 0,
    "doses": 1,
    "replicates": 1,
}
_SHARES = ("plate_gradient", "background_tilt", "gathering", "faulty_patches")


@dataclass(frozen=True, slots=True)
class CocultureSettings:
    """Arguments of `simulate_coculture`, described there.

    Raises
    ------
    InvalidInputError
        If any is out of range; all problems at once.

    Examples
    --------
    >>> CocultureSettings(seed=3).contact_rates["OVA"]
    0.4
    """

    seed: int = 0
    contact_rates: Mapping[str, float] = field(default_factory=lambda: dict(CONTACT_RATES))
    fields_per_well: int = 2
    field_size: int = 512
    plates: int = 1
    plate_format: int = 384
    control_wells: int = 32
    drugs: int = 8
    doses: int = 4
    replicates: int = 3
    faulty_fields: int | None = None
    faulty_patches: float = 0.08
    density: float = 1.0
    crowding_sd: float = 0.4
    gathering: float = 0.3
    plate_gradient: float = 0.05
    background_tilt: float = 0.4
    truth_masks: bool = True

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
            for name in _SHARES
            if not 0 <= getattr(self, name) <= 1
        ]
        if not 0 < self.density <= 4 or not 0 <= self.crowding_sd <= 1:
            problems.append(
                f"`density` must lie in (0, 4] and `crowding_sd` in [0, 1]; got {self.density} and "
                f"{self.crowding_sd}."
            )
        problems += self._rate_problems()
        if problems:
            raise InvalidInputError(problems)

    def _rate_problems(self) -> list[str]:
        problems = []
        if len(self.contact_rates) < 2:
            problems.append(
                f"`contact_rates` must name two stimulations or more; got "
                f"{list(self.contact_rates)}: the first is the negative control."
            )
        for name, rate in self.contact_rates.items():
            # Names become keys of screen.toml.
            if not name.isascii() or not name.replace("_", "").replace("-", "").isalnum():
                problems.append(
                    f"`contact_rates` must have names of plain letters, digits, - and _; got "
                    f"{name!r}."
                )
            if not 0 <= rate <= 1:
                problems.append(f"`contact_rates` must lie in [0, 1]; got {rate!r} for {name!r}.")
        return problems

    def to_json(self) -> dict[str, Any]:
        """Return all arguments by name."""
        return asdict(self)
