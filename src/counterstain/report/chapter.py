"""What a chapter is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Chapter", "Table"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the page; all cells are text and are escaped.

    Parameters
    ----------
    caption : str
        What it shows.
    header : tuple of str
        Column names; the first column names the rows.
    rows : sequence of tuple of str
        Cells.
    numeric : frozenset of int
        Columns that are aligned on the right.
    """

    caption: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter of the page.

    Parameters
    ----------
    key : str
        Its anchor, and the name of its template.
    title, nav : str
        Its heading, and the short form in the navigation.
    content : mapping
        What its template shows.
    """

    key: str
    title: str
    nav: str
    content: Mapping[str, Any] = field(default_factory=dict)
