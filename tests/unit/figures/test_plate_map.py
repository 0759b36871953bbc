from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from counterstain.figures.plate_map import draw_plate_map, score_limit

Make = Callable[..., pd.DataFrame]
Colliding = Callable[[Figure], list[tuple[str, str]]]


@pytest.mark.parametrize("size", [(8, 12), (16, 24)])
@pytest.mark.parametrize("classes", [("sick", "well"), ("diseased", "healthy", "toxic")])
def test_labels_do_not_meet(
    make_wells: Make, colliding: Colliding, size: tuple[int, int], classes: tuple[str, ...]
) -> None:
    wells = make_wells(*size, classes)
    wells.loc[[0, 5], ["n_fields"]] = 0
    wells.loc[7, "logit"] = np.nan
    wells.loc[7, [f"prob_{c}" for c in classes]] = np.nan
    assert colliding(draw_plate_map(wells, classes)) == []


def test_well_without_image_is_hatched_and_without_score_crossed(make_wells: Make) -> None:
    wells = make_wells()
    wells.loc[0, ["n_fields", "logit"]] = [0, np.nan]
    wells.loc[1, "logit"] = np.nan
    axes = draw_plate_map(wells, ["sick", "well"]).axes[0]
    hatched = [p for p in axes.patches if isinstance(p, FancyBboxPatch) and p.get_hatch()]
    assert len(hatched) == 1
    assert len(axes.lines) == 2


def test_ends_of_the_scale_are_the_classes_colours(make_wells: Make) -> None:
    wells = make_wells().iloc[:2].assign(logit=[-9.0, 9.0])
    axes = draw_plate_map(wells, ["sick", "well"], limit=4.0).axes[0]
    low, high = [to_rgb(p.get_facecolor()) for p in axes.patches[-2:]]
    assert low[0] > low[2]
    assert high[2] > high[0]


def test_limit_is_one_where_nothing_is_scored() -> None:
    assert score_limit(pd.Series([np.nan, np.nan])) == 1.0
