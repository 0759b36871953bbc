"""``counterstain rank``: which treatment heals, and at what price."""

from __future__ import annotations

from pathlib import Path

from counterstain.cli.progress import TerminalListener

__all__ = ["rank"]


def rank(screen: Path, /, *, out: Path) -> None:
    """Rank the treatments of a run again by rescue and side effect, and write its report.

    Fields and crops that were marked in the explorer leave the wells' profiles; networks stay as
    trained.

    Parameters
    ----------
    screen
        The screen.toml the run was made from; its section [ranking] may have changed.
    out
        The run folder.
    """
    from counterstain.pipeline import rank as rank_run

    with TerminalListener() as listener:
        folder = rank_run(screen, out, listener=listener)
        listener.say(f"Treatments: {folder.table('treatments')}")
        listener.say(f"Report: {folder.report}")
