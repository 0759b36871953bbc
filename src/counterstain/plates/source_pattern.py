"""Finding images by their file names."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from counterstain.config import ImagesConfig
from counterstain.errors import InvalidInputError
from counterstain.plates.containers import IMAGE_SUFFIXES
from counterstain.plates.conventions import (
    FileName,
    NamePattern,
    compile_pattern,
    guess_ready_made,
)
from counterstain.plates.sources import Found, Plane, list_some, match_channels

__all__ = ["find_by_pattern"]


@dataclass(slots=True)
class _Listing:
    images: list[str] = field(default_factory=list)  # relative to the root, forward slashes
    others: Counter[str] = field(default_factory=Counter)  # left aside, by kind
    skipped: list[str] = field(default_factory=list)  # folders that are not searched


def _kind(name: str) -> str:
    """Return what a file is that is no image; empty for images."""
    path = PurePosixPath(name.lower())
    if name.startswith("."):
        return "hidden"
    if "_thumb" in path.stem:
        return "thumbnail"
    return "" if path.suffix in IMAGE_SUFFIXES else path.suffix or "without ending"


def _list_images(root: Path) -> _Listing:
    listing = _Listing()
    seen: set[str] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        relative = Path(folder).relative_to(root).as_posix()
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        if "run.json" in files:
            listing.skipped.append(relative)
            folders.clear()
            continue
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f[-5:] != ".zarr")
        for name in sorted(files):
            kind = _kind(name)
            if kind:
                listing.others[kind] += 1
            else:
                listing.images.append(name if relative == "." else f"{relative}/{name}")
    return listing


def _plate_of(path: str, images: ImagesConfig, map_plates: Sequence[str]) -> str:
    """Name the plate of a file whose name holds none."""
    if images.plate is not None:
        return images.plate
    folders = [*PurePosixPath(path).parts[-2::-1], images.root.resolve().name]
    for name in folders:
        for plate in (name, name.split("__")[0]):  # Harmony adds "__2024-...-Measurement 1"
            if plate in map_plates:
                return plate
    return map_plates[0] if len(map_plates) == 1 else images.root.resolve().name


def _notes(listing: _Listing, unmatched: list[str], pattern: NamePattern) -> list[str]:
    notes = []
    if listing.others:
        kinds = ", ".join(f"{count} {kind}" for kind, count in listing.others.most_common())
        total = sum(listing.others.values())
        notes.append(f"{total} file(s) below `images.root` are not images and were left: {kinds}.")
    if listing.skipped:
        shown = list_some(listing.skipped)
        notes.append(f"Folder(s) that hold a counterstain run were not searched: {shown}.")
    if unmatched:
        shown = list_some(unmatched)
        notes.append(
            f"{len(unmatched)} image file(s) do not fit the pattern {pattern.text!r} and were "
            f"left: {shown}."
        )
    return notes


def _nothing_matched(root: Path, listing: _Listing, pattern: NamePattern) -> str:
    if not listing.images:
        return (
            f"`images.root`: there is no image file below {root} "
            f"({sum(listing.others.values())} other file(s)): correct `root`."
        )
    guess = guess_ready_made(listing.images[:200])
    remedy = f"try `pattern = {guess!r}`" if guess else "change `pattern` so that it fits"
    return (
        f"`images.pattern`: none of the {len(listing.images)} image file(s) below {root} fits "
        f"{pattern.text!r}; one of them is {listing.images[0]!r}: {remedy}."
    )


def _planes(
    path: str, name: FileName, channels: dict[str, int], images: ImagesConfig, plate: str
) -> list[Plane]:
    """Return the channels that one file holds: one, or all of them as planes."""
    n_channels = len(images.channels)
    where = (plate, name.well, name.written, name.site)
    file = str(images.root / path)
    if name.channel is not None:
        return [Plane(*where, channels[name.channel], file, extra=name.extra)]
    return [
        Plane(*where, channel, file, channel, n_channels, name.extra)
        for channel in range(n_channels)
    ]


def find_by_pattern(images: ImagesConfig, map_plates: Sequence[str] = ()) -> Found:
    """Find all images below `images.root` whose path fits `images.pattern`.

    Parameters
    ----------
    images : ImagesConfig
        With `pattern` set and `root` absolute.
    map_plates : sequence of str
        Plates of the plate map, to name the plate of files whose name holds none.

    Returns
    -------
    Found
        A plane per file and channel; missing root and unknown channels are its errors.

    Raises
    ------
    InvalidInputError
        If the pattern itself is wrong.
    """
    if images.pattern is None:
        raise InvalidInputError("`images.pattern` must be given: say how files are named.")
    pattern = compile_pattern(images.pattern, images.tokens or images.channels)
    found = Found(plane_hint=pattern.plane_hint)
    if not images.root.is_dir():
        found.errors.append(
            f"`images.root` must be a folder; {images.root} does not exist: correct the path "
            "(relative paths start at the folder of screen.toml)."
        )
        return found
    listing = _list_images(images.root)
    names = {path: pattern.match(path) for path in listing.images}
    matched = {path: name for path, name in names.items() if name is not None}
    if not matched:
        found.errors.append(_nothing_matched(images.root, listing, pattern))
        return found
    found.notes += _notes(listing, [path for path in names if path not in matched], pattern)
    tokens = sorted({name.channel for name in matched.values() if name.channel is not None})
    channels: dict[str, int] = {}
    if tokens:
        channels, errors, notes = match_channels(tokens, images, "file names")
        found.errors += errors
        found.notes += notes
    unused: defaultdict[str, list[str]] = defaultdict(list)
    for path, name in matched.items():
        if name.channel is not None and name.channel not in channels:
            unused[name.channel].append(path)
            continue
        plate = name.plate or _plate_of(path, images, map_plates)
        found.planes += _planes(path, name, channels, images, plate)
    for token, paths in unused.items():
        found.notes.append(
            f"{len(paths)} image file(s) of channel {token!r}, which is none of `channels`, were "
            f"left, such as {paths[0]}."
        )
    return found
