"""File-name patterns: ready-made ones of the usual microscopes, and those a user writes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from counterstain.errors import InvalidInputError
from counterstain.plates.wells import normalise_well, row_name

__all__ = ["READY_MADE", "FileName", "NamePattern", "compile_pattern", "guess_ready_made"]

_WELL = r"(?:A[A-F]|[A-Z])(?: ?- ?)?\d{1,3}"
_GUID = r"(?:[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}|[0-9A-F]{32})"
_WAVELENGTH = rf"(?P<channel>\d{{1,2}}?)(?:_z(?P<plane>\d+))?(?:{_GUID}|(?!\d)[^/]*|[0-9A-F]{{8,}})"
_METAXPRESS_FOLDERS = re.compile(r"(TimePoint|ZStep)_(\d+)/", re.IGNORECASE)

READY_MADE: dict[str, tuple[str, ...]] = {
    "incell": (
        # CK01 - A - 01(fld 1 wv Blue - FITC wix 2 z 3 - time 01 - 0 ms).tif
        r"(?:(?P<plate>[^/]+?)(?: - |_|-| ))?"
        r"(?P<row>A[A-F]|[A-Z]) ?- ?(?P<column>\d{1,3}) ?"
        r"\((?:fld (?P<site>\d+))? ?(?:wv (?P<channel>[^/]+?))?(?: wix \d+)?"
        r"(?: ?-? ?z (?P<plane>\d+))?(?: ?-? ?time (?P<time>\d+)(?: - \d+ ms)?)?\)"
        r"(?:\.ome)?\.tiff?",
    ),
    "phenix": (
        # r01c01f04p01-ch1sk1fk1fl1.tiff
        r"(?:[^/]*_)?r(?P<row>\d{1,2})c(?P<column>\d{1,2})f(?P<site>\d+)p(?P<plane>\d+)(?:rc\d+)?"
        r"-ch(?P<channel>\d+)(?:(?:sk|t)(?P<time>\d+))?(?:fk\d+)?(?:fl\d+)?\.tiff?",
    ),
    "imagexpress": tuple(
        # PLATE_C05_s1_w1GUID.tif; a later form is tried where no earlier one fits, since the
        # "s1" of D07_s1_w1.tif would else pass for a well
        rf"(?:(?P<plate>[^/]+?)_)?(?P<well>{_WELL}){rest}\.tiff?"
        for rest in (
            rf"_s(?P<site>\d+)_w{_WAVELENGTH}",
            rf"_s(?P<site>\d+?){_GUID}?",
            rf"_w{_WAVELENGTH}",
            rf"{_GUID}?",
        )
    ),
    "cellvoyager": (
        # PLATE_C05_T0001F001L01A01Z01C01.tif
        rf"(?:(?P<plate>[^/]+)_)?(?P<well>{_WELL})_T(?P<time>\d+)F(?P<site>\d+)L(?P<line>\d+)A\d+"
        r"Z(?P<plane>\d+|XX)C(?P<channel>\d+)\.tiff?",
    ),
}
PLANE_EXAMPLES = {
    "incell": "{row} - {column}(fld {site} wv {channel} z 3).tif",
    "phenix": "r{row}c{column}f{site}p01-ch{channel}sk1*.tiff",
    "imagexpress": "TimePoint_1/{plate}_{well}_s{site}_w{channel}.tif",
    "cellvoyager": "{plate}_{well}_T0001F{site}L01A*Z01C{channel}.tif",
}
_FIELDS = {
    "plate": r"[^/]+?",
    "well": _WELL,
    "row": r"A[A-F]|[A-Z]|\d{1,2}",
    "column": r"\d{1,3}",
    "site": r"\d+",
    "channel": r"[^/]+?",
    "plane": r"\d+",
    "time": r"\d+",
}
_EXTRA = ("plane", "time", "line")


@dataclass(frozen=True, slots=True)
class FileName:
    """What a file name says.

    Parameters
    ----------
    plate : str or None
        Plate, where the name holds one.
    well, written : str
        Well as "A01", and as written.
    site : int
        Field; 1 where the name holds none.
    channel : str or None
        Token of the channel, where the name holds one.
    extra : str
        Plane and time as written, such as "plane 01, time 1".
    """

    plate: str | None
    well: str
    written: str
    site: int
    channel: str | None
    extra: str


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A compiled pattern.

    Parameters
    ----------
    text : str
        As written in ``screen.toml``.
    expressions : tuple of re.Pattern
        Tried in this order.
    ready_made : str
        Name of the ready-made convention; empty for a pattern of the user's own.
    """

    text: str
    expressions: tuple[re.Pattern[str], ...]
    ready_made: str = ""

    def match(self, path: str) -> FileName | None:
        """Read a path relative to the root, with forward slashes; None where it does not fit.

        Examples
        --------
        >>> compile_pattern("phenix").match("Images/r02c11f04p01-ch1sk1fk1fl1.tiff")
        FileName(plate=None, well='B11', written='r02c11', site=4, channel='1', extra='plane 01,
        time 1')
        """
        for expression in self.expressions:
            match = expression.fullmatch(path)
            name = None if match is None else _file_name(match.groupdict())
            if name is not None and self.ready_made == "imagexpress":
                folders = [f"{key} {number}" for key, number in _METAXPRESS_FOLDERS.findall(path)]
                return replace(name, extra=", ".join(filter(None, [*folders, name.extra])))
            if name is not None:
                return name
        return None

    @property
    def plane_hint(self) -> str:
        """What to do where fields come in several planes or time points."""
        example = PLANE_EXAMPLES.get(self.ready_made)
        if example is None:
            return "write the plane or time point that you want into `pattern`"
        return f"write a pattern with the one that you want, such as `pattern = {example!r}`"


