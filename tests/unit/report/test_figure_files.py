from __future__ import annotations

import errno
import io
import re
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from counterstain.cli.app import call
from counterstain.errors import InvalidInputError
from counterstain.figures.print_size import print_figure
from counterstain.report.print_figures import write_print_figures
from counterstain.run_folder import RunFolder

LETTERS = re.compile(rb"font(?:-size)?:[^;\"']*?([\d.]+)px")


def test_every_figure_is_there_in_all_formats_with_its_table(small_report: RunFolder) -> None:
    files = {path.name for path in small_report.figures.iterdir()}
    names = {Path(name).stem for name in files}
    assert {"plate_1", "scores", "effects", "counterfactuals_0_to_1", "confusion"} <= names
    assert files == {f"{name}.{kind}" for name in names for kind in ("png", "svg", "pdf", "csv")}


def test_letters_stay_letters(small_report: RunFolder) -> None:
    assert ">healthy</text>" in (small_report.figures / "confusion.svg").read_text()
    pdf = (small_report.figures / "confusion.pdf").read_bytes()
    assert b"/FontFile2" in pdf  # a TrueType font is embedded
    assert b"/Type3" not in pdf


def test_tables_hold_what_is_drawn(small_report: RunFolder) -> None:
    def drawn(name: str) -> pd.DataFrame:
        return pd.read_csv(small_report.figures / f"{name}.csv")

    scores = pd.read_parquet(small_report.table("scores"))
    in_a_class = scores[scores["class_name"].fillna("") != ""]
    assert drawn("scores")["logit"].to_numpy() == pytest.approx(in_a_class["logit"].to_numpy())
    wells = pd.read_parquet(small_report.table("wells"))
    assert set(drawn("plate_1")["Metadata_Well"]) == set(wells["Metadata_Well"])
    counts = drawn("confusion")
    assert counts.groupby("true_class")["share_of_true_class"].sum().tolist() == pytest.approx(
        [1.0, 1.0]
    )
    strips = drawn("counterfactuals_0_to_1")
    assert set(strips["source_class"]) == {"diseased"}
    assert set(strips["target_class"]) == {"healthy"}


def test_links_name_their_figure_and_are_not_printed(small_report: RunFolder) -> None:
    html = small_report.report.read_text(encoding="utf-8")
    assert '<a href="../figures/confusion.pdf" aria-label="PDF of figure' in html
    for_print = html.partition("@media print")[2].partition("</style>")[0]
    (hidden,) = [line for line in for_print.splitlines() if "display: none" in line]
    assert ".files" in hidden


def test_one_file_for_mail_links_to_nothing_beside_it(small_report: RunFolder) -> None:
    html = small_report.report_file.read_text(encoding="utf-8")
    places = re.findall(r'(?:src|href)="([^"]{0,80})', html)
    assert {place.partition(":")[0] if not place.startswith("#") else "#" for place in places} == {
        "data", "#"
    }  # fmt: skip
    assert html.count("<img") == small_report.report.read_text(encoding="utf-8").count("<img")
    assert 'download="confusion.csv"' in html


@pytest.mark.parametrize(("width", "mm"), [("single", 87.0), ("double", 178.0)])
def test_printed_figures_have_the_width_of_a_column(width: str, mm: float) -> None:
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    figure.subplots().set_xlabel("score", fontsize=6)
    printed = print_figure(figure, "wide", width, ("png", "svg", "pdf"))
    assert printed.width_mm == pytest.approx(mm)
    pixels = matplotlib.image.imread(io.BytesIO(printed.content["png"])).shape
    assert pixels[1] == pytest.approx(mm / 25.4 * 300, abs=1)
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)", printed.content["pdf"])
    assert box
    assert float(box[1]) == pytest.approx(mm / 25.4 * 72, rel=1e-3)
    size = re.search(rb'<svg [^>]*width="([\d.]+)pt"', printed.content["svg"])
    assert size
    assert float(size[1]) == pytest.approx(mm / 25.4 * 72, rel=1e-3)
    # There is room: no letter is printed smaller than 5 points.
    assert printed.letters_pt >= 4.99
    letters = [float(found) for found in LETTERS.findall(printed.content["svg"])]
    assert letters
    assert min(letters) * mm / 25.4 / 7.2 >= 4.99


