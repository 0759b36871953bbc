"""Records and kinds of numbers that cross floors."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import Field

__all__ = ["Estimate", "Share"]

Share = Annotated[float, Field(ge=0, le=1)]
"""A number between 0 and 1; pydantic refuses others where it reads one."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval, the count behind it, and the reason where it is undefined.

    Parameters
    ----------
    value : float
        The estimate; NaN where it is undefined.
    low, high : float
        Ends of the interval; NaN where none could be made.
    n_wells : int
        Wells the number rests on.
    reason : str
        Why the value or the interval is NaN; empty otherwise.

    Examples
    --------
    >>> print(Estimate(0.91, 0.88, 0.93, n_wells=12))
    0.910 [0.880, 0.930]
    >>> print(Estimate.undefined("one well a class", n_wells=2))
    undefined (one well a class)
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    n_wells: int = 0
    reason: str = ""

    @classmethod
    def undefined(cls, reason: str, n_wells: int = 0) -> Estimate:
        """Make the estimate of something that has no value, and say why."""
        return cls(math.nan, n_wells=n_wells, reason=reason)

    @property
    def is_defined(self) -> bool:
        """Whether the value is a finite number."""
        return math.isfinite(self.value)

    def __str__(self) -> str:
        if not self.is_defined:
            return f"undefined ({self.reason or 'no reason given'})"
        if math.isnan(self.low) or math.isnan(self.high):
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; NaN becomes None, since JSON has no NaN."""
        return {
            key: None if isinstance(item, float) and math.isnan(item) else item
            for key, item in asdict(self).items()
        }
