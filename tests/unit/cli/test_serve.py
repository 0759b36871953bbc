from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from counterstain.cli.app import call


def test_a_port_in_use_is_one_sentence(a_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert call(["serve", str(a_run), "--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert f"127.0.0.1:{port} is not (Address already in use)" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--host", "192.0.2.1"]])
def test_what_cannot_be_listened_on_is_refused(
    a_run: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["serve", str(a_run), *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: `--")


def test_a_missing_run_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["serve", str(tmp_path / "none"), "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert "`run` must be a run folder" in said
    assert said.count("\n") == 1


def test_the_address_with_a_made_up_token_opens_the_page_from_beyond(a_run: Path) -> None:
    verb = [sys.executable, "-m", "counterstain", "serve"]
    command = [*verb, str(a_run), "--host", "0.0.0.0", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    ) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            found = re.fullmatch(r"Explorer: http://0\.0\.0\.0:(\d+)/\?token=([\w-]{30,})\n", line)
            assert found, line
            request = urllib.request.Request(
                f"http://127.0.0.1:{found[1]}/api/run",
                headers={"Authorization": f"Bearer {found[2]}"},
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert answer.status == 200
        finally:
            server.terminate()
