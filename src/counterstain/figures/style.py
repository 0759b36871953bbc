"""The one style of all figures, and how they are written.

Colours follow Okabe and Ito (Color Universal Design, 2008), so that readers of every colour vision
tell the classes apart.
"""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.typing import ColorType

from counterstain.files import atomic_path

__all__ = [
    "CHANGE_MAP",
    "GREY",
    "INK",
    "PAGE_WIDTH_IN",
    "SCORE_MAP",
    "SOFT",
    "SavedFigure",
    "class_colours",
    "class_letters",
    "ink_on",
    "save_figure",
    "styled",
]

PAGE_WIDTH_IN = 7.2
"""Width of a double-column figure, inches."""
INK = "#1d2733"
GREY = "#7b8794"
SOFT = "#52606d"
_PRINT_DPI = 300
_PAGE_DPI = 200

_CLASS_COLOURS = (
    "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5B4B8A", "#8C6D31",
    "#882255", "#44AA99", "#999933", "#332288", "#AA4499", "#117733", "#661100", "#6699CC",
)  # fmt: skip

SCORE_MAP = LinearSegmentedColormap.from_list(
    "counterstain.score",
    ["#8F3A00", "#D55E00", "#F2B48A", "#F7F6F3", "#93C0DE", "#0072B2", "#00466E"],
)
"""Class 0 (vermillion) over white to class 1 (blue)."""
CHANGE_MAP = LinearSegmentedColormap.from_list(
    "counterstain.change",
    ["#40004B", "#8A4FA0", "#CBAED6", "#F7F7F7", "#A9D8A1", "#3B9A50", "#00441B"],
)
"""Less (purple) over white to more (green); not the classes' colours, so that none is read in."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


@functools.cache
def _fonts() -> tuple[str, ...]:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    wished = ("Inter", "Helvetica Neue", "Helvetica", "Arial", "Liberation Sans", "DejaVu Sans")
    return tuple(name for name in wished if name in installed)


def _settings() -> Any:
    return {
        "font.family": list(_fonts()),
        "font.size": 8.5,
        "axes.titlesize": 9,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 8.5,
        "axes.labelcolor": INK,
        "axes.edgecolor": "#9aa5b1",
        "axes.linewidth": 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": True,
        "text.color": INK,
        # Names of wells and compounds may hold dollar signs; they are no formulas.
        "text.parse_math": False,
        "xtick.color": SOFT,
        "ytick.color": SOFT,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "legend.frameon": False,
        "legend.fontsize": 8,
        "figure.facecolor": "white",
        "hatch.linewidth": 0.6,
        "svg.fonttype": "none",
        # Letters stay letters in a PDF, too: journals refuse the outlines of Type 3.
        "pdf.fonttype": 42,
        "svg.hashsalt": "counterstain",
        "path.simplify": True,
    }


@contextmanager
def _house_style() -> Iterator[None]:
    with mpl.rc_context(_settings()), warnings.catch_warnings():
        # A name in a script that no installed font holds is drawn as boxes; the page's own text
        # and the SVG still show it, so this is no reason to warn a user.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def styled(draw: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a drawing function draw in the house style."""

    @functools.wraps(draw)
    def in_style(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with _house_style():
            return draw(*args, **kwargs)

    return in_style


def class_colours(names: Sequence[str]) -> dict[str, str]:
    """Give each class its colour, by its place in the configuration.

    Parameters
    ----------
    names : sequence of str
        Class names; from the 17th on, colours come round again.

    Returns
    -------
    dict
        Hexadecimal colour a class.

    Examples
    --------
    >>> class_colours(["diseased", "healthy"])
    {'diseased': '#D55E00', 'healthy': '#0072B2'}
    """
    return {name: _CLASS_COLOURS[i % len(_CLASS_COLOURS)] for i, name in enumerate(names)}


def class_letters(names: Sequence[str]) -> dict[str, str]:
    """Give each class a letter of its own, from its name where possible.

    Parameters
    ----------
    names : sequence of str
        Class names.

    Returns
    -------
    dict
        One capital letter a class; its number (from 1) where every letter is taken.

    Examples
    --------
    >>> class_letters(["diseased", "dead", "healthy"])
    {'diseased': 'D', 'dead': 'E', 'healthy': 'H'}
    """
    letters: dict[str, str] = {}
    for number, name in enumerate(names, start=1):
        taken = set(letters.values())
        free = [c for c in name.upper() if c.isalpha() and len(c) == 1 and c not in taken]
        letters[name] = free[0] if free else str(number)
    return letters


def ink_on(colour: ColorType) -> str:
    """Return dark or white ink, whichever reads better on a colour.

    Parameters
    ----------
    colour : str or tuple of float
        Any colour that Matplotlib knows.

    Returns
    -------
    str
        Hexadecimal colour with the higher contrast ratio (WCAG 2 relative luminance).

    Examples
    --------
    >>> ink_on("#F7F6F3"), ink_on("#00466E")
    ('#1d2733', '#ffffff')
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # Above this luminance the dark ink (luminance 0.02) has the higher contrast.
    return INK if luminance > 0.21 else "#ffffff"


@dataclass(frozen=True, slots=True)
class SavedFigure:
    """A figure on disk, and its picture for a page.

    Parameters
    ----------
    png, svg, pdf : Path
        Files for print (300 dpi), and for editing (text as text).
    webp : bytes
        Lossless picture at 200 dpi.
    width, height : float
        Size in inches.
    """

    png: Path
    svg: Path
    pdf: Path
    webp: bytes
    width: float
    height: float


@styled
def save_figure(figure: Figure, folder: Path, name: str) -> SavedFigure:
    """Write a figure as PNG, SVG and PDF, and render it for a page.

    The same figure gives the same bytes: no date is written.

    Parameters
    ----------
    figure : Figure
        What to write.
    folder : Path
        Where; made where missing.
    name : str
        File name without ending.

    Returns
    -------
    SavedFigure
        The files and the picture.

    Raises
    ------
    InvalidInputError
        If the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> saved = save_figure(Figure(figsize=(2, 1)), Path(tempfile.mkdtemp()), "empty")
    >>> saved.png.name, saved.svg.name, saved.pdf.name, saved.webp[8:12]
    ('empty.png', 'empty.svg', 'empty.pdf', b'WEBP')
    """
    png, svg, pdf = (folder / f"{name}.{kind}" for kind in ("png", "svg", "pdf"))
    page = io.BytesIO()
    figure.savefig(page, format="webp", dpi=_PAGE_DPI, pil_kwargs={"lossless": True, "method": 2})
    # The layout is found once; finding it anew for each format costs as much as drawing.
    figure.set_layout_engine("none")
    with atomic_path(png) as temporary:
        figure.savefig(temporary, format="png", dpi=_PRINT_DPI)
    with atomic_path(svg) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
    with atomic_path(pdf) as temporary:
        figure.savefig(temporary, format="pdf", dpi=_PRINT_DPI, metadata={"CreationDate": None})
    width, height = figure.get_size_inches()
    figure.clear()
    return SavedFigure(png, svg, pdf, page.getvalue(), float(width), float(height))
