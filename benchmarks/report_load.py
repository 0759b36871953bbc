"""How quick the report opens: a finished run of 384 wells and 50,000 crops, from disk.

The run is made up from the schema of its tables (no image is taken, no network trained), with
counterfactuals, effects, ranking and audits, so that every chapter has something to draw. The
browser is Debian's chromium without a screen. Prints one line of JSON.

    python benchmarks/report_load.py [--crops 50000] [--repeats 5]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr

from counterstain.report import build_report
from counterstain.run_folder import RunFolder

SEED, TARGET_S = 0, 2.0
CLASSES, CHANNELS = ("diseased", "healthy"), ("DNA", "cytoplasm", "mitochondria")
TIMES = """() => new Promise((done) => {
  const images = [...document.images].map((image) => image.decode());
  Promise.all(images).then(() => requestAnimationFrame(() => done({
    decoded_ms: performance.now(),
    load_ms: performance.getEntriesByType('navigation')[0].loadEventEnd,
    paint_ms: performance.getEntriesByType('paint').at(-1)?.startTime ?? null,
    images: images.length,
  })));
})"""


def made_up_run(base: Path, n_crops: int) -> RunFolder:
    """Write the tables, numbers and pictures of a plate of 384 wells."""
    folder, rng = RunFolder(base / "RUN"), np.random.default_rng(SEED)
    folder.table("wells").parent.mkdir(parents=True)
    names = [f"{row}{column:02d}" for row in "ABCDEFGHIJKLMNOP" for column in range(1, 25)]
    column = np.array([int(name[1:]) for name in names])
    kind = np.where(column <= 2, CLASSES[0], np.where(column >= 23, CLASSES[1], ""))
    shift = np.where(kind == CLASSES[0], -3.0, np.where(kind == CLASSES[1], 3.0, -1.0))
    shift = np.where(kind == "", rng.uniform(-3, 3, 384), shift)
    at = np.sort(rng.integers(0, 384, n_crops))
    logit = rng.normal(shift[at], 1.2)
    right = 1 / (1 + np.exp(-logit))
    scores = pd.DataFrame({
        "crop": np.arange(n_crops), "field": at, "Metadata_Plate": "P1",
        "Metadata_Well": np.array(names)[at], "class_name": kind[at], "fold": at % 3,
        "usable": True, "prob_diseased": 1 - right, "prob_healthy": right, "logit": logit,
        "predicted": np.where(logit > 0, *CLASSES[::-1]),
    })  # fmt: skip
    wells = _wells(names, kind, scores, rng)
    tables = {"scores": scores, "wells": wells, "boundary": _boundary(scores, rng),
              "effects": _effects(rng), **_treatments(wells)}  # fmt: skip
    for name, table in tables.items():
        table.to_parquet(folder.table(name), index=False)
    _pictures(folder, rng)
    folder.metrics.write_text(json.dumps(_metrics(wells, scores)))
    folder.run_json.write_text(json.dumps({
        "version": "0.1.0", "format": 1, "screen": "384/screen.toml", "seed": SEED,
        "config": {"images": {"channels": CHANNELS, "pixel_size_um": 0.65},
                   "classes": {name: {} for name in CLASSES},
                   "crops": {"kind": "cells", "size": 64}},
    }))  # fmt: skip
    zarr.open_group(folder.crops, mode="w").attrs.update(
        {"format": 1, "channels": list(CHANNELS), "plates": ["P1"], "kind": "cells", "size": 64}
    )
    return folder


def _wells(
    names: list[str], kind: np.ndarray, scores: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    means = scores.groupby("Metadata_Well")[["logit", "prob_diseased", "prob_healthy"]].mean()
    treated = np.flatnonzero(kind == "")
    compound, dose = np.full(384, "", object), np.full(384, np.nan)
    for place, well in enumerate(treated):
        compound[well] = f"compound {place // 8 + 1}"
        dose[well] = 10.0 / 3 ** (place % 8 // 2)
    table = pd.DataFrame({
        "Metadata_Plate": "P1", "Metadata_Well": names, "Metadata_Compound": compound,
        "Metadata_Concentration": dose, "class_name": kind, "fold": rng.integers(0, 3, 384),
        "n_fields": 4, "n_faulty": 0, "in_map": True,
    }).merge(means, how="left", left_on="Metadata_Well", right_index=True)  # fmt: skip
    n_crops = scores["Metadata_Well"].value_counts()
    return table.assign(
        n_crops=table["Metadata_Well"].map(n_crops).fillna(0).astype(int),
        predicted=np.where(table["logit"] > 0, *CLASSES[::-1]),
    )


def _boundary(scores: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    kept = scores.groupby("Metadata_Well").head(100)
    columns = ["crop", "Metadata_Plate", "Metadata_Well", "class_name", "fold"]
    return kept[columns].assign(
        source_class=CLASSES[0], target_class=CLASSES[1], network=0, log_odds=kept["logit"],
        distance=kept["logit"], component=rng.normal(0, 1, len(kept)),
    )  # fmt: skip


def _effects(rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for rank in range(1, 61):
        real = float(rng.normal(0, 20))
        rows.append({
            "source_class": CLASSES[0], "target_class": CLASSES[1],
            "channel": CHANNELS[rank % 3], "region": ("nucleus", "ring", "cell")[rank % 7 % 3],
            "feature": ("mean intensity", "intensity spread (SD)", "granularity")[rank % 5 % 3],
            "unit": "%", "real": real, "real_low": real - 3, "real_high": real + 3,
            "counterfactual": 0.9 * real, "counterfactual_low": 0.9 * real - 2,
            "counterfactual_high": 0.9 * real + 2, "q": 0.001, "counterfactual_q": 0.001,
            "verdict": "confirmed" if abs(real) > 15 else "none",
            "sentence": f"Change {rank}: {real:+.0f} %", "rank": rank,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _treatments(wells: pd.DataFrame) -> dict[str, pd.DataFrame]:
    rescue = (wells["logit"] + 3) / 6
    ranked = wells[["Metadata_Plate", "Metadata_Well", "class_name"]].assign(
        compound=wells["Metadata_Compound"], concentration=wells["Metadata_Concentration"],
        rescue=rescue, side_effect=1.0, n_cells=wells["n_crops"], mark="", call="inactive",
        state="between", off_axis_z=0.0,
    )  # fmt: skip
    key = ["compound", "concentration"]
    groups = ranked[ranked["compound"] != ""].groupby(key)["rescue"].agg(["mean", "size"])
    table = groups.sort_values("mean", ascending=False).reset_index()
    treatments = pd.DataFrame({
        "rank": range(1, len(table) + 1), "Metadata_Compound": table["compound"],
        "Metadata_Concentration": table["concentration"], "rescue": table["mean"],
        "call": np.where(table["mean"] > 0.5, "hit", "inactive"), "rescue_low": table["mean"] - 0.1,
        "rescue_high": table["mean"] + 0.1, "q_value": 0.01, "p_value": 0.005, "side_effect": 1.0,
        "side_effect_share": 0.1, "side_effect_q": 0.5, "side_effect_from": "network",
        "n_wells": table["size"], "n_plates": 1, "n_few_cells": 0, "cell_share": 1.0,
        "rescue_sd": 0.1, "side_effect_p": 0.5, "note": "",
    })  # fmt: skip
    doses = pd.DataFrame({
        "Metadata_Compound": table["compound"].unique(), "ec50": np.nan, "ec50_low": np.nan,
        "ec50_high": np.nan, "slope": np.nan, "plateau": np.nan, "reason": "made up", "unit": "µM",
        "n_doses": 4, "n_wells": 8, "r_squared": np.nan, "lack_of_fit_p": np.nan,
        "turning_p": np.nan,
    })  # fmt: skip
    plates = pd.DataFrame({"Metadata_Plate": ["P1"], "n_wells": 384, "z_prime": 0.6,
                           "n_diseased": 32, "n_healthy": 32, "robust_z_prime": 0.6, "ssmd": 5.0,
                           "v_factor": 0.6, "position_share": 0.0, "failed": False,
                           "note": ""})  # fmt: skip
    return {"treatments": treatments, "doses": doses, "plates": plates, "ranking_wells": ranked}


def _pictures(folder: RunFolder, rng: np.random.Generator) -> None:
    y, x = np.mgrid[:64, :64] - 31.5
    cell = np.exp(-(y**2 + x**2) / 300)
    light = rng.uniform(0.3, 1, (16, 3, 1, 1)) * cell + rng.normal(0, 0.03, (16, 3, 64, 64))
    original = light.astype(np.float32)
    source = np.arange(16) % 2
    np.savez(
        folder.counterfactuals, original=original, boundary=1.1 * original,
        counterfactual=1.2 * original, source=source, target=1 - source, crop=np.arange(16),
        well=[f"A{k % 2 + 1:02d}" for k in range(16)], plate=["P1"] * 16,
        logit_original=np.full(16, -2.0), logit_boundary=np.zeros(16),
        logit_counterfactual=np.full(16, 2.0), inverse_error=np.full(16, 1e-6),
    )  # fmt: skip


def _metrics(wells: pd.DataFrame, scores: pd.DataFrame) -> dict[str, Any]:
    def number(value: float, half: float = 0.02) -> dict[str, Any]:
        return {"value": value, "low": value - half, "high": value + half, "n_wells": 64,
                "reason": ""}  # fmt: skip

    labelled = scores[scores["class_name"] != ""]
    counts = pd.crosstab(labelled["class_name"], labelled["predicted"]).to_numpy().tolist()
    return {
        "classes": list(CLASSES), "confusion": counts,
        "n_wells": wells.loc[wells["class_name"] != "", "class_name"].value_counts().to_dict(),
        "n_crops": labelled["class_name"].value_counts().to_dict(),
        "accuracy": {"crop": number(0.95), "well": number(1.0, 0), "chance": 0.5},
        "separation": {"z_prime": number(0.6)}, "nothing_to_explain": False,
        "oracle": {"channel": "mitochondria", "region": "ring", "feature": "mean intensity",
                   "midpoint": 0.4, "median": dict.fromkeys(CLASSES, 0.4), "separation": 2.0,
                   "flip": {"0->1": number(0.9)}, "gap_closed": {"0->1": number(0.9)},
                   "model_flip": {"0->1": 1.0}},
        "ranking": {"diseased": CLASSES[0], "healthy": CLASSES[1], "unit": "µM", "settings": {},
                    "axis_length": 8.0, "calls": {}, "notes": [], "n_treatments": 160,
                    "n_wells": 384, "n_plates": 1, "failed_plates": [], "reason": ""},
        "dose": [], "quality": {"n_fields": 1536, "n_faulty": 0, "reasons": {}},
    }  # fmt: skip


def load_times(page_path: Path, repeats: int) -> list[dict[str, Any]]:
    """Open the page in a new browser context each time; return what the browser measured."""
    from playwright.sync_api import sync_playwright

    path = next(p for name in ("chromium", "chromium-browser") if (p := shutil.which(name)))
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for _ in range(repeats + 1):
            context = browser.new_context(viewport={"width": 1440, "height": 900}, offline=True)
            page = context.new_page()
            start = time.perf_counter()
            page.goto(page_path.as_uri())
            loaded = time.perf_counter() - start
            found.append({"load_s": loaded, **page.evaluate(TIMES)})
            context.close()
        browser.close()
    return found[1:]  # the first one also starts the browser's own processes


def main() -> None:
    """Make the run, build its report, open it, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crops", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    base = Path(tempfile.mkdtemp())
    try:
        folder = made_up_run(base, chosen.crops)
        start = time.perf_counter()
        build_report(folder, single_file=True)
        built = time.perf_counter() - start
        print("report built", file=sys.stderr, flush=True)
        found: dict[str, Any] = {
            "benchmark": "report_load", "seed": SEED, "wells": 384, "crops": chosen.crops,
            "build_s": round(built, 1),
        }  # fmt: skip
        for name, path in (("page", folder.report), ("mail", folder.report_file)):
            times = load_times(path, chosen.repeats)
            found |= {
                f"{name}_mb": round(path.stat().st_size / 1e6, 2),
                f"{name}_load_s_median": round(statistics.median(t["load_s"] for t in times), 3),
                f"{name}_all_images_decoded_s_median": round(
                    statistics.median(t["decoded_ms"] for t in times) / 1000, 3
                ),
                f"{name}_images": times[0]["images"],
            }
        found |= {"target_s": TARGET_S, "repeats": chosen.repeats, "cores": os.cpu_count(),
                  "load": round(os.getloadavg()[0], 1), "machine": platform.machine(),
                  "python": platform.python_version()}  # fmt: skip
        print(json.dumps(found))
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
