"""``counterstain check``: what a screen holds, and everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from counterstain.errors import InvalidInputError
from counterstain.plates.ranges import measure_ranges
from counterstain.plates.screen import Screen, inspect_screen
from counterstain.plates.wells import plate_shape, row_name, well_position

__all__ = ["check"]

# Shapes tell classes apart without colour; colours are those of Okabe and Ito.
_SHAPES = "●▲■◆▼★✚✖"
_LETTERS = "#+X%&=@*"
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")
# States of wells that are no class; the null character keeps them apart from class names.
_PROBLEM, _SCORED, _UNLISTED, _EMPTY = ("\0problem", "\0scored", "\0unlisted", "\0empty")
_Signs = Mapping[str, tuple[str, str]]


def _say(console: Console, text: str, style: str = "") -> None:
    """Print text as it is: no markup in file names, no line breaks of our own in a pipe."""
    console.print(Text(text, style), soft_wrap=not console.is_terminal, highlight=False)


def _signs(names: Sequence[str], unicode: bool) -> _Signs:
    """Return a symbol and a colour for each class and state."""
    shapes = _SHAPES if unicode else _LETTERS
    signs = {
        name: (shapes[i % len(shapes)], _COLOURS[i % len(_COLOURS)]) for i, name in enumerate(names)
    }
    return signs | {
        _PROBLEM: ("!", "bold red"),
        _SCORED: ("○" if unicode else "o", ""),
        _UNLISTED: ("?", ""),
        _EMPTY: ("·" if unicode else ".", "dim"),
    }


def _states(screen: Screen) -> pd.Series:
    """Say for each well which sign it gets."""
    wells, fields = screen.wells, screen.fields
    bad = fields.loc[~fields["readable"], ["Metadata_Plate", "Metadata_Well"]]
    faulty = set(bad.itertuples(index=False, name=None))
    has_map = bool(wells["in_map"].any())
    states = []
    for row in wells.to_dict("records"):
        if row["n_fields"] == 0:
            states.append(_EMPTY)
        elif (row["Metadata_Plate"], row["Metadata_Well"]) in faulty:
            states.append(_PROBLEM)
        elif row["class_name"]:
            states.append(row["class_name"])
        else:
            states.append(_UNLISTED if has_map and not row["in_map"] else _SCORED)
    return pd.Series(states, index=wells.index, dtype=object)


def _draw_plate(console: Console, wells: pd.DataFrame, states: pd.Series, signs: _Signs) -> None:
    """Draw one plate as a grid of signs."""
    rows, columns = plate_shape(wells["Metadata_Well"])
    at = {well_position(w): s for w, s in zip(wells["Metadata_Well"], states, strict=True)}
    _say(console, "   " + "".join(f"{column + 1:3d}" for column in range(columns)), "dim")
    for row in range(rows):
        line = Text(f"{row_name(row):>3}")
        for column in range(columns):
            line.append("  ")
            line.append(*signs[at.get((row, column), _EMPTY)])
        console.print(line, no_wrap=True, overflow="ignore", crop=False, soft_wrap=True)


def _legend(console: Console, states: pd.Series, names: Sequence[str], signs: _Signs) -> None:
    meanings = {name: name for name in names} | {
        _PROBLEM: "field(s) that cannot be used",
        _SCORED: "in no class, only scored",
        _UNLISTED: "image, but not in the plate map",
        _EMPTY: "no image",
    }
    line = Text("   ")
    for state, meaning in meanings.items():
        if state in set(states) or state in (*names, _EMPTY):
            line.append("  ").append(*signs[state]).append(f" {meaning}")
    console.print(line, soft_wrap=not console.is_terminal, highlight=False)


def _draw_plates(console: Console, screen: Screen) -> None:
    encoding = (console.encoding or "ascii").lower()
    signs = _signs(screen.class_names, unicode=encoding.startswith("utf"))
    states = _states(screen)
    for plate, wells in screen.wells.groupby("Metadata_Plate", sort=True):
        imaged = int((wells["n_fields"] > 0).sum())
        total = int(wells["n_fields"].sum())
        _say(console, f"\nPlate {plate}: {imaged} wells with images, {total} fields", "bold")
        _draw_plate(console, wells, states[wells.index], signs)
    _legend(console, states, screen.class_names, signs)


def _class_table(screen: Screen) -> Table:
    table = Table(title="Classes", title_justify="left")
    table.add_column("class")
    for heading in ("wells", "wells with images", "fields"):
        table.add_column(heading, justify="right")
    for name in (*screen.class_names, ""):
        members = screen.wells[screen.wells["class_name"] == name]
        imaged = members[members["n_fields"] > 0]
        counts = (len(members), len(imaged), members["n_fields"].sum())
        table.add_row(Text(name or "(in no class)"), *map(str, counts))
    return table


def _channel_table(ranges: pd.DataFrame) -> Table:
    table = Table(title="Channels (grey values of a sample of fields)", title_justify="left")
    table.add_column("channel")
    table.add_column("dtype")
    for heading in ("min", "0.1 %", "median", "99.9 %", "max", "saturated"):
        table.add_column(heading, justify="right")
    for row in ranges.to_dict("records"):
        values = [str(row[name]) for name in ("min", "low", "median", "high", "max")]
        table.add_row(Text(row["channel"]), row["dtype"], *values, f"{row['saturated']:.2%}")
    return table


def _size_lines(screen: Screen) -> list[str]:
    good = screen.fields[screen.fields["readable"]]
    sizes = good.groupby(["width", "height", "dtype"]).size().reset_index(name="n")
    return [
        f"Image size: {row['width']} × {row['height']} px, {row['dtype']}: {row['n']} field(s)"
        for row in sizes.to_dict("records")
    ]


def _inspect(console: Console, path: Path) -> tuple[Screen | None, tuple[str, ...]]:
    """Look at the screen, with a bar where somebody watches."""
    if not console.is_terminal:
        return inspect_screen(path)
    columns = (TextColumn("Reading image headers"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("headers", total=None)
        return inspect_screen(path, lambda d, n: progress.update(task, completed=d, total=n))


def _show(console: Console, screen: Screen) -> None:
    images = screen.config.images
    source = images.load_data or images.ome_zarr or f"{images.root} ({images.pattern})"
    _say(console, f"{screen.path}: {len(screen.fields)} fields from {source}", "bold")
    if len(screen.wells):
        _draw_plates(console, screen)
        console.print()
        console.print(_class_table(screen))
    ranges, undecoded = measure_ranges(screen)
    if len(ranges):
        console.print(_channel_table(ranges))
    for line in _size_lines(screen):
        _say(console, line)
    notes = (*screen.notes, *undecoded)
    if notes:
        _say(console, f"\nNotes ({len(notes)})", "bold")
    for note in notes:
        _say(console, f"- {note}")


def check(screen: Path, /) -> None:
    """Show what a screen holds, and every problem that must be mended before it can be run.

    Prints each plate as a grid of wells, wells and fields by class, the channels with their
    ranges of grey values, image sizes, and what was noticed. Nothing is written.

    Parameters
    ----------
    screen : Path
        The screen.toml.

    Raises
    ------
    InvalidInputError
        If there are problems; all at once, after everything that could be found was printed.
    """
    console = Console()
    found, errors = _inspect(console, screen)
    if found is not None:
        _show(console, found)
    if errors:
        raise InvalidInputError(errors)
    _say(console, "\nNo problem found: this screen can be run.", "bold")
