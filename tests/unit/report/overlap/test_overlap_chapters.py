from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from counterstain.report import build_report
from counterstain.report.data import read_run
from counterstain.report.overlap_explorer import write_explorer
from counterstain.run_folder import RunFolder

Fill = Callable[..., RunFolder]
GROUPS = ("unstimulated", "OVA", "ConA")


@pytest.fixture(scope="module")
def overlap_run(
    fill_overlap: Fill, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunFolder, str]:
    """Return a run that only measured overlap and learnt from it, and its page."""
    folder = fill_overlap(RunFolder(tmp_path_factory.mktemp("overlap") / "RUN"), learnt=True)
    return folder, build_report(folder).read_text(encoding="utf-8")


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))

    @property
    def chapters(self) -> list[str]:
        return [
            str(a["id"]) for tag, a in self.tags if tag == "section" and a.get("class") == "chapter"
        ]


def test_a_run_of_overlap_alone_answers_its_own_question(
    overlap_run: tuple[RunFolder, str],
) -> None:
    page = _Page(overlap_run[1])
    assert page.chapters == ["overlap", "overlap_learned", "run", "limits", "methods"]
    first = page.words[: page.words.index("Brackets are 95 % intervals")]
    assert "The overlap follows the stimulation: the IoU of the masks is higher by 0.100" in first
    assert "0.300 [0.290, 0.310] in ConA" in first
    assert "is not there" not in page.words
    assert "Plate CK01" in first
    assert "no readout of another software was given" in page.words
    assert "Otsu’s threshold" in page.words


def test_the_page_holds_every_picture_with_words_in_its_place(
    overlap_run: tuple[RunFolder, str],
) -> None:
    folder, html = overlap_run
    page = _Page(html)
    sources = [a for tag, a in page.tags if tag == "img"]
    assert all(str(a["src"]).startswith("data:") and len(a["alt"] or "") > 15 for a in sources)
    figures = {p.stem for p in folder.figures.glob("*.svg")}
    assert figures == {
        "overlap_examples", "overlap_groups", "overlap_crowding", "overlap_patches",
        "overlap_calls", "overlap_plate_1", "overlap_treatments", "overlap_faulty",
        "overlap_regression", "overlap_classifier", "overlap_confusion_plain",
        "overlap_confusion_masked", "overlap_latents_plain", "overlap_latents_masked",
        "overlap_reconstructions_plain", "overlap_reconstructions_masked",
    }  # fmt: skip
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    links = [str(a["href"]) for tag, a in page.tags if tag == "a"]
    assert all(link[1:] in ids for link in links if link.startswith("#"))
    assert str(folder.root) not in html


def test_networks_are_told_of_by_held_out_wells(overlap_run: tuple[RunFolder, str]) -> None:
    words = _Page(overlap_run[1]).words
    assert "92.0 % [90.0, 94.0] of the patches of held-out wells right, 95.0 %" in words
    assert "a gap of 3.0 points" in words
    first = words[: words.index("Brackets are 95 % intervals")]
    assert "error of predicted IoU 0.020 0.100 for a constant" in first
    assert "RMSE of 0.020 (R² 0.96, Spearman 0.97; 0.100 for a constant)" in words
    assert "4.0 % of the range apart" in words


def test_every_kept_patch_has_a_tile(overlap_run: tuple[RunFolder, str]) -> None:
    folder, _ = overlap_run
    index = pd.read_parquet(folder.root / "explorer" / "patches.parquet")
    assert index["patch"].tolist() == list(range(180))
    assert set(index["sheet"]) == {"patches_000.webp"}
    assert (folder.root / "explorer" / "patches_000.webp").stat().st_size > 1000
    assert {"row", "column", "group", "compound", "well", "state", "overlap", "umap1_plain",
            "pc2_masked", "iou_predicted_plain"} <= set(index.columns)  # fmt: skip
    assert index["group"].unique().tolist() == list(GROUPS)


def test_without_learning_there_is_no_chapter_of_networks(
    fill_overlap: Fill, tmp_path: Path
) -> None:
    folder = fill_overlap(RunFolder(tmp_path / "RUN"), pixels=False)
    page = _Page(build_report(folder).read_text(encoding="utf-8"))
    assert page.chapters == ["overlap", "run", "limits", "methods"]
    assert not (folder.figures / "overlap_examples.png").exists()
    assert (folder.figures / "overlap_groups.png").is_file()


def test_a_run_with_both_shows_both(make_run: Fill, fill_overlap: Fill) -> None:
    folder = fill_overlap(
        make_run(cells=3, doses=False, absent=("pictures", "scores")), pixels=False
    )
    page = _Page(build_report(folder).read_text(encoding="utf-8"))
    assert "overlap" in page.chapters
    assert "classes" in page.chapters
    assert "Do the cells touch" in page.words
    assert "are clearly separable" in page.words


def test_a_run_without_overlap_shows_none(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run(cells=3, doses=False, absent=("pictures", "scores", "effects"))
    page = _Page(build_report(folder).read_text(encoding="utf-8"))
    assert "overlap" not in page.chapters
    assert "Do the cells touch" not in page.words
    assert not (folder.root / "explorer").exists()


def test_a_damaged_table_of_wells_is_said_in_words(fill_overlap: Fill, tmp_path: Path) -> None:
    folder = fill_overlap(RunFolder(tmp_path / "RUN"), pixels=False)
    folder.table("overlap_wells").write_bytes(b"PAR1")
    page = _Page(build_report(folder).read_text(encoding="utf-8"))
    assert "overlap_wells.parquet is damaged" in page.words


def test_tiles_are_there_before_anything_is_learnt(fill_overlap: Fill, tmp_path: Path) -> None:
    data = read_run(fill_overlap(RunFolder(tmp_path / "RUN")))
    path = write_explorer(data)
    assert path is not None
    index = pd.read_parquet(path)
    assert len(index) == 180
    assert not [column for column in index if str(column).startswith("umap")]
    assert set(index["state"]) == {"contact", "no contact", "empty", "faulty field"}


def test_without_pixels_there_are_no_tiles(fill_overlap: Fill, tmp_path: Path) -> None:
    data = read_run(fill_overlap(RunFolder(tmp_path / "RUN"), pixels=False))
    assert write_explorer(data) is None
    assert not (tmp_path / "RUN" / "explorer").exists()
