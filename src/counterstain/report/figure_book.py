"""Figures of a report: numbered, written to the run folder, and kept as pictures for the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.image import imsave
from numpy.typing import NDArray

from counterstain.figures.style import save_figure
from counterstain.files import csv_text, write_text

__all__ = ["FigureBook", "PageFigure", "picture_uri"]

_CSS_PX_PER_INCH = 130


@dataclass(frozen=True, slots=True)
class PageFigure:
    """A figure as the page shows it.

    Parameters
    ----------
    number : int
        From 1, in the order of the page.
    name : str
        Name of its files, without ending.
    uri : str
        Data URI of the picture.
    width, height : int
        Size on the page, CSS pixels.
    caption, alt : str
        Words under the figure, and words in its place.
    table : str
        Its table as CSV; empty where there is none.
    """

    number: int
    name: str
    uri: str
    width: int
    height: int
    caption: str
    alt: str
    table: str = ""

    @property
    def is_wide(self) -> bool:
        """Whether a small screen scrolls the figure in its box, so that it stays legible."""
        return self.width > 560

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """Label and link of each file beside the report."""
        kinds = ("PNG", "SVG", "PDF", *(["CSV"] if self.table else []))
        return tuple((kind, f"../figures/{self.name}.{kind.lower()}") for kind in kinds)

    @property
    def table_uri(self) -> str:
        """The table as a data URI, for a page that travels alone."""
        content = base64.b64encode(self.table.encode("utf-8")).decode("ascii")
        return f"data:text/csv;charset=utf-8;base64,{content}"


@dataclass(slots=True)
class FigureBook:
    """Collects the figures of one report.

    Parameters
    ----------
    folder : Path
        Where the files go: the folder `figures` beside the folder `report`.
    """

    folder: Path
    figures: list[PageFigure] = field(default_factory=list)

    def add(
        self,
        name: str,
        figure: Figure,
        *,
        caption: str,
        alt: str,
        table: pd.DataFrame | None = None,
    ) -> PageFigure:
        """Write a figure, number it, and return what the page shows.

        Parameters
        ----------
        name : str
            File name without ending.
        figure : Figure
            The figure; it is emptied to free its memory.
        caption : str
            What to see, and the number of wells and cells.
        alt : str
            Words for readers who do not see it.
        table : DataFrame, optional
            What is drawn, row by row; written beside the figure as CSV.
        """
        saved = save_figure(figure, self.folder, name)
        text = "" if table is None else csv_text(table)
        if text:
            write_text(self.folder / f"{name}.csv", text)
        page = PageFigure(
            number=len(self.figures) + 1,
            name=name,
            uri=_uri(saved.webp, "webp"),
            width=round(saved.width * _CSS_PX_PER_INCH),
            height=round(saved.height * _CSS_PX_PER_INCH),
            caption=caption,
            alt=alt,
            table=text,
        )
        self.figures.append(page)
        return page


def _uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def picture_uri(rgb: NDArray[np.float32]) -> str:
    """Return an RGB picture (H, W, 3) in 0 to 1 as a data URI (PNG, pixel for pixel).

    Examples
    --------
    >>> picture_uri(np.zeros((2, 2, 3), np.float32))[:22]
    'data:image/png;base64,'
    """
    stream = io.BytesIO()
    imsave(stream, np.ascontiguousarray(rgb), format="png")
    return _uri(stream.getvalue(), "png")
