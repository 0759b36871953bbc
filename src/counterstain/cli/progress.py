"""Progress on a terminal: bars with time left, or plain lines where stdout is none."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["TerminalListener"]

_SECONDS_BETWEEN_LINES = 20.0


class TerminalListener:
    r"""Show stages as bars on a terminal and as plain lines elsewhere.

    Parameters
    ----------
    console : Console, optional
        Where to write; stdout where not given.

    Examples
    --------
    >>> import io
    >>> text = io.StringIO()
    >>> with TerminalListener(Console(file=text)) as listener:
    ...     listener.say("ready")
    >>> text.getvalue()
    'ready\n'
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(file=sys.stdout, soft_wrap=True, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}", justify="right"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def say(self, message: str) -> None:
        """Show one line."""
        self.console.print(message, markup=False)

    def track(self, label: str) -> Callable[[int, int], None]:
        """Return a function to call with (done, in all)."""
        if self.console.is_terminal:
            return self._bar(label)
        return self._lines(label)

    def _bar(self, label: str) -> Callable[[int, int], None]:
        task = self._bars.add_task(label, total=None)

        def update(done: int, total: int) -> None:
            self._bars.update(task, completed=done, total=total)

        return update

    def _lines(self, label: str) -> Callable[[int, int], None]:
        start = time.monotonic()
        last = start

        def update(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if done < total and now - last < _SECONDS_BETWEEN_LINES:
                return
            last = now
            spent = now - start
            left = spent * (total - done) / max(done, 1)
            tail = f"{left:.0f} s left" if done < total else f"done in {spent:.1f} s"
            self.console.print(f"{label}: {done}/{total}, {tail}", markup=False)

        return update
