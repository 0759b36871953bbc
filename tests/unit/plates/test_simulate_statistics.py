"""The classes overlap in everything but what was planted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage, stats
from skimage import filters

from counterstain.plates.simulate import simulate_plate

CHANNELS = ("DNA", "cytoplasm", "mitochondria")


def _auc(values: pd.Series, positive: pd.Series) -> float:
    a, b = values[positive], values[~positive]
    return float(stats.mannwhitneyu(a, b).statistic) / (len(a) * len(b))


def _otsu(image: np.ndarray[Any, Any]) -> float:
    return float(filters.threshold_otsu(image))  # type: ignore[no-untyped-call]


def _measure(pixels: np.ndarray[Any, Any]) -> dict[str, float]:
    dna, cytoplasm, mitochondria = pixels
    smooth = ndimage.gaussian_filter(dna, 1.5)
    nuclei = smooth > _otsu(smooth)
    count = ndimage.label(nuclei)[1]
    smooth = ndimage.gaussian_filter(cytoplasm, 2)
    cell = smooth > 0.6 * _otsu(smooth)
    found = {
        "count": float(count),
        "nuclear area": nuclei.sum() / count,
        "cell area": cell.sum() / count,
        "DNA in nuclei": dna[nuclei].mean(),
        "cytoplasm in cells": cytoplasm[cell].mean(),
        "mitochondria in cells": mitochondria[cell].mean(),
        "median mitochondria": float(np.median(mitochondria)),
    }
    for channel, image in zip(CHANNELS[:2], pixels, strict=False):
        found[f"mean {channel}"] = image.mean()
        found[f"sd {channel}"] = image.std()
        found[f"max {channel}"] = image.max()
        for percent in (10, 50, 90, 99):
            found[f"p{percent} {channel}"] = float(np.percentile(image, percent))
    return found


def _controls(folder: Path, phenotype: str) -> pd.DataFrame:
    screen = simulate_plate(
        folder, phenotype=phenotype, fields_per_well=1, field_size=256, compounds=0, faulty_fields=0
    )
    truth = json.loads(screen.with_name("truth.json").read_text())
    rows = []
    for well in truth["wells"]:
        stem = folder / "images" / f"P1_{well['well']}_s1"
        planes = [tifffile.imread(f"{stem}_{channel}.tif") for channel in CHANNELS]
        measured = _measure(np.stack(planes).astype(float) - 100)
        rows.append({"healthy": well["class"] == "healthy", **measured})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def controls(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return _controls(tmp_path_factory.mktemp("controls") / "plate", "mitochondria_down")


def test_classes_overlap_in_every_naive_statistic(controls: pd.DataFrame) -> None:
    healthy = controls["healthy"]
    for name in controls.columns.drop(["healthy", "mitochondria in cells"]):
        p = stats.ttest_ind(controls[name][healthy], controls[name][~healthy]).pvalue
        assert p > 1e-3, name
        assert 0.2 < _auc(controls[name], healthy) < 0.8, name


def test_planted_statistic_separates(controls: pd.DataFrame) -> None:
    values = controls["mitochondria in cells"]
    assert _auc(values, controls["healthy"]) == 1.0
    healthy, ill = values[controls["healthy"]], values[~controls["healthy"]]
    assert 0.45 < ill.mean() / healthy.mean() < 0.65


def test_null_plate_separates_in_nothing(tmp_path: Path) -> None:
    controls = _controls(tmp_path / "plate", "none")
    for name in controls.columns.drop("healthy"):
        values = controls[name]
        p = stats.ttest_ind(values[controls["healthy"]], values[~controls["healthy"]]).pvalue
        assert p > 1e-3, name


def test_wells_vary_in_number_of_cells(controls: pd.DataFrame) -> None:
    assert controls["count"].std() / controls["count"].mean() > 0.15
