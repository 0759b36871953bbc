"""The report from disk, with the network off, in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from counterstain.cli.app import call


@pytest.fixture(scope="session")
def mailed(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the small run; and its one file alone in a folder, as somebody gets it."""
    run = Path(shutil.copytree(finished_run, tmp_path_factory.mktemp("mailed") / "RUN"))
    assert call(["report", str(run), "--single-file"]) == 0
    alone = run.parent / "mail"
    alone.mkdir()
    shutil.copy(run / "report" / "report.html", alone)
    return run


@pytest.fixture
def offline(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page without a network, which keeps what it asks for and complains of."""
    width = getattr(request, "param", 1440)
    context = browser.new_context(
        viewport={"width": width, "height": 900}, offline=True, accept_downloads=True
    )
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda r: page.asked.append(r.url))
    page.on("console", lambda m: page.complaints.append(m.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    yield page
    context.close()
    assert page.complaints == []


def _shows_everything(page: Any) -> int:
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    sizes = page.evaluate("[...document.images].map((image) => image.naturalWidth)")
    assert all(size > 0 for size in sizes), sizes
    return len(sizes)


@pytest.mark.parametrize("offline", [1440, 390], indirect=True)
def test_one_file_needs_nothing_beside_it(offline: Any, mailed: Path) -> None:
    address = (mailed.parent / "mail" / "report.html").as_uri()
    offline.goto(address)
    assert _shows_everything(offline) >= 3
    assert [url for url in offline.asked if not url.startswith("data:")] == [address]
    links = offline.eval_on_selector_all("a[href]", "a => a.map((one) => one.getAttribute('href'))")
    assert {link[:5] for link in links if not link.startswith("#")} == {"data:"}
    assert offline.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with offline.expect_download() as download:
        offline.locator(".files a").first.click()
    assert download.value.suggested_filename.endswith(".csv")
    assert "," in Path(download.value.path()).read_text(encoding="utf-8").splitlines()[0]


def test_links_lead_to_files_from_disk(offline: Any, mailed: Path) -> None:
    offline.goto((mailed / "report" / "index.html").as_uri())
    n = _shows_everything(offline)
    links = offline.eval_on_selector_all(".files a", "a => a.map((one) => one.href)")
    assert len(links) >= 3 * (n - 3)
    assert {link.rpartition(".")[2] for link in links} == {"png", "svg", "pdf", "csv"}
    for link in links:
        assert Path(link.removeprefix("file://")).is_file(), link
    offline.emulate_media(media="print")
    assert not offline.locator(".files").first.is_visible()


@pytest.mark.parametrize("offline", [1440, 390], indirect=True)
def test_nothing_serious_stands_in_a_readers_way(
    offline: Any, mailed: Path, violations: Callable[[Any], list[Any]]
) -> None:
    # Axe is put in as a script, which the page's own policy rightly forbids.
    html = (mailed / "report" / "index.html").read_text(encoding="utf-8")
    offline.set_content(html.replace("Content-Security-Policy", "X-Policy"))
    assert violations(offline) == []
