"""Crops that come labelled: a folder a class, no plate map and no wells.

Published sets of single cells are often kept so. They are no plate: what was imaged together (a
plate, a slide, a donor) is read from the file names, and is the unit of every split and interval.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError, MissingFileError, UnreadableImageError
from counterstain.plates.images import read_field

__all__ = ["LabelledCrops", "read_labelled_crops"]

_ENDINGS = {".png", ".tif", ".tiff"}
_SHOWN = 3


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCrops:
    """Crops with a class and a group each; training reads pixels from it as from a crop store.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (N, C, H, W)
        Grey values as in the files.
    classes : ndarray of int64, shape (N,)
        Class index of each crop.
    groups : ndarray of str, shape (N,)
        What each crop was imaged with, such as its plate.
    class_names : tuple of str
        The K classes, sorted.
    paths : tuple of Path
        The files.
    notes : tuple of str
        What a reader of the results must know, such as classes of a single group.
    """

    pixels: NDArray[Any]
    classes: NDArray[np.int64]
    groups: NDArray[np.str_]
    class_names: tuple[str, ...]
    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def group_index(self) -> NDArray[np.int64]:
        """Number of each crop's group, groups in sorted order."""
        return np.unique(self.groups, return_inverse=True)[1].astype(np.int64)

    @property
    def single_group_classes(self) -> tuple[str, ...]:
        """Classes of one group only: nothing of them is left to train on when it is held out."""
        return tuple(
            name
            for k, name in enumerate(self.class_names)
            if np.unique(self.groups[self.classes == k]).size < 2
        )

    def scaled(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return float32 (n, C, H, W): grey values over the largest that the dtype holds."""
        chosen = self.pixels[np.asarray(ids, np.intp)].astype(np.float32)
        chosen *= np.float32(1 / np.iinfo(self.pixels.dtype).max)
        return chosen

    def count_step(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return the size of one grey value on that scale, float32 (n, C)."""
        step = 1 / np.iinfo(self.pixels.dtype).max
        return np.full((len(np.asarray(ids)), self.pixels.shape[1]), step, np.float32)


def read_labelled_crops(
    folder: str | Path, group: str, *, leave_out: Sequence[str] = ()
) -> LabelledCrops:
    r"""Read a folder of crops in which each subfolder is a class.

    Parameters
    ----------
    folder : str or Path
        Holds a subfolder a class, with PNG or TIFF files of one size, one dtype and one channel.
    group : str
        Regular expression, matched at the start of the file name, whose first bracket is the group:
        ``r"(.+?)___"`` takes all before three underscores. Crops of one group are never split
        between training and scoring.
    leave_out : sequence of str
        Classes not to read.

    Returns
    -------
    LabelledCrops
        Crops sorted by class and file name. A class in one group only is kept and noted.

    Raises
    ------
    MissingFileError
        If there is no such folder.
    UnreadableImageError
        If a file cannot be decoded; all such files at once.
    InvalidInputError
        If the pattern is none or fits a name not, sizes or dtypes differ, there are fewer than two
        classes, or every crop is of one group.

    Examples
    --------
    >>> import tempfile, tifffile
    >>> root = Path(tempfile.mkdtemp())
    >>> for name in ("round/P1_a.tif", "round/P2_a.tif", "flat/P1_b.tif", "flat/P2_b.tif"):
    ...     (root / name).parent.mkdir(exist_ok=True)
    ...     tifffile.imwrite(root / name, np.full((8, 8), 51, np.uint8))
    >>> crops = read_labelled_crops(root, r"(.+?)_")
    >>> crops.class_names, crops.groups.tolist(), crops.pixels.shape
    (('flat', 'round'), ['P1', 'P2', 'P1', 'P2'], (4, 1, 8, 8))
    >>> round(float(crops.scaled([0]).max()), 6)
    0.2
    """
    root, pattern = Path(folder), _pattern(group)
    files = _files(root, set(leave_out))
    groups = _groups([path for _, path in files], pattern)
    pixels = _pixels([path for _, path in files])
    names = tuple(sorted({name for name, _ in files}))
    index = np.array([names.index(name) for name, _ in files], np.int64)
    crops = LabelledCrops(pixels, index, groups, names, tuple(path for _, path in files))
    notes = [
        f"Class {name!r} is in one group only ({groups[index == names.index(name)][0]}): when it "
        "is held out, nothing of the class is left to train on."
        for name in crops.single_group_classes
    ]
    return LabelledCrops(pixels, index, groups, names, crops.paths, tuple(notes))


def _pattern(group: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise InvalidInputError(
            f"`group` must be a regular expression; got {group!r} ({error}): mend it."
        ) from error
    if pattern.groups < 1:
        raise InvalidInputError(
            f"`group` must hold a bracket around the group's name; got {group!r}: write "
            r"for example r'(.+?)___'."
        )
    return pattern


def _files(root: Path, left_out: set[str]) -> list[tuple[str, Path]]:
    if not root.is_dir():
        raise MissingFileError(
            f"{root} must be a folder with a subfolder a class; there is none: check the path."
        )
    folders = {path.name: path for path in sorted(root.iterdir()) if path.is_dir()}
    unknown = sorted(left_out - set(folders))
    if unknown:
        raise InvalidInputError(
            f"`leave_out` must name classes of {root}; got {', '.join(unknown)}: it has "
            f"{', '.join(folders) or 'none'}."
        )
    files = [
        (name, path)
        for name, inside in folders.items()
        if name not in left_out
        for path in sorted(inside.iterdir())
        if path.suffix.lower() in _ENDINGS
    ]
    found = {name for name, _ in files}
    if len(found) < 2:
        raise InvalidInputError(
            f"{root} must hold two subfolders with PNG or TIFF files or more, a class each; got "
            f"{len(found)}: check the path."
        )
    return files


def _groups(paths: list[Path], pattern: re.Pattern[str]) -> NDArray[np.str_]:
    found = [pattern.match(path.name) for path in paths]
    bad = [path.name for path, match in zip(paths, found, strict=True) if not (match and match[1])]
    if bad:
        raise InvalidInputError(
            f"`group` must fit every file name; {pattern.pattern!r} does not fit {len(bad)} of "
            f"{len(paths)}, such as {', '.join(bad[:_SHOWN])}: mend the pattern or the names."
        )
    groups = np.array([match[1] for match in found if match])
    if np.unique(groups).size < 2:
        raise InvalidInputError(
            f"`group` must tell two groups apart or more; got {groups[0]!r} for every file: with "
            "one group there is nothing to hold out."
        )
    return groups


def _pixels(paths: list[Path]) -> NDArray[Any]:
    pixels: list[NDArray[Any]] = []
    problems: list[str] = []
    for path in paths:
        try:
            pixels.append(read_field({"path_0": str(path), "page_0": 0}, 1))
        except UnreadableImageError as error:
            problems += error.problems
    if problems:
        raise UnreadableImageError(problems)
    kinds = Counter((image.shape[1:], str(image.dtype)) for image in pixels)
    if len(kinds) > 1:
        usual = kinds.most_common(1)[0][0]
        odd = next(
            f"{path} ({image.shape[1]} x {image.shape[2]} px, {image.dtype})"
            for path, image in zip(paths, pixels, strict=True)
            if (image.shape[1:], str(image.dtype)) != usual
        )
        (height, width), dtype = usual
        raise InvalidInputError(
            f"Crops must be of one size and dtype; most are {height} x {width} px, {dtype}, but "
            f"{odd} and {sum(kinds.values()) - kinds[usual] - 1} more are not: cut them alike."
        )
    return np.stack(pixels)
