"""A real browser over a real server; skipped with a reason where there is none."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Software WebGL, so that the map is drawn on machines without a graphics card.
_ARGUMENTS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
              "--enable-unsafe-swiftshader"]  # fmt: skip


@contextlib.contextmanager
def serving(run: Path) -> Iterator[str]:
    """Run the real command in a process of its own; yield its address."""
    command = [sys.executable, "-m", "counterstain", "serve", str(run), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    ) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            assert line.startswith("Explorer: http://127.0.0.1:"), line
            yield line.split()[1]
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def serve() -> Callable[[Path], contextlib.AbstractContextManager[str]]:
    return serving


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    path = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def address(
    browser: Any, finished_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The small run, served; marks are not written to it."""
    del browser  # asked first: without one nothing need be served
    run = shutil.copytree(finished_run, tmp_path_factory.mktemp("browsed") / "RUN")
    with serving(run) as found:
        yield found


@pytest.fixture
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page that must neither complain nor ask another machine for anything."""
    width = getattr(request, "param", 1440)
    opened = browser.new_page(viewport={"width": width, "height": 900})
    opened.set_default_timeout(120_000)
    complaints: list[str] = []
    hosts: set[str] = set()
    opened.on("console", lambda m: m.type in ("error", "warning") and complaints.append(m.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda r: hosts.add(urlsplit(r.url).hostname or ""))
    opened.complaints = complaints
    yield opened
    opened.close()
    # The software renderer's own remarks on its speed are none of the page's.
    assert [text for text in complaints if "GPU stall" not in text] == []
    assert hosts <= {"127.0.0.1", ""}


@pytest.fixture(scope="session")
def violations() -> Callable[[Any], list[tuple[str, list[str]]]]:
    """What stands in the way of readers who do not see a page well, as axe finds it."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def serious(page: Any) -> list[tuple[str, list[str]]]:
        return [
            (found["id"], [node["html"][:120] for node in found["nodes"]][:3])
            for found in axe.run(page).response["violations"]
            if found["impact"] in ("serious", "critical")
        ]

    return serious
