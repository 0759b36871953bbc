"""``run.json``: what a run was made from and how far it is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from counterstain.errors import RunFolderError
from counterstain.files import digest, read_json, write_json
from counterstain.plates.screen import Screen
from counterstain.run_folder import RunFolder

__all__ = ["RUN_FORMAT", "RunRecord", "open_run"]

RUN_FORMAT = 1
_PATHS = {
    "images": ("root", "load_data", "ome_zarr"),
    "layout": ("table",),
    "overlap": ("labels_root", "readout", "weights"),
}
_READ_BY = {"ranking": ("rank", "report")}
"""Sections that late stages alone read: where they change, nothing else has to be made anew."""
_PACKAGES = ("counterstain", "numpy", "pandas", "scikit-image", "scikit-learn", "scipy", "timm",
             "torch", "zarr")  # fmt: skip


@dataclass
class RunRecord:
    """The content of ``run.json``, written again after every stage.

    Parameters
    ----------
    folder : RunFolder
        The run.
    content : dict
        JSON-ready content.
    """

    folder: RunFolder
    content: dict[str, Any] = field(default_factory=dict)

    def is_done(self, stage: str) -> bool:
        """Whether a stage ended before."""
        return bool(self.content["stages"].get(stage, {}).get("state") == "done")

    @property
    def marks(self) -> str:
        """Digest of the marks set by hand that the tables hold; empty where there are none."""
        return str((self.content.get("marks") or {}).get("digest", ""))

    def made_with(self, stage: str) -> str | None:
        """Return the digest of the marks that a stage was made with; None if it did not end."""
        if not self.is_done(stage):
            return None
        return str(self.content["stages"][stage].get("marks", ""))

    def forget_outdated(self, stages: tuple[str, ...]) -> None:
        """Forget from the first stage on that did not end or was made with other marks."""
        for position, stage in enumerate(stages):
            if self.made_with(stage) != self.marks:
                self.forget(stages[position:])
                return

    def forget(self, stages: tuple[str, ...]) -> None:
        """Mark stages as not done, so that they are made again."""
        for stage in stages:
            self.content["stages"].pop(stage, None)
        self.save()

    def resolve(self, **values: Any) -> None:
        """Keep values that were decided during the run, such as the number of steps."""
        self.content["resolved"].update(values)
        self.save()

    def note(self, sentences: list[str]) -> None:
        """Keep sentences for the report, each once."""
        known = self.content["notes"]
        known.extend(sentence for sentence in sentences if sentence not in known)
        self.save()

    def save(self) -> None:
        """Write the file."""
        write_json(self.folder.run_json, self.content)

    def discard(self) -> None:
        """Give the folder of a run free of which nothing was made, for the mended screen."""
        self.folder.run_json.unlink()
        root = self.folder.root
        if any(path.is_file() for path in root.rglob("*")):
            return
        for path in sorted(root.rglob("*"), reverse=True):
            path.rmdir()
        root.rmdir()

    def do(self, stage: str, action: Callable[[], None], say: Callable[[str], None]) -> None:
        """Do a stage, unless it was done before."""
        if self.is_done(stage):
            say(f"{stage}: done before.")
            return
        with self.stage(stage):
            action()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and mark it done if it ends well."""
        start = time.perf_counter()
        yield
        seconds = round(time.perf_counter() - start, 3)
        done = {"state": "done", "seconds": seconds}
        if name != "crops":
            # Pixels do not depend on what people think of them; all that follows does.
            done["marks"] = self.marks
        self.content["stages"][name] = done
        self.save()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _inputs(screen: Screen) -> dict[str, Any]:
    """Digest names and sizes of all images, and the plate map's content.

    Reading every pixel twice only to sign it would double the time of a large plate.
    """
    columns = [c for c in screen.fields.columns if str(c).startswith("path_")]
    paths = sorted(set(pd.unique(screen.fields[columns].astype(str).to_numpy().ravel())) - {""})
    root = screen.config.images.root
    total = hashlib.sha256()
    for name in paths:
        path = Path(name)
        size = path.stat().st_size if path.is_file() else -1
        shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        total.update(f"{shown}\0{size}\n".encode())
    table = screen.config.layout.table
    if table is not None:
        total.update(digest(table).encode())
    return {"n_files": len(paths), "digest": total.hexdigest()}


