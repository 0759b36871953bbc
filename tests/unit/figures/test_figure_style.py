from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

import counterstain.figures
from counterstain.figures.style import class_colours, class_letters, ink_on, save_figure, styled


def test_class_colours_are_okabe_ito() -> None:
    assert class_colours(["a", "b"]) == {"a": "#D55E00", "b": "#0072B2"}


def test_sixteen_classes_have_sixteen_colours() -> None:
    names = [f"class {i}" for i in range(16)]
    assert len(set(class_colours(names).values())) == 16


def test_letters_differ_even_where_names_are_alike() -> None:
    letters = class_letters(["aa", "aaa", "a", "1-2"])
    assert letters == {"aa": "A", "aaa": "2", "a": "3", "1-2": "4"}


@pytest.mark.parametrize(("colour", "ink"), [("white", "#1d2733"), ("black", "#ffffff")])
def test_ink_contrasts(colour: str, ink: str) -> None:
    assert ink_on(colour) == ink


@styled
def _figure() -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.text(0.1, 0.5, "costs $5 & $6 <b>")
    return figure


def test_saved_figure_repeats_and_keeps_text_as_text(tmp_path: Path) -> None:
    first = save_figure(_figure(), tmp_path / "a", "figure")
    second = save_figure(_figure(), tmp_path / "b", "figure")
    assert first.png.read_bytes() == second.png.read_bytes()
    assert first.svg.read_bytes() == second.svg.read_bytes()
    assert first.webp == second.webp
    assert "costs $5 &amp; $6 &lt;b&gt;" in first.svg.read_text()
    assert first.pdf.read_bytes() == second.pdf.read_bytes()
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["figure.pdf", "figure.png", "figure.svg"]


def test_name_in_a_script_without_font_is_no_warning(tmp_path: Path) -> None:
    figure = Figure(figsize=(1, 1))
    figure.text(0, 0.5, "\u1703\u1704")
    assert "\u1703\u1704" in save_figure(figure, tmp_path, "figure").svg.read_text()


def test_public_names_are_functions() -> None:
    for name in counterstain.figures.__all__:
        assert callable(getattr(counterstain.figures, name))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_figure"):
        _ = counterstain.figures.no_such_figure
