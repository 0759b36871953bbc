"""How a stage tells how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["Listener", "Silent"]


class Listener(Protocol):
    """Somebody who shows progress: a terminal, a log, nobody."""

    def say(self, message: str) -> None:
        """Show one line."""
        ...

    def track(self, label: str) -> Callable[[int, int], None]:
        """Return a function to call with (done, in all)."""
        ...


class Silent:
    """A listener for use as a library: shows nothing.

    Examples
    --------
    >>> Silent().track("crops")(1, 2)
    """

    def say(self, message: str) -> None:
        """Show nothing."""

    def track(self, label: str) -> Callable[[int, int], None]:
        """Return a function that does nothing."""
        return lambda done, total: None
