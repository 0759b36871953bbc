from __future__ import annotations

import html
import json
from collections.abc import Callable

import pandas as pd
import pytest

from counterstain.annotations import Annotation, append_annotation
from counterstain.files import write_json
from counterstain.report.build import _environment
from counterstain.report.data import RunData, read_run
from counterstain.report.figure_book import FigureBook
from counterstain.report.marks import read_marks
from counterstain.report.sections.faulty import faulty_chapter
from counterstain.report.sections.limits import limits_chapter
from counterstain.run_folder import RunFolder

MakeRun = Callable[..., RunFolder]


@pytest.fixture
def marked(make_run: MakeRun) -> RunFolder:
    """A fabricated run with crops, a marked field and a marked crop, and a mark of nothing."""
    folder = make_run()
    fields = pd.read_parquet(folder.table("fields"))
    first = fields.iloc[0]
    fields.assign(crop=range(len(fields)))[["crop", "field"]].to_parquet(folder.table("crops"))
    place = (str(first["Metadata_Plate"]), str(first["Metadata_Well"]), int(first["Metadata_Site"]))
    append_annotation(folder, Annotation("faulty_field", "mark", *place, note="<b>dust</b>"))
    append_annotation(folder, Annotation("mislabelled_crop", "mark", *place, 0))
    append_annotation(folder, Annotation("mislabelled_crop", "mark", *place, 1))
    return folder


def made_with(folder: RunFolder, **digests: str) -> RunData:
    content = json.loads(folder.run_json.read_text(encoding="utf-8"))
    content["stages"] = {name: {"state": "done", "marks": d} for name, d in digests.items()}
    write_json(folder.run_json, content)
    return read_run(folder)


def digest_of(folder: RunFolder) -> str:
    from counterstain.stages.marks import find_marks

    tables = (pd.read_parquet(folder.table(name)) for name in ("fields", "crops"))
    return find_marks(folder, *tables).digest


def test_marks_that_all_stages_know_are_counted_and_strangers_named(marked: RunFolder) -> None:
    digest = digest_of(marked)
    data = made_with(marked, crops="", train=digest, score=digest)
    left_out, stranger = read_marks(data).sentences
    assert left_out == "1 field and 1 crop were marked by hand and left out."
    assert "1 mark(s) in annotations.csv name no field or crop" in stranger
    assert "crop 1 of" in stranger
    assert left_out in limits_chapter(data).content["items"]


def test_stages_that_do_not_know_the_marks_are_named(marked: RunFolder) -> None:
    data = made_with(marked, crops="", train="", score=digest_of(marked))
    said = read_marks(data).sentences[0]
    assert said.startswith("1 field and 1 crop were marked by hand. Made with other marks")
    assert ": train. " in said


def test_undone_marks_are_said_where_numbers_still_rest_on_them(make_run: MakeRun) -> None:
    data = made_with(make_run(), train="0123456789abcdef", score="")
    assert read_marks(data).sentences[0].startswith("Marks were undone. Made with other marks")


def test_the_page_shows_notes_as_text(marked: RunFolder) -> None:
    data = made_with(marked, train=digest_of(marked))
    chapter = faulty_chapter(data, FigureBook(marked.figures))
    page = (
        _environment()
        .from_string(
            "{% import 'parts.html.j2' as parts with context %}{% include 'faulty.html.j2' %}"
        )
        .render(c=chapter.content, alone=False)
    )
    assert "<b>dust</b>" not in page
    assert html.escape("<b>dust</b>") in page
    assert "Marks set by hand" in page


def test_a_damaged_file_is_said_not_raised(marked: RunFolder) -> None:
    marked.annotations.write_text("nonsense\n", encoding="utf-8")
    found = read_marks(read_run(marked))
    assert "must begin with time,kind,action" in found.sentences[0]
    assert found.table is None
    assert str(marked.root) not in found.sentences[0]


def test_a_run_without_marks_says_nothing(make_run: MakeRun) -> None:
    found = read_marks(made_with(make_run(), train="", score=""))
    assert found.sentences == ()
    assert found.table is None