def _file_name(parts: dict[str, str | None]) -> FileName | None:
    row, column = parts.get("row"), parts.get("column")
    written = parts.get("well") or ""
    if row is not None and column is not None:
        letters = row_name(int(row) - 1) if row.isdigit() and 0 < int(row) <= 32 else row
        well = f"{letters}{column}"
        written = f"r{row}c{column}" if row.isdigit() else f"{row} - {column}"
    else:
        well = written
    try:
        well = normalise_well(well)
    except InvalidInputError:
        return None
    extra = ", ".join(f"{key} {parts[key]}" for key in _EXTRA if parts.get(key))
    site = int(parts.get("site") or 1)
    return FileName(parts.get("plate"), well, written, site, parts.get("channel"), extra)


def _pieces(pattern: str) -> Iterator[tuple[str, str]]:
    """Split a pattern into ("field", name), ("wild", * or ?) and ("text", literal)."""
    for piece in re.split(r"(\{[^{}]*\}|\*+|\?)", pattern):
        if piece.startswith("{") and piece.endswith("}"):
            yield "field", piece[1:-1].strip()
        elif piece and piece[0] in "*?":
            yield "wild", piece
        elif piece:
            yield "text", piece


def _expression(pattern: str, tokens: Sequence[str]) -> str:
    """Translate placeholders and wildcards into a regular expression."""
    fields = dict(_FIELDS)
    if tokens:
        fields["channel"] = "|".join(map(re.escape, sorted(tokens, key=len, reverse=True)))
    seen: set[str] = set()
    parts = []
    for kind, piece in _pieces(pattern):
        if kind == "text":
            parts.append(re.escape(piece))
        elif kind == "wild":
            parts.append({"*": "[^/]*?", "?": "[^/]"}.get(piece, ".*?"))
        elif piece in seen:
            parts.append(f"(?P={piece})")
        else:
            seen.add(piece)
            parts.append(f"(?P<{piece}>{fields[piece]})")
    return "".join(parts)


