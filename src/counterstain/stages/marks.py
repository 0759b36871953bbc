"""Marks set by hand, honoured: what people called faulty or mislabelled is left out.

The tables of fields and crops say who is left out, so that every stage from training on obeys
without knowing of marks. What quality and folds say on their own can be told from these tables, so
a mark that is taken back leaves no trace. Pixels, and what becomes 0 and 1 in them, stay as they
were cut.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from counterstain.annotations import read_annotations, standing_annotations
from counterstain.errors import InvalidInputError
from counterstain.files import atomic_path
from counterstain.plates.screen import Screen
from counterstain.plates.well_folds import fold_wells, wells_among
from counterstain.run_folder import RunFolder
from counterstain.stages.record import RunRecord

__all__ = [
    "BY_HAND",
    "Marks",
    "find_field_marks",
    "find_marks",
    "honour_marks",
    "look_up_marks",
    "mark_tables",
]

BY_HAND = "marked by hand"
"""The reason of a field that a person called faulty."""

_MOST_NAMED = 5
_KEY = ["Metadata_Plate", "Metadata_Well"]


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands marked and is there.

    Parameters
    ----------
    fields, crops : tuple of int
        Numbers of the marked fields and crops, ascending.
    unknown : tuple of str
        Marks that name no field or crop of this run, in words.

    Examples
    --------
    >>> Marks((2,), (5, 9)).sentence
    '1 field and 2 crops were marked by hand and left out.'
    >>> Marks((), ()).digest, Marks((), ()).sentence
    ('', '')
    """

    fields: tuple[int, ...]
    crops: tuple[int, ...]
    unknown: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """What a stage remembers of the marks it was made with; empty for none."""
        if not (self.fields or self.crops):
            return ""
        text = json.dumps([self.fields, self.crops])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def sentence(self) -> str:
        """What is left out; empty for nothing."""
        if not (self.fields or self.crops):
            return ""
        n_fields, n_crops = len(self.fields), len(self.crops)
        verb = "was" if n_fields + n_crops == 1 else "were"
        return (
            f"{n_fields} field{'' if n_fields == 1 else 's'} and {n_crops} "
            f"crop{'' if n_crops == 1 else 's'} {verb} marked by hand and left out."
        )

    @property
    def complaint(self) -> str:
        """Which marks name nothing of this run; empty where all do."""
        if not self.unknown:
            return ""
        named, rest = "; ".join(self.unknown[:_MOST_NAMED]), len(self.unknown) - _MOST_NAMED
        return (
            f"{len(self.unknown)} mark(s) in annotations.csv name no field or crop of this run and "
            f"are ignored: {named}{f'; and {rest} more' if rest > 0 else ''}."
        )

    def to_json(self) -> dict[str, Any]:
        """Return what ``run.json`` keeps."""
        return {
            "digest": self.digest,
            "n_fields": len(self.fields),
            "n_crops": len(self.crops),
            "n_ignored": len(self.unknown),
        }


def find_marks(folder: RunFolder, fields: pd.DataFrame, crops: pd.DataFrame) -> Marks:
    """Look up the standing marks of a run in its tables.

    Parameters
    ----------
    folder : RunFolder
        The run; without ``annotations.csv`` there is no mark.
    fields, crops : DataFrame
        ``tables/fields.parquet`` (``field``, plate, well and site) and ``tables/crops.parquet``
        (``crop`` and ``field``).

    Returns
    -------
    Marks
        A crop counts only where its number lies in the plate, well and site that the mark names.

    Raises
    ------
    InvalidInputError
        If ``annotations.csv`` is damaged.
    """
    return look_up_marks(standing_annotations(read_annotations(folder)), fields, crops)


def find_field_marks(folder: RunFolder, fields: pd.DataFrame) -> Marks:
    """Look up the standing marks of fields alone, where no crops are cut; see :func:`find_marks`.

    Parameters
    ----------
    folder : RunFolder
        The run.
    fields : DataFrame
        ``field``, plate, well and site.
    """
    standing = standing_annotations(read_annotations(folder))
    no_crops = pd.DataFrame({"crop": [], "field": []}, dtype=np.int64)
    return look_up_marks(standing[standing["kind"] == "faulty_field"], fields, no_crops)


def look_up_marks(standing: pd.DataFrame, fields: pd.DataFrame, crops: pd.DataFrame) -> Marks:
    """Look up marks that were read; see :func:`find_marks`.

    Parameters
    ----------
    standing : DataFrame
        As :func:`counterstain.annotations.standing_annotations` gives them.
    fields, crops : DataFrame
        As for :func:`find_marks`.
    """
    places = fields[[*_KEY, "Metadata_Site", "field"]].itertuples(index=False, name=None)
    number = {(str(p), str(w), int(s)): int(field) for p, w, s, field in places}
    home = crops.set_index("crop")["field"]
    found: tuple[set[int], set[int]] = (set(), set())
    unknown = []
    for row in standing.to_dict("records"):
        place = (str(row["plate"]), str(row["well"]), int(row["site"]))
        field, crop = number.get(place), int(row["crop"])
        where = f"{place[0]} {place[1]} site {place[2]}"
        if row["kind"] == "faulty_field":
            known, target, name, kept = field is not None, field, f"field {where}", found[0]
        else:
            known = field is not None and home.get(crop) == field
            target, name, kept = crop, f"crop {crop} of {where}", found[1]
        if known and target is not None:
            kept.add(target)
        else:
            unknown.append(name)
    return Marks(tuple(sorted(found[0])), tuple(sorted(found[1])), tuple(unknown))


