"""``counterstain overlap``: how much two kinds of cells touch."""

from __future__ import annotations

from pathlib import Path

from counterstain.cli.progress import TerminalListener

__all__ = ["overlap"]


def overlap(screen: Path, /, *, out: Path, resume: bool = False) -> None:
    """Measure how much two kinds of cells touch, and learn it from the images.

    Masks of every field, overlap and contact against chance, calls of interaction, agreement with
    another software's readout, the latent space of the patches, a classifier and a regressor.

    Parameters
    ----------
    screen
        The screen.toml; its section [overlap] says how.
    out
        A new or empty folder, or a run of the same screen.
    resume
        Go on with an overlap that was stopped; it ends in the same tables.
    """
    from counterstain.overlap_pipeline import overlap as measure

    with TerminalListener() as listener:
        folder = measure(screen, out, resume=resume, listener=listener)
        listener.say(f"Report: {folder.report}")
