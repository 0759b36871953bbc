"""The ``counterstain`` command: verbs, exit codes and messages.

Exit 0 done, 1 failed, 2 usage or invalid input. A traceback is shown only with ``--debug``.
"""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from counterstain import __version__
from counterstain.cli.check import check
from counterstain.cli.demo import demo
from counterstain.cli.export import export
from counterstain.cli.napari import open_napari
from counterstain.cli.overlap import overlap
from counterstain.cli.rank import rank
from counterstain.cli.report import report
from counterstain.cli.run import audit, explain, run, score, train
from counterstain.cli.serve import serve
from counterstain.cli.simulate import simulate
from counterstain.errors import CounterstainError, InvalidInputError, OptionalDependencyError

__all__ = ["app", "main"]

DONE, FAILED, INVALID = 0, 1, 2

app = App(
    name="counterstain",
    version=__version__,
    help="Explainable phenotyping of microscopy screens. Any verb takes --debug for tracebacks.",
)
_VERBS = (
    demo,
    simulate,
    check,
    run,
    train,
    score,
    explain,
    audit,
    rank,
    overlap,
    report,
    export,
    serve,
)
for _verb in _VERBS:
    app.command(_verb)
app.command(open_napari, name="napari")


def _complain(message: str) -> None:
    print(message, file=sys.stderr)


def _invalid(error: InvalidInputError | OptionalDependencyError) -> int:
    problems = error.problems if isinstance(error, InvalidInputError) else (str(error),)
    if len(problems) > 1:
        _complain(f"{len(problems)} problems:")
    for problem in problems:
        _complain(f"{'- ' if len(problems) > 1 else 'error: '}{problem}")
    return INVALID


def _failed(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        _complain("Stopped. What is finished is kept: go on with --resume.")
        return FAILED
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        _complain("error: The disk is full: free some space and go on with --resume.")
        return INVALID
    if isinstance(error, CounterstainError):
        _complain(f"error: {error}")
        return FAILED
    _complain(f"error: {type(error).__name__}: {error}. Run again with --debug for the traceback.")
    return FAILED


def call(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str
        What stands behind ``counterstain``.

    Examples
    --------
    >>> call(["--version"])
    0.1.0
    0
    """
    debug = "--debug" in arguments
    try:
        app(
            [word for word in arguments if word != "--debug"],
            exit_on_error=False,
            print_error=True,
            result_action="return_value",
        )
    except CycloptsError:
        return INVALID
    except (InvalidInputError, OptionalDependencyError) as error:
        if debug:
            traceback.print_exc()
        return _invalid(error)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else FAILED
    except (KeyboardInterrupt, Exception) as error:
        if debug:
            traceback.print_exc()
        return _failed(error)
    return DONE


def main() -> None:
    """Run the command line on the program's arguments."""
    sys.exit(call(sys.argv[1:]))
