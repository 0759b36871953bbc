"""The main path: a plate in, an answered screen out.

Read from top to bottom: a screen is read, cut into crops, a network is trained a fold, every crop
is scored by a network that never saw its well, the scores are summed up, counterfactuals and maps
are made and judged, the whole is audited, treatments are ranked, and the report is written. Each
stage reads what the one before wrote, so a stage can be repeated on a finished run, and a run that
was killed goes on where it stopped. Fields and crops that people marked leave everything from
training on; a stage that was made with other marks is made again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from counterstain.annotations import read_annotations
from counterstain.errors import InvalidInputError, RunFolderError
from counterstain.files import read_json
from counterstain.plates.screen import Screen, read_screen
from counterstain.plates.store import CropStore
from counterstain.plates.writer import write_crops
from counterstain.report.build import build_report
from counterstain.run_folder import RunFolder
from counterstain.stages.attributions import attribute_crops
from counterstain.stages.audit import audit_run
from counterstain.stages.boundary import map_boundary
from counterstain.stages.explain import explain_classes
from counterstain.stages.gallery import generate_gallery
from counterstain.stages.likelihood import measure_likelihood
from counterstain.stages.marks import honour_marks
from counterstain.stages.progress import Listener, Silent
from counterstain.stages.rank import rank_screen
from counterstain.stages.record import RunRecord, open_run
from counterstain.stages.score import score_plate
from counterstain.stages.summarise import summarise_scores
from counterstain.stages.train import check_network, train_networks

__all__ = ["STAGES", "rank", "repeat", "run"]

STAGES = ("crops", "train", "score", "explain", "audit", "rank", "report")


_EXPLAIN = (
    explain_classes,
    measure_likelihood,
    map_boundary,
    generate_gallery,
    attribute_crops,
)


class _Run:
    """One run: its screen, folder and record, with the stages as methods."""

    def __init__(
        self, screen: Screen, folder: RunFolder, record: RunRecord, listener: Listener
    ) -> None:
        self.screen, self.folder, self.record, self.listener = screen, folder, record, listener

    def crops(self) -> None:
        write_crops(self.screen, self.folder, progress=self.listener.track("crops"))
        with CropStore.open(self.folder.crops) as store:
            notes = [str(note) for note in store.attrs["notes"]]
        for note in notes:
            self.listener.say(f"note: {note}")
        self.record.note(notes)

    def train(self) -> None:
        with CropStore.open(self.folder.crops) as store:
            train_networks(
                self.screen.config, self.folder, self._crops(), store, self.record, self.listener
            )

    def score(self, *, keep: bool = False) -> None:
        with CropStore.open(self.folder.crops) as store:
            score_plate(self.screen.config, self.folder, self._crops(), store, self.listener)
        summarise_scores(self.screen, self.folder, self._crops(), self.record, keep=keep)

    def explain(self) -> None:
        with CropStore.open(self.folder.crops) as store:
            for part in _EXPLAIN:
                part(self.screen.config, self.folder, self._crops(), store, self.listener)

    def audit(self) -> None:
        with CropStore.open(self.folder.crops) as store:
            audit_run(self.screen, self.folder, self._crops(), store, self.record, self.listener)

    def rank(self) -> None:
        with CropStore.open(self.folder.crops) as store:
            rank_screen(self.screen.config, self.folder, self._crops(), store, self.listener)

    def report(self) -> None:
        build_report(self.folder)

    def _crops(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder.table("crops"))

    def honour_marks(self, stage: str) -> None:
        """Bring tables to the standing marks, before a stage is made that reads them.

        Where networks stay as they are, wells are scored anew by them, as the marks stand.
        """
        marks = honour_marks(self.screen, self.folder, self.record, train=stage == "train")
        for sentence in (marks.sentence, marks.complaint):
            if sentence:
                self.listener.say(f"note: {sentence}")
        if stage in ("train", "score") or self.record.made_with("score") == marks.digest:
            return
        self.listener.say("Wells are scored again as the marks stand; networks stay as trained.")
        self.record.forget(("score",))
        with self.record.stage("score"):
            self.score(keep=True)

    def say_outdated(self) -> None:
        """Name the stages that were made with other marks."""
        other = [s for s in STAGES[1:] if self.record.made_with(s) not in (None, self.record.marks)]
        if other:
            self.listener.say(
                f"note: made with other marks than stand now: {', '.join(other)}. "
                "`counterstain run --resume` makes them again."
            )

    def do(self, stage: str) -> None:
        """Do a stage, unless it was done before."""
        action: Callable[[], None] = getattr(self, stage)
        self.record.do(stage, action, self.listener.say)


def run(
    config: str | Path,
    out: str | Path,
    *,
    resume: bool = False,
    listener: Listener | None = None,
) -> RunFolder:
    """Run a screen from images to report.

    Takes minutes to hours; what is finished is kept if it is stopped.

    Parameters
    ----------
    config : str or Path
        A ``screen.toml``.
    out : str or Path
        A new or empty folder, or with `resume` one that holds the same run unfinished.
    resume : bool
        Go on with a run that was stopped; it ends in the same tables. On a finished run, what
        rests on other marks than stand in ``annotations.csv`` now is made again.
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
    >>> from counterstain import run
    >>> finished = run("screen.toml", "RUN")  # doctest: +SKIP
    >>> finished.report  # doctest: +SKIP
    PosixPath('RUN/report/index.html')
    """
    heard = listener or Silent()
    screen = read_screen(config)
    for note in screen.notes:
        heard.say(f"note: {note}")
    check_network(screen.config, _crop_size(screen))
    folder = RunFolder(Path(out))
    if folder.root.is_dir():
        read_annotations(folder)  # A damaged file is named now, not after the crops are cut.
    this = _Run(screen, folder, open_run(screen, folder, resume=resume), heard)
    try:
        this.do("crops")
    except InvalidInputError:
        this.record.discard()
        raise
    this.honour_marks("train")
    this.record.forget_outdated(STAGES[1:])
    for stage in STAGES[1:]:
        this.do(stage)
    return folder


def _crop_size(screen: Screen) -> int:
    """Return the side of a crop: as set, or that of a whole field."""
    if screen.config.crops.kind != "fields":
        return screen.config.crops.size
    first = screen.fields[screen.fields["readable"]].iloc[0]
    height, width = int(first["height"]), int(first["width"])
    if height != width:
        raise InvalidInputError(
            f'{screen.path}: `crops.kind` = "fields" needs square fields; got {height} x {width} '
            'px: use kind = "tiles".'
        )
    return height


def repeat(
    stage: str, config: str | Path, out: str | Path, *, listener: Listener | None = None
) -> RunFolder:
    """Repeat one stage on a run in which the stages before it are done.

    Later stages are marked as not done: their files rest on the old ones.

    Parameters
    ----------
    stage : str
        One of `STAGES`.
    config, out : str or Path
        As for :func:`run`.
    listener : Listener, optional
        Somebody to tell how far it is.

    Raises
    ------
    RunFolderError
        If an earlier stage is missing, or the folder holds another run.
    """
    heard = listener or Silent()
    screen, folder = read_screen(config), RunFolder(Path(out))
    record = open_run(screen, folder, resume=True)
    position = STAGES.index(stage)
    missing = [name for name in STAGES[:position] if not record.is_done(name)]
    if missing:
        raise RunFolderError(
            f"`{stage}` needs the stages before it; {folder.root} lacks {', '.join(missing)}: run "
            f"`counterstain run {config} --out {out} --resume`."
        )
    this = _Run(screen, folder, record, heard)
    if stage not in ("crops", "report"):
        this.honour_marks(stage)
    if stage == "train":
        for path in folder.models.glob("fold_*"):
            path.unlink()
    record.forget(STAGES[position:])
    this.do(stage)
    if stage != "report":
        this.say_outdated()
    return folder


def rank(config: str | Path, out: str | Path, *, listener: Listener | None = None) -> RunFolder:
    """Rank the treatments of a finished run again, and write its report.

    Takes seconds to minutes. ``[ranking]`` in the screen may have changed since the run. Fields and
    crops that were marked since then leave the wells' profiles; networks stay as trained.

    Parameters
    ----------
    config, out, listener
        As for :func:`run`.

    Returns
    -------
    RunFolder
        Where everything lies.

    Raises
    ------
    InvalidInputError
        If nothing can be ranked; the report says so as well.
    RunFolderError
        If an earlier stage is missing, or the folder holds another run.

    Examples
    --------
    >>> from counterstain.pipeline import rank
    >>> rank("screen.toml", "RUN").table("treatments")  # doctest: +SKIP
    PosixPath('RUN/tables/treatments.parquet')
    """
    folder = repeat("rank", config, out, listener=listener)
    repeat("report", config, out, listener=listener)
    reason = str(read_json(folder.metrics)["ranking"]["reason"])
    if reason:
        raise InvalidInputError(f"Nothing can be ranked. {reason}")
    return folder
