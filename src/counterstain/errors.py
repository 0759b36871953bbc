"""Exceptions that every floor raises.

Each says the same four things in one sentence: which argument, what was expected, what came, and
what to do. Each is also a builtin, so that callers who know only Python catch it too.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "CounterstainError",
    "InvalidInputError",
    "MissingFileError",
    "NotInvertibleError",
    "OptionalDependencyError",
    "ReadOnlyError",
    "RunFolderError",
    "UndefinedStatisticWarning",
    "UnreadableImageError",
]


class CounterstainError(Exception):
    """Base of every exception that counterstain raises on purpose."""


class InvalidInputError(CounterstainError, ValueError):
    """Input that cannot be worked with; the command line ends with exit code 2.

    Parameters
    ----------
    problems : str or iterable of str
        One clear sentence a problem: argument, expected, got, remedy.

    Attributes
    ----------
    problems : tuple of str
        All problems that were found, so that a user mends them in one go.

    Examples
    --------
    >>> error = InvalidInputError(["first.csv, row 3: no well.", "second.tif is empty."])
    >>> error.problems
    ('first.csv, row 3: no well.', 'second.tif is empty.')
    """

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class MissingFileError(InvalidInputError, FileNotFoundError):
    """A file or folder that the input names does not exist."""


class UnreadableImageError(InvalidInputError, OSError):
    """An image file that is there but cannot be decoded."""


class RunFolderError(InvalidInputError, FileExistsError):
    """The output folder cannot hold this run: it holds another one, or is incomplete."""


class ReadOnlyError(InvalidInputError, PermissionError):
    """A folder that must be written to is on read-only media, or belongs to somebody else."""


class NotInvertibleError(CounterstainError, ArithmeticError):
    """The inverse of a network misses its tolerance; no picture is drawn from it."""


class OptionalDependencyError(CounterstainError, ImportError):
    """A feature needs a package of one of the optional extras."""


class UndefinedStatisticWarning(UserWarning):
    """A statistic is NaN; the warning says why."""
