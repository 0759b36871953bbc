"""Files are there whole or not at all, whoever writes them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from counterstain.errors import InvalidInputError
from counterstain.files import atomic_path, write_text


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        # What safetensors raises is no OSError and has no number.
        Exception("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_one_sentence_and_keeps_the_old_file(
    error: Exception, tmp_path: Path
) -> None:
    final = tmp_path / "weights"
    write_text(final, "old")

    def write(path: Path) -> None:
        path.write_text("half")
        raise error

    with (
        pytest.raises(InvalidInputError, match=r"is full: weights was not written.*--resume"),
        atomic_path(final) as temporary,
    ):
        write(temporary)
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]
    assert final.read_text() == "old"


def test_other_errors_pass_as_they_are_and_leave_nothing(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        path.write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "a") as temporary:
        write(temporary)
    assert not list(tmp_path.iterdir())
