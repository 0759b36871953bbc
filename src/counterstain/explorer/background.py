"""Work that takes a while, done once beside the requests: how far it is, and what came out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

__all__ = ["BackgroundWork"]

T = TypeVar("T")


class BackgroundWork(Generic[T]):
    """A function that runs once, in a thread of its own, when first asked for.

    Parameters
    ----------
    work : callable
        Takes a function to call with the share that is done, 0 to 1.

    Examples
    --------
    >>> work = BackgroundWork(lambda report: 3)
    >>> work.wait()
    >>> work.state()["status"], work.result
    ('done', 3)
    """

    def __init__(self, work: Callable[[Callable[[float], None]], T]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._share, self._reason = 0.0, ""
        self.result: T | None = None

    def start(self) -> None:
        """Begin, unless it has begun."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._work(self._report)
        except Exception as error:
            # A thread has nobody to raise to: the page that asks is told.
            self._reason = str(error) or type(error).__name__

    def _report(self, share: float) -> None:
        self._share = share

    def wait(self) -> None:
        """Begin where it has not, and return when it has ended."""
        self.start()
        if self._thread is not None:
            self._thread.join()

    def state(self) -> dict[str, Any]:
        """Return ``status`` (``working``, ``done`` or ``failed``), ``share`` and ``reason``."""
        self.start()
        if self._reason:
            return {"status": "failed", "share": self._share, "reason": self._reason}
        status = "working" if self.result is None else "done"
        return {"status": status, "share": self._share, "reason": ""}
