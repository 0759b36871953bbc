from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from counterstain.errors import InvalidInputError
from counterstain.figures.composite import channel_colours
from counterstain.figures.effects import draw_effects
from counterstain.figures.faulty import FieldPicture, draw_faulty_fields, shrink
from counterstain.figures.strip_record import Strips, change_limit
from counterstain.figures.strips import draw_counterfactual_strips

Colliding = Callable[[Figure], list[tuple[str, str]]]
CLASSES = ["diseased", "healthy"]


def _strips(n: int, n_channels: int) -> Strips:
    rng = np.random.default_rng(0)
    images = rng.random((3, n, n_channels, 24, 24)).astype(np.float32)
    source = np.arange(n) % 2
    wells = np.array([f"B{i + 1:02d}" for i in range(n)])
    zero = np.zeros(n)
    return Strips(
        original=images[0],
        boundary=images[1],
        counterfactual=images[2],
        source=source,
        target=1 - source,
        well=wells,
        logit_original=zero - 3.21,
        logit_boundary=zero,
        logit_counterfactual=zero + 3.4,
        inverse_error=zero + 1e-6,
    )


@pytest.mark.parametrize("n_channels", [1, 2, 3, 5, 8])
def test_strip_labels_do_not_meet(colliding: Colliding, n_channels: int) -> None:
    channels = [f"mitochondria {i}" for i in range(n_channels)]
    figure = draw_counterfactual_strips(
        _strips(3, n_channels), channels, CLASSES, channel_colours(n_channels), pixel_size_um=0.65
    )
    assert colliding(figure) == []
    assert len(figure.axes) == 3 * (3 + n_channels) + 1


def test_computed_pictures_say_so_in_the_picture() -> None:
    figure = draw_counterfactual_strips(_strips(2, 2), ["a", "b"], CLASSES, channel_colours(2))
    said = [any("computed" in t.get_text() for t in axes.texts) for axes in figure.axes[5:8]]
    assert said == [False, True, True]


def test_differences_share_one_symmetric_scale() -> None:
    strips = _strips(2, 2)
    figure = draw_counterfactual_strips(strips, ["a", "b"], CLASSES, channel_colours(2))
    limits = {
        axes.images[0].get_clim()
        for axes in figure.axes[:-1]
        if axes.images[0].get_cmap().name == "counterstain.change"
    }
    assert limits == {(-change_limit(strips), change_limit(strips))}


def test_scale_bar_only_where_the_pixel_size_is_known() -> None:
    def texts(size: float | None) -> str:
        figure = draw_counterfactual_strips(
            _strips(1, 1), ["a"], CLASSES, ["white"], pixel_size_um=size
        )
        return " ".join(t.get_text() for axes in figure.axes for t in axes.texts)

    assert "µm" in texts(0.5)
    assert "µm" not in texts(None)


def test_strips_must_be_alike() -> None:
    one, other = np.ones((1, 1, 4, 4), np.float32), np.ones((1, 1, 5, 5), np.float32)
    none = np.zeros(1)
    with pytest.raises(InvalidInputError, match="alike"):
        Strips(one, other, one, none.astype(int), none.astype(int), none.astype(str), *[none] * 4)


def test_no_strip_is_no_figure() -> None:
    empty = _strips(2, 1).take(np.array([], dtype=int))
    with pytest.raises(InvalidInputError, match="at least one"):
        draw_counterfactual_strips(empty, ["a"], CLASSES, ["white"])


def _effects() -> pd.DataFrame:
    verdicts = ["confirmed", "not confirmed by real wells", "missed by the counterfactual", "none"]
    return pd.DataFrame({
        "channel": "mitochondria", "region": ["cell", "ring", "nucleus", "background"],
        "feature": "texture (SD over mean)", "unit": ["%", "%", "log2", "%"],
        "real": [38.0, 2, -0.4, np.nan], "real_low": [30.0, -1, -0.5, np.nan],
        "real_high": [45.0, 4, -0.3, np.nan], "counterfactual": [35.0, 12, 0, 0],
        "counterfactual_low": [31.0, 9, -0.1, -1], "counterfactual_high": [39.0, 15, 0.1, 1],
        "verdict": verdicts,
    })  # fmt: skip


def test_forest_has_an_axis_a_unit_and_every_verdict(colliding: Colliding) -> None:
    figure = draw_effects(_effects(), CLASSES)
    assert [len(axes.get_yticks()) for axes in figure.axes] == [3, 1]
    assert sum(len(axes.texts) for axes in figure.axes) == 4
    assert colliding(figure) == []


def test_faulty_fields_show_why_there_is_no_picture(colliding: Colliding) -> None:
    picture = FieldPicture("B02 · site 1", "out of focus: 0.1 of the plate", np.ones((2, 9, 9)))
    gone = FieldPicture("B03 · site 1", "unreadable", None, "the file is truncated")
    figure = draw_faulty_fields([picture, gone] * 3, channel_colours(2))
    assert "truncated" in figure.axes[1].texts[0].get_text()
    assert len(figure.axes) == 6
    assert colliding(figure) == []


def test_shrink_keeps_the_mean_of_even_blocks() -> None:
    field = np.random.default_rng(0).integers(0, 4095, (2, 640, 640)).astype(np.uint16)
    small = shrink(field, longest=320)
    assert small.shape == (2, 320, 320)
    assert small.mean() == pytest.approx(field.mean())
