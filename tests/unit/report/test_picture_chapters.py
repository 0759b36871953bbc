"""Chapters of the boundary and of generated pictures: what they say, also of what is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from counterstain.report import build_report
from counterstain.run_folder import RunFolder

MakeRun = Callable[..., RunFolder]
QUICK = {"cells": 3, "doses": False, "absent": ("pictures", "fields", "scores", "effects")}


def estimate(value: float) -> dict[str, Any]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "n_wells": 24, "reason": ""}


def add_pictures(folder: RunFolder, **changes: Any) -> None:
    rng = np.random.default_rng(0)
    wells = pd.read_parquet(folder.table("wells"))
    names = ("diseased", "healthy")
    wells["class_name"] = wells["class_name"].fillna("")
    table = wells[["Metadata_Plate", "Metadata_Well", "class_name"]].assign(
        source_class=names[0], target_class=names[1], crop=np.arange(len(wells)),
        log_odds=rng.normal(0, 2, len(wells)), component=rng.normal(0, 1, len(wells)),
    )  # fmt: skip
    table.to_parquet(folder.table("boundary"))
    likelihood = wells[["Metadata_Plate", "Metadata_Well", "class_name"]].assign(
        n_crops=25, bits_per_dim=rng.normal(3.4, 0.1, len(wells))
    )
    likelihood.to_parquet(folder.table("likelihood"))
    places = np.tile([-4.0, -2.7, -1.3, 0, 1.4, 2.8, 4.0], (2, 1))
    both, rows = np.array([0, 1]), np.repeat([0, 1], 3)
    np.savez(
        folder.boundary,
        path_images=rng.random((2, 7, 3, 12, 12), np.float32), path_log_odds=places,
        path_component=0 * places, path_credible=places < 3, path_original=both * 4 + 1,
        path_start=both, path_source=0 * both, path_target=0 * both + 1,
        path_well=np.array(["A01", "A11"]), path_error=0 * places,
        surface_images=rng.random((6, 5, 3, 12, 12), np.float32),
        surface_log_odds=np.full((6, 5), 2.7), surface_error=np.zeros((6, 5)),
        surface_shift=np.tile([-2.0, -1, 0, 1, 2], (6, 1)), surface_component=np.tile([0, 1, 2], 2),
        surface_start=rows, surface_source=0 * rows, surface_target=0 * rows + 1,
        surface_share=np.full(6, 0.016), surface_well=np.repeat(["A01", "A11"], 3),
    )  # fmt: skip
    images, classes = rng.random((16, 3, 12, 12), np.float32), np.repeat([0, 1], 8)
    held_out = np.array([f"A{i:02d}" for i in range(16)])
    np.savez(
        folder.generated,
        sample_images=images, sample_class=classes, sample_outside=classes > 3,
        sample_temperature=np.full(16, 0.7), real_images=images, real_class=classes,
        real_well=held_out, morph_images=rng.random((2, 7, 3, 12, 12), np.float32),
        morph_first=held_out[:2], morph_second=held_out[2:4], morph_source=np.zeros(2, int),
        morph_target=np.ones(2, int),
    )  # fmt: skip
    facts = {
        "likelihood": {"held_out": estimate(3.37), "trained": estimate(3.33), "gap": estimate(0.04),
                       "by_class": {n: estimate(3.4) for n in names},
                       "n_crops": dict.fromkeys(names, 600), "reason": ""},
        "boundary": {"pairs": [{"source_class": names[0], "target_class": names[1],
                                "channel": "mitochondria", "correlation": [0.5, 0.6],
                                "share": [0.015, 0.018]}], "n_refused": 0, "reason": ""},
        "generated": {"samples": {n: {"n": 64, "n_outside": 3} for n in names}, "no_samples": "",
                      "n_refused": 2, "reason": ""},
    }  # fmt: skip
    metrics = json.loads(folder.metrics.read_text())
    folder.metrics.write_text(json.dumps(metrics | facts | changes))


def words(folder: RunFolder) -> str:
    html = build_report(folder).read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_chapters_say_what_the_figures_show(make_run: MakeRun) -> None:
    folder = make_run(**QUICK)
    add_pictures(folder)
    text = words(folder)
    assert "rises with the mean intensity of mitochondria (correlation 0.50 to 0.60 in 2" in text
    assert "holds 1.5 to 1.8 % of that variation" in text.replace("\u202f", " ")
    assert "†: less like the training data" in text
    assert "96 wells, 96 cells" in text
    assert "3 of 64 of diseased, 3 of 64 of healthy" in text
    assert "0.040 [−0.060, 0.140]" in text
    assert "16 cells drawn by lot from 16 held-out wells" in text
    drawn = {path.stem for path in folder.figures.glob("*.svg")}
    assert {"boundary", "isosurface", "generated_samples", "generated_morphs"} <= drawn
    assert "generated" in (folder.figures / "generated_samples.svg").read_text()


def test_what_is_absent_is_said(make_run: MakeRun) -> None:
    text = words(make_run(**QUICK))
    for name in ("boundary.parquet", "boundary.npz", "generated.npz", "likelihood.parquet"):
        assert f"{name} is not there" in text


@pytest.mark.parametrize("name", ["boundary", "generated"])
def test_damaged_pictures_are_said(make_run: MakeRun, name: str) -> None:
    folder = make_run(**QUICK)
    add_pictures(folder)
    path = getattr(folder, name)
    path.write_bytes(path.read_bytes()[:100])
    assert f"{name}.npz is damaged" in words(folder)


def test_networks_that_run_one_way_say_so(make_run: MakeRun) -> None:
    folder = make_run(**QUICK)
    reason = "resnext50 cannot be run backwards, so there are no pictures of its boundary."
    none = {"reason": "resnext50 has no likelihood."}
    metrics = json.loads(folder.metrics.read_text())
    metrics |= {"boundary": {"reason": reason}, "generated": {"reason": reason}, "likelihood": none}
    folder.metrics.write_text(json.dumps(metrics))
    text = words(folder)
    assert text.count(reason) == 2
    assert none["reason"] in text
    boundary = text.split("Where is the boundary?")[-1].split("What counted for the call?")[0]
    assert "is not there" not in boundary


def test_nothing_to_explain_shows_no_picture(make_run: MakeRun) -> None:
    folder = make_run(null=True, **QUICK)
    add_pictures(folder)
    text = words(folder)
    assert "No picture was generated: there is nothing to explain" in text
    assert "held-out wells, all classes" in text
    assert not list(folder.figures.glob("generated*"))
    assert not list(folder.figures.glob("boundary*"))


def test_pictures_of_another_run_are_not_drawn(make_run: MakeRun) -> None:
    folder = make_run(channels=("DNA", "cytoplasm"), **QUICK)
    add_pictures(folder)
    words(folder)
    assert not list(folder.figures.glob("generated*"))
    assert not list(folder.figures.glob("isosurface*"))
