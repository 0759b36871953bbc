from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from PIL import Image

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.figures.composite import compose_channels
from counterstain.figures.overlap_classifier import ClassifierPanel, draw_classifier_accuracy
from counterstain.figures.overlap_latents import LatentColouring, draw_latent_maps, point_sizes
from counterstain.figures.overlap_patches import PatchPicture, PatchRow, draw_patch_examples
from counterstain.figures.overlap_pixels import PatchPixels
from counterstain.figures.overlap_reconstructions import draw_patch_reconstructions
from counterstain.figures.overlap_regression import RegressionPanel, draw_overlap_regression
from counterstain.figures.overlap_sprites import shrink_patches, write_sprites
from counterstain.plates.scaling import PixelScaling
from counterstain.plates.store import CropWriter

Colliding = Callable[[Figure], list[tuple[str, str]]]
KINDS, COLOURS = ("T cells", "dendritic cells"), ("#2fbf71", "#ff2e88")


def _store(path: Path, n: int, side: int = 24) -> Path:
    rng = np.random.default_rng(5)
    writer = CropWriter(path, (2, side, side), np.uint16)
    pixels = rng.integers(100, 1100, (n, 2, side, side)).astype(np.uint16)
    writer.append(pixels, rng.integers(0, 4, (n, side, side)).astype(np.uint8), plate=0)
    scaling = PixelScaling(("P",), np.array([[100.0, 100.0]]), np.array([[1100.0, 1100.0]]))
    writer.close({"channels": list(KINDS), "plates": ["P"], "pixel_size_um": 1.3}, scaling)
    return path


def _regions() -> np.ndarray:
    regions = np.zeros((24, 24), np.uint8)
    regions[4:12, 4:12] |= 1
    regions[8:18, 8:18] |= 2
    return regions


def test_masks_are_outlined_where_there_are_any(colliding: Colliding) -> None:
    pixels = np.random.default_rng(0).random((2, 24, 24))
    touching = PatchPicture(pixels, _regions(), "A01 · IoU 0.120")
    empty = PatchPicture(pixels, np.zeros((24, 24), np.uint8), "B02 · empty")
    rows = [PatchRow("OVA", [touching, touching, touching]), PatchRow("faulty", [empty])]
    figure = draw_patch_examples(rows, KINDS, COLOURS, 1.3, 0.6)
    outlines = [sum(isinstance(c, QuadContourSet) for c in a.collections) for a in figure.axes]
    assert outlines == [0, 3, 0, 3, 0, 3, 0, 0]
    texts = [t.get_text() for a in figure.axes for t in a.texts]
    assert texts.count("10 µm") == 4
    assert "A01 · IoU 0.120" in texts
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [*KINDS, "in both masks"]
    assert colliding(figure) == []


def test_no_scale_bar_where_the_scale_is_unknown() -> None:
    picture = PatchPicture(np.zeros((2, 24, 24)), _regions(), "A01")
    figure = draw_patch_examples([PatchRow("OVA", [picture])], KINDS, COLOURS, None)
    assert not [t for a in figure.axes for t in a.texts if "µm" in t.get_text()]


def test_errors_of_reconstructions_share_a_scale(colliding: Colliding) -> None:
    rng = np.random.default_rng(1)
    original = rng.random((9, 2, 24, 24))
    again = original + np.linspace(0.01, 0.5, 9)[:, None, None, None]
    words = [f"P{i}" for i in range(9)]
    figure = draw_patch_reconstructions(original, again, words, KINDS, COLOURS, 1.3)
    captions = [t.get_text() for a in figure.axes for t in a.texts]
    assert [c for c in captions if c.startswith("P")] == ["P0", "P2", "P4", "P6", "P8"]
    assert len(figure.axes) == 5 * 4 + 1
    best, worst = (figure.axes[4 * k + 2].images[0].get_array() for k in (0, 4))
    assert best is not None
    assert worst is not None
    assert np.ptp(np.asarray(best), axis=2).mean() < np.ptp(np.asarray(worst), axis=2).mean()
    assert colliding(figure) == []


