"""What is done to one field, and how fields pass in order through a few threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from counterstain.config import ScreenConfig
from counterstain.errors import UnreadableImageError
from counterstain.plates.crops import Crops, cut_crops
from counterstain.plates.images import read_field
from counterstain.plates.nuclei import find_nuclei
from counterstain.plates.quality import measure_quality, quality_columns

__all__ = ["WorkedField", "in_order", "work_field", "work_fields"]

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class WorkedField:
    """One field after it was decoded, measured and cut.

    Parameters
    ----------
    pixels : (C, H, W) array, or None
        Grey values; None where the field could not be decoded.
    crops : Crops, or None
        Its crops.
    measures : dict
        Columns of ``tables/fields.parquet``; ``problem`` is empty where all went well.
    """

    pixels: NDArray[Any] | None
    crops: Crops | None
    measures: dict[str, Any]


def work_field(row: Mapping[str, Any], config: ScreenConfig) -> WorkedField:
    """Decode, measure and cut one field; what cannot be decoded is said, not raised.

    Parameters
    ----------
    row : mapping
        A row of ``Screen.fields``.
    config : ScreenConfig
        The screen's configuration.

    Returns
    -------
    WorkedField
        Pixels, crops and measures.
    """
    channels = config.images.channels
    problem = str(row["problem"])
    if not problem:
        try:
            pixels = read_field(row, len(channels))
        except UnreadableImageError as error:
            problem = " ".join(error.problems)
    if problem:
        measures: dict[str, Any] = dict.fromkeys(quality_columns(channels), np.nan)
        counts = dict.fromkeys(("n_crops", "n_border", "n_odd_size", "n_over_limit"), 0)
        return WorkedField(None, None, {"problem": problem, **counts, **measures})
    nuclei = find_nuclei(pixels[config.nucleus_index])
    crops = cut_crops(pixels, nuclei, config.crops)
    counts = {
        "n_crops": len(crops),
        "n_border": crops.n_border,
        "n_odd_size": crops.n_odd_size,
        "n_over_limit": crops.n_over_limit,
    }
    measures = measure_quality(pixels, nuclei, channels)
    return WorkedField(pixels, crops, {"problem": "", **counts, **measures})


def work_fields(
    rows: Sequence[Mapping[str, Any]], config: ScreenConfig, threads: int = 2
) -> Iterator[WorkedField]:
    """Work on fields in a few threads; they come out in the order of `rows`.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of ``Screen.fields``.
    config : ScreenConfig
        The screen's configuration.
    threads : int
        Fields worked on at the same time.

    Yields
    ------
    WorkedField
        One for each row.
    """
    return in_order(lambda row: work_field(row, config), rows, threads)


def in_order(work: Callable[[_T], _R], items: Iterable[_T], threads: int = 2) -> Iterator[_R]:
    """Work on items in a few threads, and give the results in the order of the items.

    Only a handful are under way at a time, so that memory does not grow with their number.

    Parameters
    ----------
    work : callable
        Done to each item.
    items : iterable
        What to work on.
    threads : int
        Items worked on at the same time.

    Yields
    ------
    object
        One result for each item.

    Examples
    --------
    >>> list(in_order(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[_R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
