from __future__ import annotations

from pathlib import Path

import pytest

from counterstain.cli.simulate import simulate
from counterstain.errors import InvalidInputError


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


def test_simulate_writes_a_coculture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulate(
        tmp_path / "plate",
        kind="coculture",
        fields=1,
        size=96,
        plate_format=6,
        control_wells=1,
        compounds=0,
    )
    assert len(list((tmp_path / "plate" / "images").iterdir())) == 6
    assert "drawing fields: 3/3" in capsys.readouterr().out


def test_options_of_the_other_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="takes no --phenotype"):
        simulate(tmp_path / "plate", kind="coculture", phenotype="none")
    with pytest.raises(InvalidInputError, match="takes no --replicates, --gathering"):
        simulate(tmp_path / "plate", replicates=2, gathering=0.1)
    assert not (tmp_path / "plate").exists()
