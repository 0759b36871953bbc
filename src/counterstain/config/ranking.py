"""The section ``[ranking]`` of ``screen.toml``: which treatment heals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from counterstain.config.sections import Section

__all__ = ["RankingConfig"]


class RankingConfig(Section):
    """Which classes are the two ends of the scale, and where the lines between calls lie."""

    diseased: str | None = None
    healthy: str | None = None
    """Classes whose wells are rescue 0 and 1: those of these names, else the first and the second
    class of two."""
    position: Literal["controls", "median_polish", "none"] = "controls"
    """How row and column effects are taken off."""
    min_cells: int = Field(default=10, ge=0)
    """Cells below which a well is too poor to rank."""
    min_z_prime: float = Field(default=0.5, le=1)
    """Z' below which a plate fails."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Coverage of intervals."""
    level: float = Field(default=0.05, gt=0, lt=1)
    """q up to which rescue, or a side effect, counts as shown."""
    hit_rescue: float = Field(default=0.5, gt=0)
    """Rescue from which a treatment is a hit."""
    partial_rescue: float = Field(default=0.15, gt=0)
    """Rescue from which it is a partial one."""
    side_effect: float = Field(default=3.0, ge=0)
    """Side effect above which it is off the axis, in standard deviations of control wells."""
    side_effect_share: float = Field(default=0.33, ge=0)
    """And in shares of its own way towards healthy."""
    min_wells: int = Field(default=2, ge=2)
    """Wells below which nothing is called."""
    classical_crops: int = Field(default=48, ge=0)
    """Crops a well whose classical measurements are ranked beside the network; 0 for none."""

    @model_validator(mode="after")
    def _rules_fit(self) -> RankingConfig:
        if self.partial_rescue > self.hit_rescue:
            raise ValueError(
                f"`partial_rescue` must be at most `hit_rescue`; got {self.partial_rescue:g} and "
                f"{self.hit_rescue:g}"
            )
        if self.diseased is not None and self.diseased == self.healthy:
            raise ValueError(
                f"`diseased` and `healthy` must be two classes; got {self.diseased!r} twice"
            )
        return self

    def pair(self, class_names: Sequence[str]) -> tuple[str, str] | None:
        """Return the names of the diseased and the healthy class; None where nothing tells.

        Parameters
        ----------
        class_names : sequence of str
            Classes of the screen in their order.

        Returns
        -------
        tuple of str or None
            The classes as set, else those called "diseased" and "healthy", else both classes of
            two, in their order. None where a screen of three classes or more names neither.

        Examples
        --------
        >>> RankingConfig().pair(["healthy", "diseased"])
        ('diseased', 'healthy')
        >>> RankingConfig().pair(["untreated", "wortmannin"])
        ('untreated', 'wortmannin')
        >>> RankingConfig(diseased="TT").pair(["WT", "TT"])
        ('TT', 'WT')
        >>> RankingConfig().pair(["DS", "WT", "TT"]) is None
        True
        """
        names = list(class_names)
        found = [self.diseased, self.healthy]
        for i, usual in enumerate(("diseased", "healthy")):
            if found[i] is None and usual in names and usual != found[1 - i]:
                found[i] = usual
        if len(names) == 2:
            free = [name for name in names if name not in found]
            found = [name if name is not None else free.pop(0) for name in found]
        diseased, healthy = found
        return None if diseased is None or healthy is None else (diseased, healthy)
