"""Typical crops of a ranking, as pictures."""

from __future__ import annotations

import pandas as pd

from counterstain.errors import InvalidInputError
from counterstain.figures.call_marks import treatment_names
from counterstain.figures.composite import compose_channels
from counterstain.figures.rescue_plane import Thumbnail
from counterstain.files import read_arrays
from counterstain.report.data import RunData
from counterstain.report.numbers import decimal
from counterstain.report.ranking_data import RankingData
from counterstain.report.sections.answer import GAMMA

__all__ = ["read_thumbnails"]


def read_thumbnails(data: RunData, ranking: RankingData) -> list[Thumbnail]:
    """Return the typical crops of a ranking as pictures; none where they are absent or damaged."""
    try:
        parts = read_arrays(data.folder.ranking)
        pictures = [compose_channels(image, data.colours, GAMMA) for image in parts["images"]]
        rows = zip(
            pictures, parts["compound"], parts["concentration"], parts["call"], parts["rescue"],
            parts["well"], strict=True,
        )  # fmt: skip
        return [
            Thumbnail(
                rgb,
                _named(str(compound), float(dose), ranking.unit),
                f"{well}, rescue {decimal(float(rescue))}",
            )
            for rgb, compound, dose, _, rescue, well in rows
        ]
    except (InvalidInputError, ValueError, KeyError):
        return []


def _named(compound: str, dose: float, unit: str) -> str:
    row = pd.DataFrame({"Metadata_Compound": [compound], "Metadata_Concentration": [dose]})
    return treatment_names(row, unit, 18)[0]
