from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from counterstain.explorer import create_app

BASE = "http://127.0.0.1:8765"


@pytest.fixture(scope="session")
def client(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of the small run; marks are not written through it."""
    import shutil

    run = shutil.copytree(finished_run, tmp_path_factory.mktemp("served") / "RUN")
    with TestClient(create_app(run), base_url=BASE) as made:
        yield made
