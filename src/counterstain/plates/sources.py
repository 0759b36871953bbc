"""What the three ways of finding images have in common."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from counterstain.config import ImagesConfig

__all__ = ["Found", "Plane", "list_some", "match_channels"]


@dataclass(frozen=True, slots=True)
class Plane:
    """One channel of one field, and where its pixels are.

    Parameters
    ----------
    plate, well : str
        Plate, and well as "A01".
    written : str
        The well as the source writes it.
    site, channel : int
        Field number as written; index of the channel.
    path : str
        Image file, or folder of a zarr array.
    page : int
        Plane in that file, counted from 0.
    planes_in_file : int or None
        Planes that the file must hold; None where any number will do.
    extra : str
        Plane and time as written, for files that hold one of several.
    """

    plate: str
    well: str
    written: str
    site: int
    channel: int
    path: str
    page: int = 0
    planes_in_file: int | None = 1
    extra: str = ""


@dataclass(slots=True)
class Found:
    """Everything a source found.

    Parameters
    ----------
    planes : list of Plane
        In any order.
    errors, notes : list of str
        Sentences; errors stop the screen, notes do not.
    metadata : pandas.DataFrame or None
        Further columns by field (Metadata_Plate, Metadata_Well, ...), where the source has them.
    pixel_size_um : float or None
        Pixel size, where the source knows it.
    plane_hint : str
        What to do where a field comes in several planes or time points.
    """

    planes: list[Plane] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    metadata: pd.DataFrame | None = None
    pixel_size_um: float | None = None
    plane_hint: str = "keep one file a channel"


def list_some(items: Iterable[str], most: int = 5) -> str:
    """Write the first few items of a list, and how many more there are.

    Examples
    --------
    >>> list_some("abcd", most=2)
    'a, b and 2 more'
    """
    every = list(items)
    shown = ", ".join(every[:most])
    return f"{shown} and {len(every) - most} more" if len(every) > most else shown


def _number(token: str) -> int | None:
    match = re.fullmatch(r"(?:w|ch|c|channel)?[\s_]*0*(\d+)", token.casefold())
    return int(match[1]) if match else None


def _spellings(token: str) -> tuple[str, ...]:
    """Other ways to write a token of a file name: case, and either part of 'Blue - FITC'."""
    parts = [part.strip() for part in token.split(" - ")]
    return (token, token.casefold(), parts[0].casefold(), parts[-1].casefold())


def _same(found: str, wanted: str, level: int) -> bool:
    if level == 4:
        return _number(found) is not None and _number(found) == _number(wanted)
    return _spellings(found)[level] == (wanted if level == 0 else wanted.casefold())


def _best(found: Sequence[str], wanted: str) -> list[str]:
    """Return what stands for a channel, by the strictest way of comparing that finds any."""
    for level in range(5):
        hits = [token for token in found if _same(token, wanted, level)]
        if hits:
            return hits
    return []


def match_channels(
    found: Iterable[str], images: ImagesConfig, where: str, *, by_order: bool = False
) -> tuple[dict[str, int], list[str], list[str]]:
    """Say which channel each token of a source stands for.

    Tokens are compared exactly first, then without case, then by either part of "Blue - FITC",
    then as numbers ("w1", "01" and "1" are the same). Where no token is any channel's and there
    are as many as channels, numbers (or all tokens, with `by_order`) stand for the channels in
    their order, and a note says so.

    Parameters
    ----------
    found : iterable of str
        Tokens that the source uses.
    images : ImagesConfig
        With `channels`, and `tokens` where given.
    where : str
        "file names" or the like, for messages.
    by_order : bool
        Whether tokens that are no numbers may be taken in their order, too.

    Returns
    -------
    index : dict of str to int
        Channel index of each token that stands for a channel.
    errors, notes : list of str
        Sentences.

    Examples
    --------
    >>> images = ImagesConfig(pattern="incell", channels=("DNA", "GFP"), tokens=("DAPI", "FITC"))
    >>> match_channels(["DAPI - DAPI", "FITC - FITC"], images, "file names")[0]
    {'DAPI - DAPI': 0, 'FITC - FITC': 1}
    """
    tokens = list(dict.fromkeys(found))
    wanted = images.tokens or images.channels
    hits = [_best(tokens, token) for token in wanted]
    shown = list_some(map(repr, tokens), most=12)
    if not any(hits) and images.tokens is None and len(tokens) == len(wanted):
        numbers = [_number(token) for token in tokens]
        if None not in numbers:
            tokens.sort(key=lambda token: _number(token) or 0)
        if by_order or None not in numbers:
            pairs = ", ".join(f"{t!r} = {c}" for t, c in zip(tokens, images.channels, strict=True))
            note = f"Channels were matched to {where} by their order: {pairs}; `tokens` can say it."
            return {token: index for index, token in enumerate(tokens)}, [], [note]
    key = "tokens" if images.tokens else "channels"
    errors = []
    index: dict[str, int] = {}
    for number, (token, same) in enumerate(zip(wanted, hits, strict=True)):
        if len(same) == 1 and same[0] not in index:
            index[same[0]] = number
        elif same:
            errors.append(
                f"`images.{key}`: {token!r} does not single out a channel in the {where} "
                f"({shown}): set `tokens`, an entry a channel, as written there."
            )
        else:
            close = difflib.get_close_matches(token, tokens, n=1)
            guess = f"did you mean {close[0]!r}? " if close else ""
            errors.append(
                f"`images.{key}`: {token!r} does not occur in the {where}, where channels are "
                f"{shown}: {guess}set `tokens`, an entry a channel, as written there."
            )
    return index, errors, []