def _config_content(screen: Screen) -> dict[str, Any]:
    """Return the configuration without this machine's folders."""
    content: dict[str, Any] = screen.config.model_dump(mode="json")
    home = screen.path.resolve().parent
    for section, keys in _PATHS.items():
        for key in keys:
            value = content[section].get(key)
            if isinstance(value, list):
                content[section][key] = [_from_home(path, home) for path in value]
            elif value is not None:
                content[section][key] = _from_home(value, home)
    return content


def _from_home(path: str, home: Path) -> str:
    absolute = Path(path)
    inside = absolute.is_relative_to(home)
    return (absolute.relative_to(home) if inside else absolute).as_posix()


def _start(screen: Screen) -> dict[str, Any]:
    config = _config_content(screen)
    text = json.dumps(config, sort_keys=True)
    return {
        "format": RUN_FORMAT,
        "version": metadata.version("counterstain"),
        "screen": screen.path.name,
        "config": config,
        "config_digest": hashlib.sha256(text.encode()).hexdigest(),
        "inputs": _inputs(screen),
        "seed": screen.config.run.seed,
        "versions": _versions(),
        "device": "",
        "notes": list(screen.notes),
        "resolved": {},
        "marks": {},
        "stages": {},
    }


def open_run(screen: Screen, folder: RunFolder, *, resume: bool) -> RunRecord:
    """Start a run in an empty folder, or go on with the same run in its own.

    Parameters
    ----------
    screen : Screen
        What the run is made from.
    folder : RunFolder
        Where it goes.
    resume : bool
        Go on with a run that was stopped. A new run may begin in a folder that holds nothing but
        ``annotations.csv``: marks that it shall honour from the start. Where only ``[ranking]``
        changed, or the run is older than that section, the stages that read it are marked as not
        done.

    Raises
    ------
    RunFolderError
        If the folder holds something else: nothing in it is touched.
    """
    root, fresh = folder.root, _start(screen)
    if root.exists() and not root.is_dir():
        raise RunFolderError(f"`out` must be a folder; {root} is a file: choose another name.")
    if not folder.run_json.is_file():
        if root.is_dir() and any(path != folder.annotations for path in root.iterdir()):
            raise RunFolderError(
                f"`out` must be a new or empty folder; {root} holds other files and no run.json: "
                "choose another folder."
            )
        record = RunRecord(folder, fresh)
        record.save()
        return record
    if not resume:
        raise RunFolderError(
            f"`out` must be a new or empty folder; {root} holds a run: go on with it with "
            "--resume, or choose another folder."
        )
    content = read_json(folder.run_json)
    _check_same(root, content, fresh)
    _adopt(content, fresh)
    return RunRecord(folder, content)


def _adopt(content: dict[str, Any], fresh: dict[str, Any]) -> None:
    """Take over sections that no finished stage rests on, and forget the stages that read them."""
    before, now = content["config"], fresh["config"]
    for section, stages in _READ_BY.items():
        if before.get(section) != now[section]:
            for stage in stages:
                content["stages"].pop(stage, None)
    content["config"], content["config_digest"] = now, fresh["config_digest"]


def _same_config(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether all that finished stages rest on is as it was.

    A section that the run does not know was made up after it: nothing in the run rests on it.
    """
    before, now = old.get("config"), new["config"]
    if not isinstance(before, dict):
        return False
    return all(before[name] == now.get(name) for name in before if name not in _READ_BY)


def _check_same(root: Path, old: Any, new: dict[str, Any]) -> None:
    if not isinstance(old, dict) or old.get("format") != RUN_FORMAT:
        raise RunFolderError(
            f"{root / 'run.json'} must be of format {RUN_FORMAT}: it was written by another "
            "version; make the run anew in another folder."
        )
    for same, what, remedy in (
        (_same_config(old, new), "configuration", "undo the change in screen.toml"),
        (old.get("inputs") == new["inputs"], "images or plate map", "restore them"),
    ):
        if not same:
            raise RunFolderError(
                f"--resume must find the run it left; {root} was made from another {what}: "
                f"{remedy}, or run in another folder."
            )
