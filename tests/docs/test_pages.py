"""Everything that a page says can be done: commands, Python, settings, links."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from page_blocks import DOCS, PAGES, ROOT, blocks, commands
from tutorial_reader import DATA, follow, put_bbbc013

from counterstain import pipeline
from counterstain.cli.app import app
from counterstain.figures import style

TUTORIALS = DOCS / "tutorials"
ids = [page.relative_to(DOCS).as_posix() for page in PAGES]


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in.

    The page of a run is left out, and figures are small: drawing takes longer than all else, and
    the tests of the command line draw it.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline, "build_report", lambda folder: folder.report)
    monkeypatch.setattr(style, "_PRINT_DPI", 40)
    monkeypatch.setattr(style, "_PAGE_DPI", 40)
    return tmp_path


@pytest.mark.slow
def test_the_simulated_plate_and_the_pages_on_its_run(reader: Path) -> None:
    follow(blocks(TUTORIALS / "simulated_plate.md"), "simulated_plate")
    (reader / "screen.toml").symlink_to(reader / "plate" / "screen.toml")
    snippets = [
        b for page in ("run_folder.md", "how_to/rank.md") for b in blocks(DOCS / page)
        if b.language == "python" and "overlap" not in b.text
    ]  # fmt: skip
    assert len(snippets) >= 4
    for block in snippets:
        exec(compile(block.text, "page", "exec"), {})


@pytest.mark.slow
def test_the_coculture(reader: Path) -> None:
    follow(blocks(TUTORIALS / "coculture.md"), "coculture")
    assert (reader / "CORUN" / "report" / "index.html").is_file()


@pytest.mark.slow
def test_bbbc013(reader: Path) -> None:
    if not (DATA / "bbbc013" / "platemap.csv").is_file():
        pytest.skip("the image set BBBC013 is not on this machine (COUNTERSTAIN_DATA)")
    put_bbbc013()
    follow(blocks(TUTORIALS / "bbbc013.md"), "bbbc013")
    assert (reader / "RUN" / "tables" / "wells.parquet").is_file()


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_can_be_parsed_and_python_compiles(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            ast.parse(block.text)
        elif block.language == "toml":
            tomllib.loads(block.text)
        elif block.language == "console":
            for command in commands(block):
                app.parse_args(shlex.split(command)[1:], exit_on_error=False, print_error=False)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the site makes them."""
    from myst_parser.mdit_to_docutils.base import default_slugify

    headings = re.findall(r"(?m)^#{1,3} (.+)$", page.read_text("utf-8"))
    return {default_slugify(re.sub(r"[`*]", "", heading)) for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=[*ids, "README.md"])
def test_links_between_files_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    links: Sequence[str] = re.findall(r"\]\(([^)\s]+)\)", text)
    for link in links:
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file() or target.with_suffix(".md").is_file(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"


def test_pictures_have_words_and_are_small() -> None:
    for page in PAGES:
        for alt in re.findall(r"!\[([^\]]*)\]", page.read_text("utf-8")):
            assert len(alt) > 20, f"{page.name}: {alt!r}"
    for picture in (DOCS / "images").glob("demo_*.png"):
        assert picture.stat().st_size < 300_000
