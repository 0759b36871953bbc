"""Files that the explorer adds to a run so that the next start is quick."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from counterstain.errors import InvalidInputError
from counterstain.explorer.run_reading import ExplorerRun
from counterstain.files import atomic_path

__all__ = ["RunCache"]

_STAMP = "cache.json"
_OWN = ("crops_*.webp", "map_*.npz", "intensities_*.npz")


class RunCache:
    """The folder ``explorer/`` of a run.

    What was made for an earlier state of the run (crops cut anew, networks trained anew) is
    removed when the cache is opened.

    Parameters
    ----------
    run : ExplorerRun
        The run.

    Attributes
    ----------
    writable : bool
        Whether files can be kept.
    """

    def __init__(self, run: ExplorerRun) -> None:
        self._folder, self._stamp = run.folder.explorer, run.stamp
        self.writable = True
        if self._known_stamp() != self._stamp:
            self._start_anew()

    def _known_stamp(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            content = json.loads((self._folder / _STAMP).read_text(encoding="utf-8"))
            return str(content["stamp"]) if isinstance(content, dict) else ""
        return ""

    def _start_anew(self) -> None:
        try:
            for pattern in _OWN:
                for path in self._folder.glob(pattern):
                    path.unlink()
            with atomic_path(self._folder / _STAMP) as temporary:
                temporary.write_text(json.dumps({"stamp": self._stamp}), encoding="utf-8")
        except (OSError, InvalidInputError):
            self.writable = False

    def read(self, name: str) -> bytes | None:
        """Return a file that was kept for this state of the run; None where there is none."""
        if self._known_stamp() != self._stamp:
            return None
        try:
            return (self._folder / name).read_bytes()
        except OSError:
            return None

    def write(self, name: str, data: bytes) -> Path | None:
        """Keep a file, whole or not at all; None where the run cannot be written to."""
        if not self.writable:
            return None
        try:
            with atomic_path(self._folder / name) as temporary:
                temporary.write_bytes(data)
        except (OSError, InvalidInputError):
            # A full or read-only disk costs the next start some time, and nothing else.
            self.writable = False
            return None
        return self._folder / name
