"""From pixels to the masks of both kinds, by every way that the configuration offers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage

from counterstain.config import OverlapConfig
from counterstain.errors import InvalidInputError
from counterstain.masks.cell_split import split_cells
from counterstain.masks.field_masks import FieldMasker
from counterstain.masks.mask_overlap import overlap
from counterstain.masks.unet import UNetSegmenter

CHANNELS = ("DNA", "T cells", "dendritic cells")
NAMES = {"Metadata_Plate": "P", "Metadata_Well": "A01", "Metadata_Site": 1}


def discs(centres: list[tuple[int, int]], radius: float, side: int = 96) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    return np.any([np.hypot(y - cy, x - cx) < radius for cy, cx in centres], axis=0)


T_CELLS = discs([(20, 20), (20, 60), (60, 24)], 6)
DENDRITIC = discs([(22, 28), (64, 64)], 11)


def field() -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 6, (3, 96, 96))
    light = np.stack([np.zeros_like(T_CELLS), T_CELLS, DENDRITIC]) * 800.0
    return (ndimage.gaussian_filter(light, (0, 0.6, 0.6)) + 100 + noise).astype(np.uint16)


def masker(**settings: object) -> FieldMasker:
    return FieldMasker(OverlapConfig(channels=CHANNELS[1:], patch=16, **settings), CHANNELS)


@pytest.mark.parametrize(
    "settings",
    [{}, {"threshold": 500.0}, {"masks": "kmeans"}, {"threshold": "local", "window": 81}],
    ids=["otsu", "number", "kmeans", "local"],
)
def test_masks_are_those_that_were_drawn(settings: dict[str, object]) -> None:
    found = masker(**settings).masks(field(), NAMES)
    assert (int(found.mask_a.max()), int(found.mask_b.max())) == (3, 2)
    assert overlap(found.mask_a > 0, T_CELLS).iou > 0.8
    assert overlap(found.mask_b > 0, DENDRITIC).iou > 0.9


def test_the_first_two_channels_are_the_kinds_where_nothing_is_said() -> None:
    assert FieldMasker(OverlapConfig(), CHANNELS).kinds == ("DNA", "T cells")


def test_one_channel_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"two channels.*got \['DNA'\]"):
        FieldMasker(OverlapConfig(), ["DNA"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: np.full_like(x, 7), "T cells: every pixel is 7"),
        (lambda x: np.full_like(x, 65535), "T cells: every pixel is 65535"),
        (lambda x: np.where(x > 0, 4095, x).astype(np.uint16) - (x % 97 == 0), "saturated"),
    ],
    ids=["constant", "white", "saturated"],
)
def test_a_field_without_a_mask_says_why(change, words: str) -> None:
    pixels = field()
    pixels[1] = change(pixels[1])
    found = masker(saturation=4095).masks(pixels, NAMES)
    assert words in found.fault
    assert not found.mask_a.any()


@pytest.mark.parametrize("settings", [{}, {"threshold": "mean_sd"}, {"masks": "kmeans"}])
def test_noise_is_no_cell(settings: dict[str, object]) -> None:
    pixels = field()
    pixels[1] = np.random.default_rng(3).normal(100, 9, (96, 96)).astype(np.uint16)
    found = masker(**settings).masks(pixels, NAMES)
    assert found.fault == ""
    assert (int(found.mask_a.max()), int(found.mask_b.max())) == (0, 2)


def test_debris_is_in_no_mask_and_moves_no_threshold() -> None:
    pixels = field()
    pixels[1:, 70:92, 4:26] = 60_000
    found = masker().masks(pixels, NAMES)
    assert found.debris is not None
    assert found.debris[80, 15]
    assert int(found.mask_a.max()) == 3


def test_a_unet_sees_its_own_kind_first(tmp_path: Path) -> None:
    segmenter = UNetSegmenter(["own", "other"], seed=1)
    segmenter.save(tmp_path / "net")
    found = masker(masks="unet", weights=(tmp_path / "net",)).masks(field(), NAMES)
    planes = field()[1:]
    np.testing.assert_array_equal(found.mask_a, segmenter.instances(planes))
    np.testing.assert_array_equal(found.mask_b, segmenter.instances(planes[::-1]))


def write_labels(folder: Path, kinds: tuple[str, ...] = ("tcell", "dc")) -> None:
    folder.mkdir(exist_ok=True)
    for kind, mask in zip(kinds, (T_CELLS, DENDRITIC), strict=False):
        tifffile.imwrite(folder / f"P_A01_s1_{kind}.tif", split_cells(mask).astype(np.uint16))


def labelled(folder: Path, **settings: object) -> FieldMasker:
    fields = pd.DataFrame(
        {**{k: [v, v] for k, v in NAMES.items()}, "height": [96, 96], "width": [96, 96]}
    )
    fields["Metadata_Well"] = ["A01", "A02"]
    config = OverlapConfig(
        channels=CHANNELS[1:],
        masks="labels",
        labels_root=folder,
        labels_pattern="{plate}_{well}_s{site}_{channel}.tif",
        labels_channels=("tcell", "dc"),
        **settings,
    )
    return FieldMasker(config, CHANNELS, fields)


def test_label_images_of_other_programs_are_taken_as_they_are(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels")
    read = labelled(tmp_path / "labels")
    found = read.masks(field(), NAMES)
    np.testing.assert_array_equal(found.mask_b > 0, DENDRITIC)
    assert "1 imaged field(s) have no label image" in " ".join(read.notes)


def test_a_field_without_label_images_is_faulty_and_named(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels", ("tcell",))
    assert labelled(tmp_path / "labels").masks(field(), NAMES).fault == (
        "no label image of dendritic cells"
    )


def test_labels_of_another_size_are_refused_by_name(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels")
    tifffile.imwrite(tmp_path / "labels" / "P_A01_s1_dc.tif", np.ones((40, 40), np.uint16))
    with pytest.raises(InvalidInputError, match=r"P_A01_s1_dc.tif.*96 x 96.*40 x 40"):
        labelled(tmp_path / "labels")


def test_labels_as_fractions_are_refused_by_name(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels")
    tifffile.imwrite(tmp_path / "labels" / "P_A01_s1_dc.tif", np.full((96, 96), 0.5, np.float32))
    with pytest.raises(InvalidInputError, match=r"P_A01_s1_dc.tif"):
        labelled(tmp_path / "labels")
