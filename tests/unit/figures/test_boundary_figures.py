from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from counterstain.errors import InvalidInputError
from counterstain.figures.boundary import draw_boundary_plane
from counterstain.figures.composite import channel_colours
from counterstain.figures.generated import draw_morphs, draw_reconstructions, draw_samples
from counterstain.figures.isosurface import draw_isosurface_strips
from counterstain.figures.picture_record import BoundaryPictures, GeneratedPictures

Colliding = Callable[[Figure], list[tuple[str, str]]]
CLASSES = ["diseased fibroblasts", "healthy"]


def boundary_arrays(n_channels: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    places = np.array([-4.1, -2.7, -1.35, 0.0, 1.4, 2.8, 4.4])
    both = np.array([0, 1])
    rows = np.repeat(both, 3)
    return {
        "path_images": rng.random((2, 7, n_channels, 24, 24)).astype(np.float32),
        "path_log_odds": np.stack([places, places]),
        "path_component": rng.normal(0, 0.1, (2, 7)) + both[:, None],
        "path_credible": np.ones((2, 7), bool),
        "path_original": np.array([1, 5]), "path_start": both, "path_source": 0 * both,
        "path_target": 0 * both + 1, "path_well": np.array(["A01 plate one", "B12"]),
        "path_error": np.full((2, 7), 1e-6),
        "surface_images": rng.random((6, 5, n_channels, 24, 24)).astype(np.float32),
        "surface_log_odds": np.full((6, 5), -2.7), "surface_error": np.full((6, 5), 1e-6),
        "surface_shift": np.tile([-2.0, -1, 0, 1, 2], (6, 1)),
        "surface_component": np.tile([0, 1, 2], 2), "surface_start": rows,
        "surface_source": 0 * rows, "surface_target": 0 * rows + 1,
        "surface_share": np.full(6, 0.016), "surface_well": np.repeat(["A01", "B12"], 3),
    }  # fmt: skip


def points(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    names = np.array([*CLASSES, ""], object)[np.arange(n) % 3]
    centre = np.array([-2.7, 2.7, 0.0])[np.arange(n) % 3]
    return pd.DataFrame({
        "Metadata_Plate": "P", "Metadata_Well": [f"A{i % 12 + 1:02d}" for i in range(n)],
        "class_name": names, "log_odds": rng.normal(centre, 1.0), "component": rng.normal(0, 1, n),
    })  # fmt: skip


def draw_plane(n_channels: int = 2, table: pd.DataFrame | None = None, **options: Any) -> Figure:
    pictures = BoundaryPictures.from_arrays(boundary_arrays(n_channels))
    pair = (CLASSES[0], CLASSES[1])
    colours = channel_colours(n_channels)
    table = points() if table is None else table
    return draw_boundary_plane(table, pictures, pair, CLASSES, colours, **options)


def texts(figure: Figure) -> list[list[str]]:
    return [[t.get_text() for t in axes.texts] for axes in figure.axes if axes.images]


@pytest.mark.parametrize("n_channels", [1, 3, 8])
def test_labels_of_the_plane_do_not_meet(colliding: Colliding, n_channels: int) -> None:
    figure = draw_plane(n_channels, pixel_size_um=0.65, component_note="↑ brighter mitochondria")
    assert colliding(figure) == []
    assert len(figure.axes) == 1 + 14


def test_every_computed_picture_says_so_and_originals_do_not() -> None:
    said = ["computed" in words for words in texts(draw_plane())]
    assert [i for i, computed in enumerate(said) if not computed] == [1, 7 + 5]
    pictures = BoundaryPictures.from_arrays(boundary_arrays(1))
    strips = draw_isosurface_strips(pictures, CLASSES, ["white"])
    said = ["computed" in words for words in texts(strips)]
    assert [i % 5 for i, computed in enumerate(said) if not computed] == [2] * 6


def test_points_are_all_drawn_or_counted() -> None:
    table = points()
    table.loc[5, "log_odds"] = 1e4
    figure = draw_plane(table=table)
    plane = figure.axes[0]
    assert len(plane.collections[0].get_offsets()) == len(table)
    assert any("cells beyond the frame: 1" in t.get_text() for t in plane.texts)
    assert len(figure.axes[0].lines) >= 3
    legend = [t.get_text() for t in figure.legends[0].get_texts()]
    assert legend[1] == "healthy (4 wells, 100 cells)"


def test_a_plane_without_pictures_is_still_drawn() -> None:
    none = BoundaryPictures.from_arrays({})
    pair = (CLASSES[0], CLASSES[1])
    figure = draw_boundary_plane(points(), none, pair, CLASSES, ["white"])
    assert len(figure.axes) == 1
    with pytest.raises(InvalidInputError, match="at least one crop"):
        draw_boundary_plane(points().head(0), none, pair, CLASSES, ["white"])
    with pytest.raises(InvalidInputError, match="at least one isosurface"):
        draw_isosurface_strips(none, CLASSES, ["white"])


def test_isosurface_labels_do_not_meet(colliding: Colliding) -> None:
    pictures = BoundaryPictures.from_arrays(boundary_arrays(2))
    figure = draw_isosurface_strips(pictures, CLASSES, channel_colours(2), pixel_size_um=0.3)
    assert colliding(figure) == []


def generated(n: int = 8) -> GeneratedPictures:
    rng = np.random.default_rng(0)
    images = rng.random((2 * n, 2, 24, 24)).astype(np.float32)
    classes, wells = np.repeat([0, 1], n), np.array([f"B{i:02d}" for i in range(2 * n)])
    return GeneratedPictures.from_arrays({
        "sample_images": images, "sample_class": classes, "sample_outside": classes > 3,
        "sample_temperature": np.full(2 * n, 0.7), "real_images": images, "real_class": classes,
        "real_well": wells, "morph_images": rng.random((3, 7, 2, 24, 24)).astype(np.float32),
        "morph_first": wells[:3], "morph_second": wells[3:6], "morph_source": np.zeros(3, int),
        "morph_target": np.ones(3, int), "rebuilt_original": images, "rebuilt_images": images,
        "rebuilt_class": classes, "rebuilt_well": wells, "rebuilt_error": np.full(2 * n, 0.0712),
    })  # fmt: skip


@pytest.mark.parametrize("draw", [draw_samples, draw_morphs, draw_reconstructions])
def test_gallery_labels_do_not_meet(colliding: Colliding, draw: Callable[..., Figure]) -> None:
    figure = draw(generated(), CLASSES, channel_colours(2), pixel_size_um=0.65)
    assert colliding(figure) == []


@pytest.mark.parametrize(
    ("draw", "photographs"),
    [
        (draw_samples, [*range(8), *range(16, 24)]),
        (draw_morphs, [0, 6, 7, 13, 14, 20]),
        (draw_reconstructions, [*range(8), *range(16, 24)]),
    ],
)
def test_generated_is_printed_on_every_generated_picture(
    draw: Callable[..., Figure], photographs: list[int]
) -> None:
    figure = draw(generated(), CLASSES, channel_colours(2))
    said = ["generated" in words for words in texts(figure)]
    assert [i for i, made in enumerate(said) if not made] == photographs


def test_an_inexact_picture_is_left_empty() -> None:
    pictures = generated()
    pictures.morph_images[1, 3] = np.nan
    said = texts(draw_morphs(pictures, CLASSES, channel_colours(2)))
    assert [i for i, words in enumerate(said) if "not shown" in " ".join(words)] == [7 + 3]
    arrays = boundary_arrays(1)
    for name in ("path_images", "path_log_odds", "path_component"):
        arrays[name][0, 6] = np.nan
    around = BoundaryPictures.from_arrays(arrays)
    pair = (CLASSES[0], CLASSES[1])
    said = texts(draw_boundary_plane(points(), around, pair, CLASSES, ["white"]))
    assert [i for i, words in enumerate(said) if "not shown" in " ".join(words)] == [6]


@pytest.mark.parametrize("draw", [draw_samples, draw_morphs, draw_reconstructions])
def test_an_empty_gallery_is_no_figure(draw: Callable[..., Figure]) -> None:
    with pytest.raises(InvalidInputError, match="at least one"):
        draw(GeneratedPictures.from_arrays({}), CLASSES, ["white"])


def test_arrays_of_a_group_must_fit() -> None:
    arrays = boundary_arrays(1)
    arrays["path_well"] = arrays["path_well"][:1]
    with pytest.raises(InvalidInputError, match="those of path differ in length"):
        BoundaryPictures.from_arrays(arrays)
