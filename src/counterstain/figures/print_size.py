"""Figures at the width of a journal's column.

A figure is drawn once, at the width of a page, and the whole of it is scaled: lines, marks and
pictures keep their proportions. Letters that would print too small are enlarged before, where the
layout has room for them.
"""

from __future__ import annotations

import io
import itertools
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.backends import backend_mixed, backend_pdf
from matplotlib.figure import Figure
from matplotlib.text import Text

from counterstain.figures.style import styled
from counterstain.files import atomic_path

__all__ = ["COLUMN_WIDTHS_MM", "FORMATS", "SMALLEST_PT", "PrintedFigure", "print_figure"]

COLUMN_WIDTHS_MM = {"single": 87.0, "double": 178.0}
"""Widths of figures in journals of one and of two columns."""
FORMATS = ("pdf", "svg", "png")
"""Formats for print."""
_MM_PER_INCH = 25.4
_DPI = 300
SMALLEST_PT = 5.0
"""What journals ask of the letters in a figure, points."""


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
    letters_pt : float
        Printed size of the smallest letters, points; NaN where there are none.
    """

    name: str
    content: dict[str, bytes]
    width_mm: float
    height_mm: float
    letters_pt: float

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
    _enlarge_letters(figure, SMALLEST_PT / scale)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    letters = min((float(text.get_fontsize()) for text in _letters(figure)), default=math.nan)
    content = {kind: _WRITERS[kind](figure, scale) for kind in formats}
    figure.clear()
    width_mm, height_mm = (scale * _MM_PER_INCH * side for side in (inches, height))
    return PrintedFigure(name, content, width_mm, height_mm, letters * scale)


def _letters(figure: Figure) -> list[Text]:
    """Return all letters that are seen."""
    found = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def _enlarge_letters(figure: Figure, smallest: float) -> None:
    """Raise letters to a size where there is room for them; else leave them as they are.

    Pictures laid out by hand make no room. In others, letters must not run into each other, or
    out of the figure, more than they do already.
    """
    figure.draw_without_rendering()
    sizes = [(text, float(text.get_fontsize())) for text in _letters(figure)]
    if figure.get_layout_engine() is None or all(size >= smallest for _, size in sizes):
        return
    axes = [axis for one in figure.axes for axis in (one.xaxis, one.yaxis)]
    ticks = [(a, float(label.get_fontsize())) for a in axes for label in a.get_ticklabels()[:1]]
    before = _trouble(figure)
    # An axis makes ticks as it likes: their size is set by the axis.
    for axis, size in ticks:
        axis.set_tick_params(labelsize=max(size, smallest))
    for text, size in sizes:
        text.set_fontsize(max(size, smallest))
    figure.draw_without_rendering()
    if _trouble(figure) > before:
        for axis, size in ticks:
            axis.set_tick_params(labelsize=size)
        for text, size in sizes:
            text.set_fontsize(size)


def _trouble(figure: Figure) -> int:
    """Count pairs of letters that overlap, and those that leave the figure."""
    boxes = [text.get_window_extent() for text in _letters(figure)]
    frame = figure.bbox.padded(2)
    out = [
        box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1
        for box in boxes
    ]
    met = [one.overlaps(other) for one, other in itertools.combinations(boxes, 2)]
    return int(sum(out) + sum(met))


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

    text = stream.getvalue().decode("utf-8")
    start = text.index("<svg")
    end = text.index(">", start)
    # The view box stays: the same drawing in a smaller frame.
    tag = re.sub(r'(width|height)="([\d.]+)pt"', shrink, text[start:end])
    return f"{text[:start]}{tag}{text[end:]}".encode()


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
