"""What people marked while they looked: faulty fields and mislabelled crops, a row a remark.

``annotations.csv`` only grows. Undoing a mark is another row, so that who reads a run later sees
what was thought, and when.
"""

from __future__ import annotations

import csv
import io
import os
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Final

import pandas as pd

from counterstain.errors import InvalidInputError
from counterstain.run_folder import RunFolder

__all__ = [
    "ACTIONS",
    "KINDS",
    "LONGEST_NOTE",
    "Annotation",
    "append_annotation",
    "read_annotations",
    "standing_annotations",
]

KINDS: Final = ("faulty_field", "mislabelled_crop")
"""What can be marked."""

ACTIONS: Final = ("mark", "undo")
"""What a row does to its mark."""

LONGEST_NOTE: Final = 500
"""Characters of a note."""

_TARGET = ["kind", "plate", "well", "site", "crop"]


@dataclass(frozen=True, slots=True)
class Annotation:
    """One remark.

    Parameters
    ----------
    kind : {'faulty_field', 'mislabelled_crop'}
        What is marked.
    action : {'mark', 'undo'}
        Whether the mark is set or taken back.
    plate, well : str
        Where.
    site : int
        Field number, as in the file names.
    crop : int
        Number of the crop; -1 for a whole field.
    note : str
        Why, in one line of at most 500 characters.
    time : str
        UTC, ISO 8601; now where left out.

    Raises
    ------
    InvalidInputError
        If kind, action, crop or note are not of these.

    Examples
    --------
    >>> Annotation("faulty_field", "mark", "P1", "B03", 2, note="dust").crop
    -1
    """

    kind: str
    action: str
    plate: str
    well: str
    site: int
    crop: int = -1
    note: str = ""
    time: str = ""

    def __post_init__(self) -> None:
        for name, value, known in (("kind", self.kind, KINDS), ("action", self.action, ACTIONS)):
            if value not in known:
                raise InvalidInputError(
                    f"`{name}` must be one of {list(known)}; got {value!r}: choose one of them."
                )
        if (self.crop < 0) != (self.kind == "faulty_field"):
            raise InvalidInputError(
                f"`crop` must be -1 for a field and a crop's number for a crop; got {self.crop} "
                f"for {self.kind}: give the number that the explorer shows."
            )
        line = " ".join(self.note.split())
        if len(line) > LONGEST_NOTE:
            raise InvalidInputError(
                f"`note` must have at most {LONGEST_NOTE} characters; got {len(line)}: shorten it."
            )
        object.__setattr__(self, "note", line)
        if not self.time:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            object.__setattr__(self, "time", now)


COLUMNS: Final = ("time", *(f.name for f in fields(Annotation) if f.name != "time"))


def _line(values: tuple[object, ...]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()


def append_annotation(folder: RunFolder, annotation: Annotation) -> None:
    """Add a row to ``annotations.csv``, in one write that is on disk when this returns.

    Parameters
    ----------
    folder : RunFolder
        The run.
    annotation : Annotation
        The remark.

    Raises
    ------
    InvalidInputError
        If the run cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = RunFolder(Path(tempfile.mkdtemp()))
    >>> append_annotation(folder, Annotation("faulty_field", "mark", "P1", "B03", 2))
    >>> read_annotations(folder)["well"].tolist()
    ['B03']
    """
    row = asdict(annotation)
    text = _line(tuple(row[name] for name in COLUMNS))
    try:
        stream = os.open(folder.annotations, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            text = _before(stream) + text
            os.write(stream, text.encode("utf-8"))
            os.fsync(stream)
        finally:
            os.close(stream)
    except OSError as error:
        raise InvalidInputError(
            f"{folder.annotations} must be writable to keep a mark; {error.strerror}: the mark was "
            "not kept. Copy the run to a disk that can be written to, and serve the copy."
        ) from error


def _before(stream: int) -> str:
    """Return what must stand before the next row: a header, or the end of a line cut short."""
    size = os.fstat(stream).st_size
    if size == 0:
        return _line(COLUMNS)
    os.lseek(stream, size - 1, os.SEEK_SET)
    return "" if os.read(stream, 1) == b"\n" else "\n"


def read_annotations(folder: RunFolder) -> pd.DataFrame:
    """Read all rows of ``annotations.csv``; none where there is no such file.

    Parameters
    ----------
    folder : RunFolder
        The run.

    Returns
    -------
    DataFrame
        `time` (UTC, text), `kind`, `action`, `plate`, `well`, `site`, `crop`, `note`, oldest first.

    Raises
    ------
    InvalidInputError
        If the file is no such table; every row that cannot be read is named by its line.

    Examples
    --------
    >>> from pathlib import Path
    >>> len(read_annotations(RunFolder(Path("nowhere"))))
    0
    """
    path = folder.annotations
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return pd.DataFrame(columns=list(COLUMNS)).astype({"site": "int64", "crop": "int64"})
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} must be text that can be read; {error}.") from error
    lines = list(csv.reader(io.StringIO(text)))
    if not lines or tuple(lines[0]) != COLUMNS:
        got = ",".join(lines[0]) if lines else "an empty file"
        raise InvalidInputError(
            f"{path} must begin with {','.join(COLUMNS)}; got {got}: restore that line."
        )
    rows, problems = [], []
    for number, line in enumerate(lines[1:], start=2):
        try:
            rows.append(asdict(_parsed(line)))
        except ValueError as error:
            problems.append(f"{path}, line {number}: {error} Correct or remove the line.")
    if problems:
        raise InvalidInputError(problems)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"site": "int64", "crop": "int64"})


def _parsed(line: list[str]) -> Annotation:
    if len(line) != len(COLUMNS):
        raise ValueError(f"{len(COLUMNS)} values are expected; got {len(line)}.")
    row = dict(zip(COLUMNS, line, strict=True))
    datetime.fromisoformat(row["time"])
    return Annotation(
        row["kind"],
        row["action"],
        row["plate"],
        row["well"],
        int(row["site"]),
        int(row["crop"]),
        row["note"],
        row["time"],
    )


def standing_annotations(table: pd.DataFrame) -> pd.DataFrame:
    """Return the marks that stand: of each field or crop the last row, where that is no undo.

    Parameters
    ----------
    table : DataFrame
        As `read_annotations` returns it.

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "kind": "faulty_field", "action": ["mark", "mark", "undo"], "plate": "P",
    ...     "well": ["A01", "A02", "A01"], "site": 1, "crop": -1,
    ... })
    >>> standing_annotations(rows)["well"].tolist()
    ['A02']
    """
    last = table.drop_duplicates(_TARGET, keep="last")
    return last[last["action"] == "mark"].reset_index(drop=True)
