"""Chosen figures of a run, for print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from counterstain.errors import InvalidInputError
from counterstain.figures.print_size import (
    COLUMN_WIDTHS_MM,
    FORMATS,
    PrintedFigure,
    print_figure,
)
from counterstain.report.build import build_chapters
from counterstain.report.data import read_run
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.run_folder import RunFolder

__all__ = ["write_print_figures"]


def write_print_figures(
    folder: RunFolder,
    names: Sequence[str],
    *,
    formats: Sequence[str] = ("pdf",),
    width: str = "double",
    palette: str = "run",
    to: Path | None = None,
) -> dict[Path, float]:
    """Write chosen figures of a run at the width of a journal's column.

    All figures are drawn to find the chosen ones, which takes seconds. Nothing is written unless
    every name is known.

    Parameters
    ----------
    folder : RunFolder
        A run, finished or not.
    names : sequence of str
        Names as in ``figures``; a name stands for all that begin with it, too: ``counterfactuals``
        for ``counterfactuals_0_to_1`` and ``counterfactuals_1_to_0``.
    formats : sequence of str
        Some of ``pdf``, ``svg`` and ``png`` (300 dpi).
    width : str
        ``single`` (87 mm) or ``double`` (178 mm); narrower figures keep their size.
    palette : str
        ``run`` for the colours of the screen, ``cmy`` for cyan, magenta and yellow.
    to : Path, optional
        Folder for the files, made where missing; ``figures`` of the run where not given.

    Returns
    -------
    dict of Path to float
        The files, as ``NAME_WIDTH.FORMAT``, and the printed size of their smallest letters, points.

    Raises
    ------
    InvalidInputError
        If a name, format, width or palette is unknown, or nothing can be written there.
    """
    _check(names, formats, width)
    data = replace(read_run(folder), palette=palette)
    ending = f"_{width}" + ("" if palette == "run" else f"_{palette}")
    book = _PrintBook(folder.figures, names=tuple(names), width=width, formats=tuple(formats))
    build_chapters(data, book)
    unknown = [name for name in names if not any(_means(name, n) for n in book.seen)]
    if unknown:
        there = ", ".join(book.seen) or "none: the run has not come so far"
        raise InvalidInputError(
            f"`--figures` must name figures of this run; {', '.join(unknown)} "
            f"{'is' if len(unknown) == 1 else 'are'} not among them: choose from {there}."
        )
    target = to or folder.figures
    printed = [replace(figure, name=f"{figure.name}{ending}") for figure in book.printed]
    return {path: figure.letters_pt for figure in printed for path in figure.write(target)}


def _check(names: Sequence[str], formats: Sequence[str], width: str) -> None:
    if not names:
        raise InvalidInputError("`--figures` must name a figure; got none: name one, or leave it.")
    odd = [name for name in formats if name not in FORMATS]
    if odd or not formats:
        raise InvalidInputError(
            f"`--format` must be some of {', '.join(FORMATS)}; got {', '.join(odd) or 'none'}: "
            "write for instance pdf,png."
        )
    if width not in COLUMN_WIDTHS_MM:
        raise InvalidInputError(
            f"`--width` must be {' or '.join(COLUMN_WIDTHS_MM)}; got {width!r}: choose one."
        )


def _means(wanted: str, name: str) -> bool:
    """Whether a wished name stands for a figure.

    Examples
    --------
    >>> _means("plate", "plate_1"), _means("plate", "plates")
    (True, False)
    """
    return name == wanted or name.startswith((f"{wanted}_", f"{wanted}-"))


@dataclass(slots=True)
class _PrintBook(FigureBook):
    """Keeps the chosen figures for print, and the names of all; writes nothing."""

    names: tuple[str, ...] = ()
    width: str = "double"
    formats: tuple[str, ...] = ("pdf",)
    seen: list[str] = field(default_factory=list)
    printed: list[PrintedFigure] = field(default_factory=list)

    def add(
        self,
        name: str,
        figure: Figure,
        *,
        caption: str,
        alt: str,
        table: pd.DataFrame | None = None,
    ) -> PageFigure:
        del table
        self.seen.append(name)
        if any(_means(wanted, name) for wanted in self.names):
            self.printed.append(print_figure(figure, name, self.width, self.formats))
        figure.clear()
        return PageFigure(len(self.seen), name, "", 0, 0, caption, alt)
