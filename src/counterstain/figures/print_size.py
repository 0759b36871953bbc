"""Figures at the width of a journal's column.

A figure is drawn once, at the width of a page, and the whole of it is scaled: lines, marks and
pictures keep their proportions. Only letters that would print too small are enlarged before, so
that they can be read.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.backends import backend_mixed, backend_pdf
from matplotlib.figure import Figure
from matplotlib.text import Text

from counterstain.figures.style import styled
from counterstain.files import atomic_path

__all__ = ["COLUMN_WIDTHS_MM", "FORMATS", "PrintedFigure", "print_figure"]

COLUMN_WIDTHS_MM = {"single": 87.0, "double": 178.0}
"""Widths of figures in journals of one and of two columns."""
FORMATS = ("pdf", "svg", "png")
"""Formats for print."""
_MM_PER_INCH = 25.4
_DPI = 300
_SMALLEST_PT = 5.0  # what journals ask of the letters in a figure


@dataclass(frozen=True, slots=True)
class PrintedFigure:
    """A figure for print, in memory.

    Parameters
    ----------
    name : str
        File name without ending.
    content : dict of str to bytes
        The file of each format.
    width_mm, height_mm : float
        Printed size.
    """

    name: str
    content: dict[str, bytes]
    width_mm: float
    height_mm: float

    def write(self, folder: Path) -> list[Path]:
        """Write all formats, each whole or not at all; return the files."""
        paths = []
        for kind, content in self.content.items():
            paths.append(folder / f"{self.name}.{kind}")
            with atomic_path(paths[-1]) as temporary:
                temporary.write_bytes(content)
        return paths


@styled
def print_figure(
    figure: Figure, name: str, width: str = "double", formats: tuple[str, ...] = ("pdf",)
) -> PrintedFigure:
    """Make a figure as wide as a column; one that is narrower is not blown up.

    Parameters
    ----------
    figure : Figure
        What to print; it is emptied to free its memory.
    name : str
        File name without ending.
    width : str
        A key of `COLUMN_WIDTHS_MM`.
    formats : tuple of str
        Some of `FORMATS`.

    Returns
    -------
    PrintedFigure
        The files' content; the same figure gives the same bytes.

    Examples
    --------
    >>> found = print_figure(Figure(figsize=(7.2, 3.6)), "wide", "single", ("svg",))
    >>> round(found.width_mm, 1), round(found.height_mm, 1)
    (87.0, 43.5)
    """
    inches, height = (float(side) for side in figure.get_size_inches())
    scale = min(1.0, COLUMN_WIDTHS_MM[width] / _MM_PER_INCH / inches)
    _enlarge_letters(figure, _SMALLEST_PT / scale)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    content = {kind: _WRITERS[kind](figure, scale) for kind in formats}
    figure.clear()
    width_mm, height_mm = (scale * _MM_PER_INCH * side for side in (inches, height))
    return PrintedFigure(name, content, width_mm, height_mm)


def _enlarge_letters(figure: Figure, smallest: float) -> None:
    """Raise letters to a size; those of ticks by their axis, which makes new ones as it likes."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            sizes = [float(label.get_fontsize()) for label in axis.get_ticklabels()]
            if sizes and min(sizes) < smallest:
                axis.set_tick_params(labelsize=smallest)
    for text in figure.findobj(Text):
        if isinstance(text, Text) and float(text.get_fontsize()) < smallest:
            text.set_fontsize(smallest)


def _png(figure: Figure, scale: float) -> bytes:
    stream = io.BytesIO()
    # Fewer pixels of the same figure; the file says that they are 300 to the printed inch.
    figure.savefig(stream, format="png", dpi=_DPI * scale, pil_kwargs={"dpi": (_DPI, _DPI)})
    return stream.getvalue()


def _svg(figure: Figure, scale: float) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})

    def shrink(found: re.Match[str]) -> str:
        return f'{found[1]}="{float(found[2]) * scale:.6g}pt"'

    head, mark, rest = stream.getvalue().decode("utf-8").partition("viewBox=")
    at = head.rindex("<svg")
    head = head[:at] + re.sub(r'(width|height)="([\d.]+)pt"', shrink, head[at:])
    tag, end, body = rest.partition(">")
    tag = re.sub(r'(width|height)="([\d.]+)pt"', shrink, tag)
    return (head + mark + tag + end + body).encode("utf-8")


def _pdf(figure: Figure, scale: float) -> bytes:
    stream = io.BytesIO()
    dpi, figure.dpi = figure.dpi, 72  # a unit of PDF is a 72nd of an inch
    width, height = (float(side) for side in figure.get_size_inches())
    # Matplotlib scales no page; its own writer, asked for a smaller one, does. It has no types.
    pdf: Any = backend_pdf
    mixed: Any = backend_mixed
    file = pdf.PdfFile(stream, metadata={"CreationDate": None})
    try:
        file.newPage(width * scale, height * scale)
        file.output(scale, 0, 0, scale, 0, 0, pdf.Op.concat_matrix)
        vector = pdf.RendererPdf(file, _DPI, height, width)
        renderer = mixed.MixedModeRenderer(figure, width, height, _DPI, vector)
        figure.draw(renderer)
        renderer.finalize()
        file.finalize()
    finally:
        file.close()
        figure.dpi = dpi
    return stream.getvalue()


_WRITERS = {"png": _png, "svg": _svg, "pdf": _pdf}
