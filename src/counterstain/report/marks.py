"""What people marked by hand, and which numbers of a run know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from counterstain.annotations import read_annotations, standing_annotations
from counterstain.errors import InvalidInputError
from counterstain.report.chapter import Table
from counterstain.report.data import RunData
from counterstain.stages.marks import Marks, look_up_marks

__all__ = ["HandMarks", "read_marks"]

_MOST_ROWS = 200


@dataclass(frozen=True)
class HandMarks:
    """The marks of a run.

    Parameters
    ----------
    standing : DataFrame
        Marks that stand, as `standing_annotations` gives them.
    sentences : tuple of str
        What was left out, what the numbers do not know of yet, what names nothing.
    """

    standing: pd.DataFrame
    sentences: tuple[str, ...]

    @property
    def table(self) -> Table | None:
        """Return the marks with their notes; None where there is none."""
        rows = [
            (
                str(row["plate"]),
                str(row["well"]),
                str(row["site"]),
                "field" if row["kind"] == "faulty_field" else f"crop {row['crop']}",
                str(row["note"]),
                str(row["time"])[:10],
            )
            for row in self.standing.head(_MOST_ROWS).to_dict("records")
        ]
        header = ("plate", "well", "site", "what", "note", "day (UTC)")
        return Table("Marks set by hand", header, rows) if rows else None


def read_marks(data: RunData) -> HandMarks:
    """Read the marks of a run, and compare them with those its stages were made with.

    Parameters
    ----------
    data : RunData
        The run; a damaged ``annotations.csv`` becomes a sentence.
    """
    none = pd.DataFrame(columns=["plate", "well", "site", "crop", "kind", "note", "time"])
    try:
        standing = standing_annotations(read_annotations(data.folder))
        marks = _look_up(data, standing)
    except InvalidInputError as error:
        return HandMarks(none, (data.without_paths(error.problems[0]),))
    if marks is None:
        return HandMarks(standing, ())
    return HandMarks(standing, tuple(s for s in (*_known(data, marks), marks.complaint) if s))


def _look_up(data: RunData, standing: pd.DataFrame) -> Marks | None:
    """Find the marks in the tables; None where these are not there."""
    fields = data.table("fields")
    if fields is None:
        return None
    crops = pd.DataFrame({"crop": [], "field": []}, dtype="int64")
    if len(standing):
        try:
            crops = pd.read_parquet(data.folder.table("crops"), columns=["crop", "field"])
        except (OSError, ValueError):
            return None
    return look_up_marks(standing, fields, crops)


def _known(data: RunData, marks: Marks) -> list[str]:
    """Say which stages were made with the marks as they stand, and which were not."""
    stages: dict[str, Any] = data.run.get("stages") or {}
    made = {name: str((stage or {}).get("marks", "")) for name, stage in stages.items()}
    # The report itself is being written; crops do not depend on marks.
    other = [
        name for name, digest in made.items()
        if name not in ("crops", "report") and not name.startswith("overlap")
        and digest != marks.digest
    ]  # fmt: skip
    if not other:
        return [marks.sentence]
    what = marks.sentence.replace(" and left out.", ".") if marks.digest else "Marks were undone."
    return [
        f"{what} Made with other marks than stand now: {', '.join(other)}. `counterstain run "
        "--resume` makes them again."
    ]
