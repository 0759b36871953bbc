"""What a run measured of two kinds of cells that touch, as the report needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from counterstain.report.data import RunData
from counterstain.report.numbers import as_estimate
from counterstain.types import Estimate

__all__ = ["OverlapData", "measure_words"]

_MEASURES = {
    "iou": "IoU of the masks",
    "share_a": "share of the area of {a} inside {b}",
    "share_b": "share of the area of {b} inside {a}",
    "iou_above_chance": "IoU above chance",
    "share_a_above_chance": "share of the area of {a} inside {b}, above chance",
    "share_a_touching": "{a} that touch {b}",
}


def measure_words(column: str, kinds: tuple[str, str]) -> str:
    """Return words for a measure of overlap.

    Parameters
    ----------
    column : str
        Its column in the tables.
    kinds : (str, str)
        Names of the two kinds of cells.

    Returns
    -------
    str
        Words; the column's name where there are none.

    Examples
    --------
    >>> measure_words("share_a", ("T cells", "dendritic cells"))
    'share of the area of T cells inside dendritic cells'
    """
    return _MEASURES.get(column, column).format(a=kinds[0], b=kinds[1])


@dataclass(frozen=True)
class OverlapData:
    """The part of a run that is about overlap.

    Parameters
    ----------
    data : RunData
        The run.
    """

    data: RunData

    @property
    def numbers(self) -> Mapping[str, Any]:
        """The part ``overlap`` of ``metrics.json``; empty where there is none."""
        found = self.data.metrics.get("overlap")
        return found if isinstance(found, Mapping) else {}

    @property
    def kinds(self) -> tuple[str, str]:
        """Names of the two kinds of cells."""
        names = list(self.numbers.get("kinds") or self.data.channels)
        return (str(names[0]), str(names[1])) if len(names) > 1 else ("first kind", "second kind")

    @property
    def colours(self) -> tuple[str, str]:
        """Colours of the two kinds."""
        known = dict(zip(self.data.channels, self.data.colours, strict=False))
        first, second = self.kinds
        return known.get(first, "#1fd65f"), known.get(second, "#ff4fd8")

    @property
    def measure(self) -> str:
        """Column of the measure that was chosen."""
        return str(self.numbers.get("measure") or "iou")

    def words(self, column: str | None = None) -> str:
        """Return words for a measure; for the chosen one where none is given."""
        return measure_words(column or self.measure, self.kinds)

    @property
    def above_chance(self) -> str:
        """Column of a measure above chance that stands beside the chosen one."""
        beside = f"{self.measure}_above_chance"
        wells = self.wells
        return beside if wells is not None and beside in wells else "iou_above_chance"

    @cached_property
    def wells(self) -> pd.DataFrame | None:
        """A row a well, with its group in `group`."""
        return self._grouped("overlap_wells")

    @cached_property
    def fields(self) -> pd.DataFrame | None:
        """A row a field, with its group in `group`."""
        return self._grouped("overlap")

    @cached_property
    def patches(self) -> pd.DataFrame | None:
        """A row a patch, with its group in `group`."""
        return self._grouped("overlap_patches")

    def _grouped(self, name: str) -> pd.DataFrame | None:
        table = self.data.table(name)
        if table is None:
            return None
        column = self.group_column if self.group_column in table else "class_name"
        group = table[column]
        return table.assign(group=group.astype(object).where(group.notna(), "").astype(str))

    @property
    def group_column(self) -> str:
        """Column by which wells are grouped."""
        return str(self.numbers.get("group_column") or "class_name")

    @property
    def group_noun(self) -> str:
        """What groups are called in sentences."""
        name = self.group_column.removeprefix("Metadata_").lower()
        return "class" if name == "class_name" else name

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Groups in their order: those named like a class first, then by name."""
        tables = (self.wells, self.fields, self.patches)
        table = next((t for t in tables if t is not None), None)
        found = set(table["group"]) - {""} if table is not None else set()
        first = [name for name in self.data.classes if name in found]
        return (*first, *sorted(found - set(first)))

    @property
    def compared(self) -> list[Mapping[str, Any]]:
        """What was found of each class, in their order."""
        return [row for row in self.numbers.get("groups") or [] if isinstance(row, Mapping)]

    @property
    def base(self) -> str:
        """Class without interaction, to which the others are compared."""
        found = (str(row.get("group")) for row in self.compared if "difference" not in row)
        return next(found, "the class without interaction")

    def means(self, column: str) -> dict[str, Estimate]:
        """Return the mean of a measure over the wells of each class."""
        return {
            str(row.get("group")): as_estimate(row.get(column))
            for row in self.compared
            if column in row
        }
