from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from counterstain.errors import InvalidInputError
from counterstain.figures.attribution import draw_attribution_sheet, draw_channel_maps
from counterstain.figures.attribution_gallery import draw_outcome_gallery, outcome_rows
from counterstain.figures.attribution_record import AttributionPictures
from counterstain.figures.attribution_tiles import blend_map, why_no_map
from counterstain.figures.cell_occlusion import draw_cell_occlusion
from counterstain.figures.composite import channel_colours

Colliding = Callable[[Figure], list[tuple[str, str]]]
CLASSES = ["diseased", "a class with a long name"]
METHODS = ["saliency", "smooth_grad", "integrated_gradients", "grad_cam", "grad_cam_plus_plus",
           "occlusion"]  # fmt: skip


def pictures(n: int = 3, n_channels: int = 2, methods: list[str] | None = None) -> Any:
    rng = np.random.default_rng(0)
    images = rng.random((n, n_channels, 12, 12)).astype(np.float32)
    nuclei = np.zeros((n, 12, 12), np.uint8)
    nuclei[:, 4:8, 4:8], nuclei[:, :2, :2] = 1, 2
    source, called = np.arange(n) % 2, np.arange(n) // 2 % 2
    names = METHODS if methods is None else methods
    return AttributionPictures(
        images=images, nuclei=nuclei, crop=np.arange(n), plate=np.full(n, "P"),
        well=np.array([f"B{i:02d} long plate" for i in range(n)]), source=source, called=called,
        target=called, score=np.full(n, -1.26),
        outcome=np.where(source == called, "right", "wrong"),
        maps={m: (10.0**-i * rng.normal(size=images.shape)).astype(np.float32)
              for i, m in enumerate(names)},
    )  # fmt: skip


def said(figure: Figure) -> str:
    texts = [t.get_text() for axes in figure.axes for t in axes.texts]
    return "\n".join([*texts, *(t.get_text() for t in figure.texts)])


@pytest.mark.parametrize("n_methods", [1, 6])
def test_sheet_labels_do_not_meet(colliding: Colliding, n_methods: int) -> None:
    sanity = dict(zip(METHODS, ("fail", "pass", "unknown", "fail", "fail", "pass"), strict=True))
    figure = draw_attribution_sheet(
        pictures(methods=METHODS[:n_methods]), CLASSES, channel_colours(2), sanity=sanity
    )
    assert colliding(figure) == []
    assert len(figure.axes) == 3 * (1 + n_methods) + 1
    assert "fails the\nsanity check:\ndo not read" in said(figure)
    assert "log-odds −1.3" in said(figure)


@pytest.mark.parametrize("n_channels", [2, 8])
def test_channel_labels_do_not_meet(colliding: Colliding, n_channels: int) -> None:
    channels = [f"mitochondria stain {i}" for i in range(n_channels)]
    figure = draw_channel_maps(
        pictures(n_channels=n_channels), "occlusion", channels, CLASSES,
        channel_colours(n_channels), pixel_size_um=0.65, status="fail",
    )  # fmt: skip
    assert colliding(figure) == []
    assert len(figure.axes) == 3 * (1 + n_channels) + 1


def test_gallery_labels_do_not_meet_and_an_empty_outcome_is_said(colliding: Colliding) -> None:
    made = pictures(n=26)
    figure = draw_outcome_gallery(
        made, 0, "occlusion", CLASSES, channel_colours(2), status="fail", pixel_size_um=0.65
    )
    assert colliding(figure) == []
    assert len(figure.axes) == 2 * 2 * 6 + 1
    assert "occlusion fails the sanity check on this network: do not read its maps." in said(figure)
    right, _ = outcome_rows(made, 0)
    alone = draw_outcome_gallery(made.take(right), 0, "occlusion", CLASSES, channel_colours(2))
    assert colliding(alone) == []
    assert "None of the pictured crops was called so wrongly." in said(alone)