def test_letters_that_would_collide_stay_small_and_are_said_to_be() -> None:
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    for place in range(12):
        axes.text(place / 12, 0.5, "00000000", fontsize=6)
    assert print_figure(figure, "dense", "single").letters_pt == pytest.approx(6 * 87 / 182.88)


def test_a_narrow_figure_is_not_blown_up() -> None:
    assert print_figure(Figure(figsize=(3, 2)), "n", "double").width_mm == pytest.approx(76.2)


def test_chosen_figures_only(small_report: RunFolder, tmp_path: Path) -> None:
    before = sorted(small_report.figures.iterdir())
    to = tmp_path / "print"
    written = write_print_figures(
        small_report, ["counterfactuals", "confusion"], formats=["svg"], width="single",
        palette="cmy", to=to,
    )  # fmt: skip
    assert [path.name for path in written] == [
        "confusion_single_cmy.svg",
        "counterfactuals_0_to_1_single_cmy.svg",
        "counterfactuals_1_to_0_single_cmy.svg",
    ]
    assert sorted(to.iterdir()) == sorted(written)
    assert all(0 < letters <= 20 for letters in written.values())
    assert sorted(small_report.figures.iterdir()) == before


def test_an_unknown_figure_is_answered_by_the_names_of_this_run(
    small_report: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "print"
    arguments = ["report", str(small_report.root), "--figures", "confusion,umap", "--to", str(to)]
    assert call(arguments) == 2
    said = capsys.readouterr().err
    assert "umap is not among them: choose from plate_1, scores, confusion," in said
    assert said.count("\n") == 1
    assert not to.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--figures", "effects", "--format", "eps"], "`--format` must be some of pdf, svg, png"),
        (["--figures", ","], "`--figures` must name a figure"),
        (["--figures", "effects", "--single-file"], "must not be given together"),
        (["--to", "elsewhere"], "got no `--figures`"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    small_report: RunFolder, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["report", str(small_report.root), *arguments]) == 2
    assert words in capsys.readouterr().err


def test_an_unknown_palette_is_refused(small_report: RunFolder) -> None:
    with pytest.raises(InvalidInputError, match="must be run or cmy; got 'rgb'"):
        write_print_figures(small_report, ["counterfactuals"], palette="rgb")


def test_read_only_media_is_one_sentence(
    small_report: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert call(["report", str(small_report.root)]) == 2
    said = capsys.readouterr().err
    assert "must be a folder that can be written to" in said
    assert "Read-only file system" in said
    assert said.count("\n") == 1


def test_a_run_of_an_older_version_shows_what_it_can(make_run: Any) -> None:
    from counterstain.report import build_report

    folder = make_run(cells=3, doses=False, absent=("fields", "scores"))
    effects = pd.read_parquet(folder.table("effects"))
    effects.drop(columns=["counterfactual_low", "verdict"]).to_parquet(folder.table("effects"))
    with np.load(folder.counterfactuals) as content:
        kept = {name: content[name] for name in content.files if name != "inverse_error"}
    np.savez(folder.counterfactuals, **kept)
    html = build_report(folder).read_text(encoding="utf-8")
    assert "tables/effects.parquet lacks the column(s) counterfactual_low, verdict." in html
    assert "counterfactuals.npz is damaged (KeyError)." in html
    assert (folder.figures / "plate_1.pdf").is_file()


def test_a_run_without_any_figure(
    small_report: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = RunFolder(tmp_path / "RUN")
    started.root.mkdir()
    started.run_json.write_bytes(small_report.run_json.read_bytes())
    assert call(["report", str(started.root), "--single-file"]) == 0
    html = started.report_file.read_text(encoding="utf-8")
    assert "metrics.json is not there" in html
    assert "<figure" not in html
    assert call(["report", str(started.root), "--figures", "boundary"]) == 2
    assert "choose from none: the run has not come so far." in capsys.readouterr().err


def test_methods_name_versions_seed_papers_and_limits(small_report: RunFolder) -> None:
    html = small_report.report.read_text(encoding="utf-8")
    chapter = html.partition('<section id="methods"')[2]
    for words in (
        "torch 2.9.0", "seed 0", "grouped by well", "doi:10.48550/arXiv.1410.8516",
        "doi:10.1093/biomet/34.1-2.28", "<b>Limits.</b> A difference between classes is",
        "midpoint between the classes",
    ):  # fmt: skip
        assert words in chapter, words
