"""Small minibatches on several cores: one a core, instead of each over all cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["side_by_side"]

_Part = TypeVar("_Part")
_Found = TypeVar("_Found")


def side_by_side(
    work: Callable[[_Part], _Found], parts: Sequence[_Part], device: torch.device
) -> list[_Found]:
    """Do independent pieces of inference, on a CPU as many at a time as torch may use threads.

    The operations are too small to be shared out: cores that wait for each other after every one
    of them take a quarter longer than cores that each do their own.

    Parameters
    ----------
    work : callable
        From a part to what is found; run in inference mode.
    parts : sequence
        What there is to do.
    device : torch.device
        Elsewhere than on a CPU parts are done one after the other.

    Returns
    -------
    list
        In the order of `parts`.

    Examples
    --------
    >>> side_by_side(lambda x: x * 2, [1, 2, 3], torch.device("cpu"))
    [2, 4, 6]
    """
    threads = torch.get_num_threads()

    def one(part: _Part) -> _Found:
        # Inference mode belongs to a thread.
        with torch.inference_mode():
            return work(part)

    if device.type != "cpu" or threads < 2 or len(parts) < 2:
        return [one(part) for part in parts]
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(one, parts))
    finally:
        torch.set_num_threads(threads)