def _points(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    points = pd.DataFrame(rng.normal(size=(n, 4)), columns=["umap1", "umap2", "pc1", "pc2"])
    points["overlap"] = rng.uniform(0, 0.4, n)
    points.loc[:9, ["umap1", "umap2"]] = np.nan
    return points


def test_every_patch_is_a_point_whose_size_is_its_overlap(colliding: Colliding) -> None:
    points = _points()
    names = [["unstimulated", "OVA", "ConA"][i % 3] for i in range(len(points))]
    drugs = [f"compound {i % 20}" for i in range(len(points))]
    rows = [
        LatentColouring("stimulation", "lies together", names, sorted(set(names))),
        LatentColouring("drug", "no structure beyond chance", drugs, sorted(set(drugs))),
    ]
    figure = draw_latent_maps(points, rows, (0.4, 0.2))
    for axes in figure.axes:
        assert sum(len(c.get_offsets()) for c in axes.collections) == len(points)
    sizes = np.concatenate([np.asarray(c.get_sizes()) for c in figure.axes[1].collections
                            if isinstance(c, PathCollection)])  # fmt: skip
    most = float(points["overlap"].max())
    assert sorted(sizes) == pytest.approx(sorted(point_sizes(points["overlap"].to_numpy(), most)))
    assert figure.axes[1].get_xlabel() == "component 1 (40 %)"
    labels = [t.get_text() for t in figure.axes[3].get_legend().get_texts()]
    assert labels[-1] == "8 others"
    assert len(labels) == 13
    assert figure.axes[2].get_title(loc="left") == "drug: no structure beyond chance"
    assert colliding(figure) == []


def test_without_a_umap_the_map_says_so() -> None:
    points = _points(20).assign(umap1=np.nan, umap2=np.nan)
    figure = draw_latent_maps(points, [LatentColouring("plate", "not judged", ["P"] * 20, ["P"])])
    assert "no UMAP: too few patches" in [t.get_text() for t in figure.axes[0].texts]


def test_accuracy_shows_the_gap_of_each_level(colliding: Colliding) -> None:
    accuracy = {
        "patches": {"train": 0.953, "validation": 0.94, "test": 0.921},
        "wells": {"train": 1.0, "validation": 1.0, "test": float("nan")},
    }
    curves = {"train": ([1, 50], [0.4, 0.95]), "validation": ([1, 50], [0.4, 0.94])}
    panels = [ClassifierPanel(t, accuracy, 0.33, curves, 50) for t in ("Plain", "Masked")]
    figure = draw_classifier_accuracy(panels)
    texts = [t.get_text() for t in figure.axes[0].texts]
    assert texts == ["95.3", "94.0", "92.1", "gap +3.2 points", "100.0", "100.0"]
    heights = [bar.get_height() for bar in figure.axes[0].patches]  # type: ignore[attr-defined]
    assert heights[:3] == pytest.approx([0.953, 0.94, 0.921])
    assert [list(line.get_ydata()) for line in figure.axes[1].get_lines()][:2] == [
        [0.4, 0.95],
        [0.4, 0.94],
    ]
    assert colliding(figure) == []


def test_regression_counts_every_patch(colliding: Colliding) -> None:
    rng = np.random.default_rng(4)
    measured = rng.uniform(0, 0.4, 200)
    patches = pd.DataFrame({
        "group": [("OVA", "ConA", "")[i % 3] for i in range(200)], "measured": measured,
        "predicted": measured + rng.normal(0, 0.02, 200),
    })  # fmt: skip
    words = "RMSE 0.020\nR² 0.97\nρ 0.98"
    panels = [RegressionPanel(title, words, patches) for title in ("Plain", "Masked")]
    figure = draw_overlap_regression(panels, ["OVA", "ConA"])
    scatter, errors, both = figure.axes[:3]
    assert sum(len(c.get_offsets()) for c in scatter.collections) == 200
    assert errors.patches[0].get_data().values.sum() == pytest.approx(1)  # type: ignore[attr-defined]
    assert [t.get_text() for t in both.get_legend().get_texts()] == [
        "measured  (200 patches)",
        "predicted  (200 patches)",
    ]
    assert scatter.texts[0].get_text() == words
    assert colliding(figure) == []


def test_shrinking_keeps_the_mean_of_any_size() -> None:
    pixels = np.random.default_rng(0).random((3, 2, 23, 23))
    for tile in (7, 23, 40):
        small = shrink_patches(pixels, tile)
        assert small.shape == (3, 2, tile, tile)
        assert small.mean(axis=(2, 3)) == pytest.approx(pixels.mean(axis=(2, 3)), abs=1e-5)


def _sheet(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")) / 255


def test_each_tile_shows_its_patch(tmp_path: Path) -> None:
    patches = PatchPixels.open(_store(tmp_path / "patches.zarr", 11))
    folder = tmp_path / "explorer"
    folder.mkdir()
    (folder / "patches_007.webp").write_bytes(b"old")
    table = write_sprites(patches, folder, COLOURS, tile=12, tiles_a_side=2)
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["patches_000.webp", "patches_001.webp", "patches_002.webp"]
    assert table["sheet"].tolist()[4] == "patches_001.webp"
    assert _sheet(folder / names[2]).shape == (24, 24, 3)
    pixels, _ = patches.read(range(11))
    expected = compose_channels(shrink_patches(pixels, 12), COLOURS)
    for record in table.to_dict("records"):
        sheet = _sheet(folder / str(record["sheet"]))
        top, left = 12 * int(record["row"]), 12 * int(record["column"])
        tile = sheet[top : top + 12, left : left + 12]
        own = [np.abs(tile.mean((0, 1)) - e.mean((0, 1))).max() for e in expected]
        # WebP loses a little; the place must be right.
        assert own[int(record["patch"])] < 0.06
        assert np.abs(tile - expected[int(record["patch"])]).mean() < 0.12


def test_the_last_sheet_is_no_taller_than_its_tiles(tmp_path: Path) -> None:
    patches = PatchPixels.open(_store(tmp_path / "patches.zarr", 5))
    write_sprites(patches, tmp_path / "explorer", COLOURS, tile=8, tiles_a_side=4)
    assert _sheet(tmp_path / "explorer" / "patches_000.webp").shape == (16, 32, 3)


@pytest.mark.parametrize(("tile", "side"), [(0, 4), (300, 64)])
def test_sheets_that_webp_cannot_hold_are_refused(tmp_path: Path, tile: int, side: int) -> None:
    patches = PatchPixels.open(_store(tmp_path / "patches.zarr", 2))
    with pytest.raises(InvalidInputError, match="tiles_a_side"):
        write_sprites(patches, tmp_path, COLOURS, tile=tile, tiles_a_side=side)


def test_blocks_and_single_reads_agree(tmp_path: Path) -> None:
    patches = PatchPixels.open(_store(tmp_path / "patches.zarr", 300, side=8))
    blocks = list(patches.blocks())
    assert [start for start, _ in blocks] == [0, 256]
    together = np.concatenate([pixels for _, pixels in blocks])
    pixels, regions = patches.read([299, 0])
    assert np.array_equal(together[[299, 0]], pixels)
    assert regions.shape == (2, 8, 8)
    assert patches.read([])[0].shape == (0, 2, 8, 8)
    with pytest.raises(MissingFileError):
        PatchPixels.open(tmp_path / "absent.zarr")
