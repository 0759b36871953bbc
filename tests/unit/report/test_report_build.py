from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from counterstain.errors import MissingFileError
from counterstain.report import build_report
from counterstain.run_folder import RunFolder

MakeRun = Callable[..., RunFolder]
PARTS = ("fields", "wells", "scores", "effects", "counterfactuals", "pictures", "crops", "metrics")


class Page(HTMLParser):
    """What a test asks of a page: its text, headings, images and everything it refers to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.headings: list[int] = []
        self.alts: list[str] = []
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "img":
            self.alts.append(given.get("alt") or "")
        self.sources += [str(given[k]) for k in ("src", "href") if given.get(k)]
        self.ids += [str(given["id"])] if "id" in given else []

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))


def _page(folder: RunFolder) -> Page:
    return Page(build_report(folder).read_text(encoding="utf-8"))


def test_whole_report(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run()
    page = _page(folder)
    assert "are clearly separable: Z′ 0.71 [0.65, 0.77]" in page.words
    finding = page.words.index("What differs")
    assert page.words.index("mitochondria: mean intensity in the cell +38") > finding
    assert folder.report.stat().st_size < 8e6
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    assert all(len(alt) > 20 for alt in page.alts)
    assert len(set(page.ids)) == len(page.ids)
    assert "script" not in page.tags
    assert str(tmp_path) not in folder.report.read_text()
    _check_sources(folder, page)


def _check_sources(folder: RunFolder, page: Page) -> None:
    for source in page.sources:
        if source.startswith("#"):
            assert source[1:] in page.ids
        elif source.startswith("../figures/"):
            assert (folder.report.parent / source).is_file()
        else:
            assert source.startswith("data:")


def test_nothing_to_explain_shows_no_finding(make_run: MakeRun) -> None:
    folder = make_run(null=True, cells=4)
    page = _page(folder)
    assert page.words.count("There is nothing to explain: the interval of the accuracy") >= 2
    assert "+38" not in page.words
    assert "hold up" not in page.words
    assert not list(folder.figures.glob("counterfactuals*"))
    assert not list(folder.figures.glob("effects*"))


def test_three_classes_without_pixel_size(make_run: MakeRun) -> None:
    folder = make_run(
        classes=("diseased", "healthy", "toxic"),
        pixel_size_um=None,
        cells=4,
        doses=False,
        absent=("effects", "fields", "scores"),
    )
    page = _page(folder)
    assert "diseased, healthy and toxic are told apart" in page.words
    assert "Z' compares two classes" in page.words
    assert "The pixel size is unknown" in page.words
    assert (folder.figures / "counterfactuals_2_to_0.png").is_file()


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_said_in_words(make_run: MakeRun, part: str) -> None:
    others = {"pictures", "effects", "fields", "scores"} - {part}
    page = _page(make_run(cells=3, doses=False, absent=(part, *others)))
    assert "is not there" in page.words
    assert "no compound at two doses" in page.words or part == "wells"


def test_damaged_parts_are_said_in_words(make_run: MakeRun) -> None:
    folder = make_run(cells=3, doses=False, absent=("scores",))
    for path in (folder.metrics, folder.counterfactuals, *folder.table("wells").parent.iterdir()):
        path.write_bytes(path.read_bytes()[:40])
    page = _page(folder)
    for name in ("metrics.json", "counterfactuals.npz", "wells.parquet", "effects.parquet"):
        assert re.search(rf"{name} is damaged", page.words), name


def test_names_are_escaped(make_run: MakeRun) -> None:
    bad = "<script>alert('x')</script>"
    folder = make_run(
        classes=(f"a{bad}", "b & $x$"), compounds=(bad,), cells=3, channels=("<b>DNA", "$GFP$")
    )
    fields = pd.read_parquet(folder.table("fields"))
    fields.loc[fields["faulty"], "reason"] = bad
    fields.to_parquet(folder.table("fields"))
    html = build_report(folder).read_text(encoding="utf-8")
    page = Page(html)
    assert "script" not in page.tags
    assert "b" in page.tags  # our own emphasis
    assert bad in page.words
    assert "<b>DNA" not in html


def test_paths_of_the_machine_are_not_shown(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run(cells=3, absent=("effects", "pictures", "scores"))
    html = build_report(folder).read_text(encoding="utf-8")
    assert "P1_A03_s1_DNA.tif is truncated" in html
    assert str(tmp_path) not in html


def test_effects_that_no_well_confirms_are_no_finding(make_run: MakeRun) -> None:
    folder = make_run(cells=3, absent=("pictures", "fields"))
    effects = pd.read_parquet(folder.table("effects"))
    effects = effects.assign(verdict="not confirmed by real wells", sentence=None)
    effects.to_parquet(folder.table("effects"))
    assert "the real wells confirm none of the measured changes" in _page(folder).words


def test_weak_counterfactuals_are_called_weak(make_run: MakeRun) -> None:
    folder = make_run(cells=3, absent=("pictures", "fields", "scores", "wells", "effects"))
    metrics = json.loads(folder.metrics.read_text())
    metrics["oracle"]["flip"]["1->0"]["value"] = 0.3
    folder.metrics.write_text(json.dumps(metrics))
    assert "hold up, but not in every direction" in _page(folder).words
    metrics["oracle"]["flip"]["0->1"]["value"] = 0.3
    folder.metrics.write_text(json.dumps(metrics))
    assert "do not hold up" in _page(folder).words


def test_wells_may_hold_empty_cells(make_run: MakeRun) -> None:
    folder = make_run(cells=3, doses=False, absent=("pictures", "fields", "scores", "effects"))
    wells = pd.read_parquet(folder.table("wells"))
    wells["class_name"] = wells["class_name"].replace("", None)
    wells["n_crops"] = wells["n_crops"].replace(0, np.nan)
    wells["n_faulty"] = wells["n_faulty"].replace(0, np.nan)
    wells.to_parquet(folder.table("wells"))
    assert "D02, F02" in _page(folder).words


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="must be a run folder"):
        build_report(RunFolder(tmp_path))


def test_the_same_run_gives_the_same_page(make_run: MakeRun) -> None:
    folder = make_run(cells=3, doses=False, absent=("pictures", "fields", "effects"))
    first = build_report(folder).read_bytes()
    assert build_report(folder).read_bytes() == first


def test_no_counterfactuals_says_why(make_run: MakeRun) -> None:
    folder = make_run(cells=3, absent=("pictures", "fields", "effects", "scores", "wells"))
    metrics = json.loads(folder.metrics.read_text())
    reason = "resnext50 cannot be run backwards, so there are no counterfactuals."
    metrics |= {"oracle": None, "inverse": None, "no_counterfactuals": reason}
    folder.metrics.write_text(json.dumps(metrics))
    assert _page(folder).words.count(reason) == 2


def test_effects_of_two_pairs_have_a_figure_each(make_run: MakeRun) -> None:
    folder = make_run(
        classes=("diseased", "healthy", "toxic"),
        cells=3,
        absent=("pictures", "fields", "scores", "wells"),
    )
    effects = pd.read_parquet(folder.table("effects"))
    pairs = [effects.assign(source_class="diseased", target_class=c) for c in ("healthy", "toxic")]
    pd.concat(pairs, ignore_index=True).to_parquet(folder.table("effects"))
    build_report(folder)
    assert {p.stem for p in folder.figures.glob("effects*.svg")} == {"effects_1", "effects_2"}


def test_unusable_crops_are_not_counted(make_run: MakeRun) -> None:
    folder = make_run(cells=3, doses=False, absent=("pictures", "fields", "effects", "metrics"))
    scores = pd.read_parquet(folder.table("scores"))
    scores["usable"] = scores["class_name"] != "healthy"
    scores.to_parquet(folder.table("scores"))
    build_report(folder)
    assert "16 wells, 0 cells" in (folder.figures / "scores.svg").read_text()
