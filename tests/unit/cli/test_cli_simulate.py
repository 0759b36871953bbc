from __future__ import annotations

from pathlib import Path

import pytest

from counterstain.cli.simulate import simulate


def test_simulate_writes_a_plate_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulate(tmp_path / "plate", fields=1, size=48, plate_format=6, control_wells=1, compounds=0)
    screen = tmp_path / "plate" / "screen.toml"
    assert screen.is_file()
    captured = capsys.readouterr()
    assert str(screen) in captured.out
    assert str(screen.with_name("truth.json")) in captured.out
    assert "drawing fields: 2/2" in captured.out
    assert captured.err == ""
