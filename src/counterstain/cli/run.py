"""``counterstain run`` and its stages one by one."""

from __future__ import annotations

from pathlib import Path

from counterstain.cli.progress import TerminalListener

__all__ = ["audit", "explain", "run", "score", "train"]


def run(screen: Path, /, *, out: Path, resume: bool = False) -> None:
    """Run a screen from images to report.

    Parameters
    ----------
    screen
        The screen.toml.
    out
        A new or empty folder for everything the run makes.
    resume
        Go on with a run that was stopped; it ends in the same tables. On a finished run, what
        rests on other marks than were set in the explorer since is made again.
    """
    from counterstain.pipeline import run as run_screen

    with TerminalListener() as listener:
        folder = run_screen(screen, out, resume=resume, listener=listener)
        listener.say(f"Report: {folder.report}")


def _repeat(stage: str, screen: Path, out: Path) -> None:
    from counterstain.pipeline import repeat

    with TerminalListener() as listener:
        folder = repeat(stage, screen, out, listener=listener)
        listener.say(f"{stage} done in {folder.root}.")


def train(screen: Path, /, *, out: Path) -> None:
    """Train the networks of a run again.

    Parameters
    ----------
    screen
        The screen.toml the run was made from.
    out
        The run folder.
    """
    _repeat("train", screen, out)


def score(screen: Path, /, *, out: Path) -> None:
    """Score all crops of a run again, with the networks it has.

    Parameters
    ----------
    screen
        The screen.toml the run was made from.
    out
        The run folder.
    """
    _repeat("score", screen, out)


def explain(screen: Path, /, *, out: Path) -> None:
    """Make the counterfactuals and attribution maps of a run again, and judge them.

    Parameters
    ----------
    screen
        The screen.toml the run was made from.
    out
        The run folder.
    """
    _repeat("explain", screen, out)


def audit(screen: Path, /, *, out: Path) -> None:
    """Audit a run again: leakage, empty areas, sanity and faithfulness of maps, null screen.

    Parameters
    ----------
    screen
        The screen.toml the run was made from.
    out
        The run folder.
    """
    _repeat("audit", screen, out)