def mark_tables(
    fields: pd.DataFrame, crops: pd.DataFrame, marks: Marks
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both tables with these marks, and no earlier ones, in force.

    Parameters
    ----------
    fields, crops : DataFrame
        ``tables/fields.parquet`` and ``tables/crops.parquet``.
    marks : Marks
        What stands.

    Returns
    -------
    fields : DataFrame
        ``faulty`` and ``reason`` as quality found them, and `BY_HAND` where marked.
    crops : DataFrame
        ``mislabelled``, and ``usable`` false for these and for all crops of faulty fields.

    Examples
    --------
    >>> fields = pd.DataFrame({"field": [0, 1], "faulty": False, "reason": ["", ""]})
    >>> crops = pd.DataFrame({"crop": [0, 1, 2], "field": [0, 0, 1], "usable": True})
    >>> fields, crops = mark_tables(fields, crops, Marks((1,), (0,)))
    >>> fields["reason"].tolist(), crops["usable"].tolist()
    (['', 'marked by hand'], [False, True, False])
    >>> mark_tables(fields, crops, Marks((), ()))[1]["usable"].tolist()
    [True, True, True]
    """
    marked = fields["field"].isin(marks.fields)
    reasons = [
        _reason(str(text), by_hand) for text, by_hand in zip(fields["reason"], marked, strict=True)
    ]
    text = pd.Series(reasons, index=fields.index, dtype=object)
    fields = fields.assign(faulty=text != "", reason=text)
    faulty = fields.set_index("field")["faulty"].reindex(crops["field"]).to_numpy(bool)
    mislabelled = crops["crop"].isin(marks.crops).to_numpy(bool)
    return fields, crops.assign(usable=~faulty & ~mislabelled, mislabelled=mislabelled)


def _reason(text: str, by_hand: bool) -> str:
    parts = [part for part in text.split("; ") if part and part != BY_HAND]
    return "; ".join([*parts, BY_HAND] if by_hand else parts)


def honour_marks(screen: Screen, folder: RunFolder, record: RunRecord, *, train: bool) -> Marks:
    """Bring the tables of a run to the marks that stand now.

    Parameters
    ----------
    screen : Screen
        What was imaged.
    folder, record
        The run, with its crops cut. ``marks`` in ``run.json`` says what the tables hold.
    train : bool
        Networks will be trained where the old ones knew other marks: wells are dealt into folds
        anew, as if fields had been faulty from the start, and old networks are removed. Else folds
        stay, and with them which network may judge which well.

    Returns
    -------
    Marks
        What stands.

    Raises
    ------
    InvalidInputError
        If ``annotations.csv`` is damaged, or the marks leave a class nothing to train on; then
        nothing was changed.
    """
    fields, crops = (pd.read_parquet(folder.table(name)) for name in ("fields", "crops"))
    marks = find_marks(folder, fields, crops)
    marked_fields, marked_crops = mark_tables(fields, crops, marks)
    outdated = train and record.made_with("train") != marks.digest
    if outdated:
        marked_crops = _folded(screen, marked_fields, marked_crops, marks)
    changed = not (
        _same(fields, marked_fields, "reason")
        and _same(crops, marked_crops, "usable", "mislabelled", "fold")
    )
    if outdated and (changed or record.is_done("train")):
        # Before the tables: a network of other crops must never be taken for one of these.
        for path in folder.models.glob("fold_*"):
            path.unlink()
    if changed:
        _write(folder, marked_fields, marked_crops)
    record.content["marks"] = marks.to_json()
    record.save()
    return marks


def _same(before: pd.DataFrame, after: pd.DataFrame, *names: str) -> bool:
    """Whether columns hold the same; one that an older run lacks counts as false throughout."""
    return all(
        np.array_equal(before[name] if name in before else np.zeros(len(before)), after[name])
        for name in names
    )


def _folded(
    screen: Screen, fields: pd.DataFrame, crops: pd.DataFrame, marks: Marks
) -> pd.DataFrame:
    try:
        folds, _ = fold_wells(screen, wells_among(screen, crops[crops["usable"]]), fields)
    except InvalidInputError as error:
        if not marks.digest:
            raise
        hint = f"{marks.sentence} Take marks back in the explorer, or add wells."
        raise InvalidInputError([*error.problems, hint]) from error
    fold = crops[_KEY].merge(folds, on=_KEY, how="left")["fold"]
    return crops.assign(fold=fold.to_numpy(np.int64))


def _write(folder: RunFolder, fields: pd.DataFrame, crops: pd.DataFrame) -> None:
    with (
        atomic_path(folder.table("fields")) as fields_path,
        atomic_path(folder.table("crops")) as crops_path,
    ):
        fields.to_parquet(fields_path, index=False)
        crops.to_parquet(crops_path, index=False)