def _check_fields(pattern: str, ready_made: str) -> None:
    names = [piece for kind, piece in _pieces(pattern) if kind == "field"]
    problems = []
    for name in names:
        if name not in _FIELDS:
            close = difflib.get_close_matches(name, _FIELDS, n=1)
            known = ", ".join(f"{{{field}}}" for field in _FIELDS)
            remedy = f"did you mean {{{close[0]}}}?" if close else f"known: {known}."
            problems.append(f"`images.pattern`: {{{name}}} is no placeholder: {remedy}")
    text = "".join(piece for kind, piece in _pieces(pattern) if kind == "text")
    if "{" in text or "}" in text:
        problems.append(f"`images.pattern`: {pattern!r} has a brace that is not closed: close it.")
    if (
        not problems
        and not ready_made
        and "well" not in names
        and not {"row", "column"} <= {*names}
    ):
        close = difflib.get_close_matches(pattern.casefold(), READY_MADE, n=1, cutoff=0.5)
        remedy = f"did you mean {close[0]!r}?" if close and not names else "add {well}."
        problems.append(
            f"`images.pattern` must hold {{well}} (or {{row}} and {{column}}), or be one of "
            f"{', '.join(READY_MADE)}; got {pattern!r}: {remedy}"
        )
    if problems:
        raise InvalidInputError(problems)


def _below(folder: str, body: str) -> str:
    """Put folders with placeholders before a ready-made expression; what they say counts."""
    if not folder:
        return body
    before = _expression(folder, ())
    for field in _FIELDS:
        if f"(?P<{field}>" in before:
            body = body.replace(f"(?P<{field}>", "(?:")
    return f"{before}/{body}"


def compile_pattern(pattern: str, tokens: Sequence[str] = ()) -> NamePattern:
    """Compile a file-name pattern.

    Parameters
    ----------
    pattern : str
        Text with the placeholders {plate}, {well} (or {row} and {column}), {site}, {channel},
        {plane} and {time}, the wildcards * and ? (within a name) and ** (across folders), or a
        ready-made name ("incell", "phenix", "imagexpress", "cellvoyager"), alone or after folders
        as in "{plate}/Images/phenix". It is compared with the end of the path below the root,
        without regard to case.
    tokens : sequence of str
        How file names write the channels; they are preferred where {channel} meets a wildcard.

    Returns
    -------
    NamePattern
        The compiled pattern.

    Raises
    ------
    InvalidInputError
        If a placeholder is unknown or {well} is missing.

    Examples
    --------
    >>> names = compile_pattern("{plate}/{well}_{site}_{channel}_*.tif", ["DAPI"])
    >>> names.match("week 1/P7/c05_2_DAPI_x93.tif")
    FileName(plate='P7', well='C05', written='c05', site=2, channel='DAPI', extra='')
    """
    text = pattern.replace("\\", "/").removeprefix("./").strip("/")
    folder, _, name = text.rpartition("/")
    ready_made = name.casefold() if name.casefold() in READY_MADE else ""
    _check_fields(folder if ready_made else text, ready_made)
    if ready_made:
        bodies = [_below(folder, body) for body in READY_MADE[ready_made]]
    else:
        bodies = [_expression(text, ())]
        if tokens and "{channel}" in text.replace(" ", ""):
            bodies.insert(0, _expression(text, tokens))
    expressions = tuple(re.compile(rf"(?:.*/)?(?:{b})", re.IGNORECASE) for b in bodies)
    return NamePattern(pattern, expressions, ready_made)


def guess_ready_made(paths: Sequence[str]) -> str:
    """Return the ready-made convention that most of the paths follow; empty for none.

    Examples
    --------
    >>> guess_ready_made(["A - 01(fld 1 wv FITC - FITC).tif"])
    'incell'
    """
    fits = {
        name: sum(compile_pattern(name).match(path) is not None for path in paths)
        for name in READY_MADE
    }
    best = max(fits, key=lambda name: fits[name])
    return best if 2 * fits[best] > len(paths) else ""
