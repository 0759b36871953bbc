"""What becomes 0 and 1 on a plate: found from the grey values of its negative controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.plates.images import read_field
from counterstain.plates.scaling import Histograms

__all__ = ["PlateCounts", "table_records"]

_Limits = tuple[NDArray[np.float64], NDArray[np.float64], list[str]]


class PlateCounts:
    """Counts grey values of one plate while its fields pass, controls apart from the others.

    Parameters
    ----------
    plate : str
        Its name.
    channels : sequence of str
        Channels in their order.
    rows : DataFrame
        The plate's rows of ``Screen.fields`` with ``is_control``.
    """

    def __init__(self, plate: str, channels: Sequence[str], rows: pd.DataFrame) -> None:
        dtypes = rows.loc[rows["readable"], "dtype"].unique()
        dtype = np.result_type(np.uint8, *(np.dtype(name) for name in dtypes))
        self.plate, self.channels = plate, tuple(channels)
        self._counts = {kind: Histograms(len(self.channels), dtype) for kind in (True, False)}

    def add(self, pixels: NDArray[Any], *, is_control: bool) -> None:
        """Count the pixels of a field (C, H, W)."""
        self._counts[bool(is_control)].add(pixels)

    def limits(self, fields: pd.DataFrame, percentiles: tuple[float, float]) -> _Limits:
        """Return what becomes 0 and 1 in each channel, and notes; faulty fields are taken out.

        Parameters
        ----------
        fields : DataFrame
            The plate's rows with ``problem``, ``is_control`` and ``faulty``.
        percentiles : (float, float)
            Percentages that become 0 and 1.

        Returns
        -------
        low, high : (C,) arrays of float64
            Grey values; 0 and 1 where nothing could be counted.
        notes : list of str
            Where no control could be used, or a channel hardly varies.
        """
        readable = fields["problem"] == ""
        for kind in (True, False):
            of_kind = fields[readable & (fields["is_control"] == kind)]
            if of_kind["faulty"].all():
                continue
            for row in table_records(of_kind[of_kind["faulty"]]):
                self._counts[kind].remove(read_field(row, len(self.channels)))
            break
        else:
            kind = bool(fields.loc[readable, "is_control"].any())
        notes: list[str] = []
        if not kind:
            notes.append(
                f"Plate {self.plate}: no usable field of a negative control; intensities are "
                "scaled by the other fields of the plate."
            )
        counts = self._counts[kind]
        if counts.n_pixels == 0:
            return np.zeros(len(self.channels)), np.ones(len(self.channels)), notes
        low, high, more = counts.limits(self.plate, self.channels, percentiles)
        return low, high, [*notes, *more]


def table_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dictionaries with text keys."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
