"""The path of a co-culture: a plate in, an answer to "how much do these cells touch?" out.

Read from top to bottom: masks of every field, their overlap and the patches to learn from; what the
overlap of wells says; the latent space of the patches, a classifier and a regressor on its encoder;
the report. It stands beside the main path and can be run in the same folder.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from counterstain.errors import InvalidInputError
from counterstain.masks.overlap_readout import read_readout
from counterstain.plates.screen import Screen, read_screen
from counterstain.report.build import build_report
from counterstain.run_folder import RunFolder
from counterstain.stages.marks import find_field_marks
from counterstain.stages.overlap import measure_overlap, read_overlap
from counterstain.stages.overlap_learning import learn_patches
from counterstain.stages.progress import Listener, Silent
from counterstain.stages.record import RunRecord, open_run

__all__ = ["OVERLAP_STAGES", "overlap"]

OVERLAP_STAGES = ("overlap_masks", "overlap_reading", "overlap_learning")

_Stage = Callable[[Screen, RunFolder, RunRecord, Listener], None]
_ACTIONS: dict[str, _Stage] = {
    "overlap_masks": measure_overlap,
    "overlap_reading": read_overlap,
    "overlap_learning": learn_patches,
}


def overlap(
    config: str | Path,
    out: str | Path,
    *,
    resume: bool = False,
    listener: Listener | None = None,
) -> RunFolder:
    """Measure how much two kinds of cells touch, and what a network makes of it.

    Takes minutes; what is finished is kept if it is stopped.

    Parameters
    ----------
    config : str or Path
        A ``screen.toml``; its section ``[overlap]`` says how.
    out : str or Path
        A new or empty folder, or a run of the same screen: its classification stays, an older
        overlap is made anew.
    resume : bool
        Go on with an overlap that was stopped; it ends in the same tables. Where other fields stand
        marked in ``annotations.csv`` than it was made with, it is made anew.
    listener : Listener, optional
        Somebody to tell how far it is.

    Returns
    -------
    RunFolder
        Where everything lies; ``.report`` is the page to open.

    Raises
    ------
    InvalidInputError
        If the screen cannot be worked with; all problems at once.
    RunFolderError
        If the folder holds something else.

    Examples
    --------
    >>> from counterstain.overlap_pipeline import overlap
    >>> overlap("screen.toml", "RUN").report  # doctest: +SKIP
    PosixPath('RUN/report/index.html')
    """
    heard = listener or Silent()
    screen, folder = read_screen(config), RunFolder(Path(out))
    for note in screen.notes:
        heard.say(f"note: {note}")
    if screen.config.overlap.readout is not None:
        # Minutes before it is needed: what is wrong with it is said now.
        read_readout(screen.config.overlap.readout, screen.config.overlap.readout_column)
    # Before the folder is touched: a damaged annotations.csv ends here.
    marks = find_field_marks(folder, screen.fields)
    fresh = not folder.run_json.is_file()
    record = open_run(screen, folder, resume=not fresh)
    if not resume or record.content.get("overlap_marks", "") != marks.digest:
        record.content["overlap_marks"] = marks.digest
        record.forget(OVERLAP_STAGES)
    for stage in OVERLAP_STAGES:
        action = functools.partial(_ACTIONS[stage], screen, folder, record, heard)
        try:
            record.do(stage, action, heard.say)
        except InvalidInputError:
            if fresh and stage == OVERLAP_STAGES[0]:
                record.discard()
            raise
    build_report(folder)
    return folder