def test_a_method_has_one_unit_for_the_whole_figure() -> None:
    made = pictures(n=2, n_channels=1, methods=["saliency"])
    made.maps["saliency"][0] = 1e-3 * made.maps["saliency"][1]
    unit = made.unit("saliency")
    assert unit == pytest.approx(np.percentile(np.abs(made.summed("saliency")), 99))
    figure = draw_attribution_sheet(made, CLASSES, ["white"])
    faint, strong = (np.asarray(figure.axes[i].images[0].get_array()) for i in (1, 3))
    assert np.ptp(faint[..., 0] - faint[..., 1]) < 0.05 * np.ptp(strong[..., 0] - strong[..., 1])


def test_signs_have_colours_of_their_own() -> None:
    rgb = blend_map(np.array([[-1.0, 0.0, 1.0]]), np.full((1, 3), 0.5), 1.0)[0]
    assert rgb[0, 0] > rgb[0, 1]
    assert np.ptp(rgb[1]) < 0.02
    assert rgb[2, 1] > rgb[2, 0]


@pytest.mark.parametrize(
    ("value", "word"),
    [(0.0, "constant"), (3.0, "constant"), (np.nan, "not finite"), (np.inf, "not finite")],
)
def test_maps_without_a_picture_say_why(value: float, word: str) -> None:
    made = pictures(n=1, n_channels=1, methods=["saliency"])
    made.maps["saliency"][:] = value
    assert word in said(draw_attribution_sheet(made, CLASSES, ["white"]))
    assert why_no_map(made.maps["saliency"][0, 0], made.unit("saliency")) == word


def test_maps_that_are_nearly_all_zero_keep_a_unit() -> None:
    made = pictures(n=1, n_channels=1, methods=["saliency"])
    made.maps["saliency"][:] = 0
    assert np.isnan(made.unit("saliency"))
    made.maps["saliency"][0, 0, 3, 3] = -2
    assert made.unit("saliency") == 2


def test_records_that_do_not_fit_are_refused() -> None:
    made = pictures()
    parts = {name: getattr(made, name) for name in made.row_names()}
    with pytest.raises(InvalidInputError, match="well differ"):
        AttributionPictures(**(parts | {"well": made.well[:1]}))
    with pytest.raises(InvalidInputError, match="map_mine"):
        AttributionPictures(**parts, maps={"mine": np.zeros((1, 1))})
    with pytest.raises(KeyError):
        AttributionPictures.from_arrays(parts | {"methods": np.array(["saliency"])})


def test_what_cannot_be_drawn_is_refused() -> None:
    made = pictures()
    with pytest.raises(InvalidInputError, match="one to 6"):
        draw_attribution_sheet(made, CLASSES, channel_colours(2), methods=[])
    with pytest.raises(InvalidInputError, match="no_such"):
        draw_channel_maps(made, "no_such", ["a", "b"], CLASSES, channel_colours(2))
    with pytest.raises(InvalidInputError, match="class_index"):
        draw_outcome_gallery(made, 5, "occlusion", CLASSES, channel_colours(2))


def summary(series: list[str]) -> pd.DataFrame:
    rows = [
        {"called": name, "region": region, "channel": channel, "drop": 1.0, "drop_low": 0.8,
         "drop_high": 1.2, "flips": 0.4, "flips_low": np.nan, "flips_high": np.nan}
        for region in ("nucleus", "background")
        for channel in ("DNA", "a channel with a long name", "all")
        for name in series
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_cell_occlusion_labels_do_not_meet(colliding: Colliding) -> None:
    figure = draw_cell_occlusion(summary(CLASSES), CLASSES)
    assert colliding(figure) == []
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[0] == "nucleus · DNA"
    assert labels[-1] == "background · all channels"


def test_cell_occlusion_of_too_many_classes_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="pool"):
        draw_cell_occlusion(summary(list("abcde")), list("abcde"))
    with pytest.raises(InvalidInputError, match="got 0"):
        draw_cell_occlusion(pd.DataFrame(), CLASSES)
