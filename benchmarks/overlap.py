"""Overlap and contact: against the truth, against crowding, in time and in memory.

Four parts, each on simulated co-cultures and from images through threshold masks:

- truth: IoU per field against that of the true masks (bias as a share of the range, Spearman);
- crowding: Spearman of plain overlap and of overlap above chance with the number of cells in a
  field, at each of three planted contact rates (of 360 fields, known to about 0.05);
- time: a 2048 x 2048 field with two channels, from pixels to masks, patches and overlap above
  chance;
- memory: peak of a stream of 384 fields against one of 24.

Prints machine, seed and one line of JSON a part. Usage: python benchmarks/overlap.py [--json FILE]
[--fields N] [--parts truth crowding time memory]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from scipy import stats

from counterstain.config import OverlapConfig
from counterstain.masks.cell_split import split_cells
from counterstain.masks.field_masks import FieldMasker
from counterstain.masks.mask_overlap import overlap
from counterstain.masks.overlap_excess import excess_overlap
from counterstain.masks.overlap_faulty import find_debris, without_debris
from counterstain.masks.overlap_fields import FieldMasks, measure_field, measure_fields
from counterstain.masks.thresholds import threshold_mask
from counterstain.plates.simulate.coculture import simulate_coculture
from counterstain.plates.simulate.coculture_field import draw_coculture_field
from counterstain.plates.simulate.coculture_truth import TOKENS

SEED = 0
PARTS = ("truth", "crowding", "time", "memory")
RATES = (0.05, 0.4, 0.85)
CROWDED = (
    *("iou", "share_a", "share_a_touching", "iou_above_chance", "share_a_above_chance"),
    *("contact_share_a_above_chance", "excess_iou", "iou_above_chance_by_areas"),
)
STREAMS = (24, 384)
TARGETS = {"bias": 0.02, "spearman": 0.95, "flat": 0.15, "seconds": 2.0, "growth": 0.05}


def threshold_masks(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return masks (2, H, W) and debris (H, W)."""
    debris = find_debris(pixels)
    masks = np.stack([threshold_mask(plane) for plane in without_debris(pixels, debris)])
    return masks, debris


def truth(n_fields: int) -> dict[str, object]:
    """Read a plate from disk and compare each field with what was planted."""
    wells = max(2, n_fields // 12)
    with tempfile.TemporaryDirectory() as folder:
        screen = simulate_coculture(
            Path(folder) / "plate",
            seed=SEED,
            fields_per_well=1,
            control_wells=2 * wells,
            drugs=1,
            doses=2,
            replicates=wells,
        )
        planted = json.loads(screen.with_name("truth.json").read_text())["fields"]
        rows = []
        for field in planted:
            if field["fault"]:
                continue
            well, site = field["well"], field["site"]
            stem = f"{field['plate']} - {well[0]} - {well[1:]}(fld {site} wv"
            names = [screen.parent / "images" / f"{stem} {token}).tif" for token in TOKENS]
            pixels = np.stack([tifffile.imread(name) for name in names])
            masks, _ = threshold_masks(pixels)
            found = overlap(*masks)
            rows.append((found.iou, field["iou"], found.share_a, field["share_t_overlapped"]))
    iou, true_iou, share, true_share = np.array(rows).T
    return {
        "fields": len(rows),
        **{
            f"{name}_{key}": round(float(value), 4)
            for name, got, wanted in (("iou", iou, true_iou), ("share_t", share, true_share))
            for key, value in {
                "bias_of_range": (got - wanted).mean() / np.ptp(wanted),
                "spearman": stats.spearmanr(got, wanted).statistic,
            }.items()
        },
    }


def crowding(n_fields: int) -> dict[str, object]:
    """Vary the number of cells alone; one contact rate at a time."""
    return {f"rate_{rate}": at_rate(rate, n_fields) for rate in RATES}


def at_rate(rate: float, n_fields: int) -> dict[str, float]:
    rows = []
    for index in range(n_fields):
        rng = np.random.default_rng([SEED, round(100 * rate), index])
        density = float(np.exp(rng.uniform(np.log(0.4), np.log(2.5))))
        drawn = draw_coculture_field(rng, contact_rate=rate, density=density, gathering=0.3)
        masks, debris = threshold_masks(drawn.pixels)
        cells = [split_cells(mask) for mask in masks]
        row = dict(measure_field(FieldMasks(*cells, debris=debris), null="local").row)
        found = excess_overlap(*masks, null="local")
        row["iou_above_chance_by_areas"] = found.iou_above_chance
        row["cells"] = sum(len(np.unique(kind)) - 1 for kind in drawn.labels)
        rows.append(row)
    table = pd.DataFrame(rows)
    return {
        name: round(float(stats.spearmanr(table["cells"], table[name]).statistic), 3)
        for name in CROWDED
    }


def seconds_of_a_field(_: int) -> dict[str, object]:
    """Time what the verb does to a field: masks, cells parted, overlap, contacts, patches."""
    rng = np.random.default_rng(SEED)
    pixels = draw_coculture_field(rng, contact_rate=0.4, size=2048, gathering=0.3).pixels
    masker = FieldMasker(OverlapConfig(), ("T cells", "dendritic cells"))
    rows: dict[str, list[float]] = {}
    for _ in range(5):
        start, cpu = time.perf_counter(), time.process_time()
        masks = masker.masks(pixels, {})
        rows.setdefault("masks_and_cells", []).append(time.perf_counter() - start)
        measure_field(masks)
        rows.setdefault("all", []).append(time.perf_counter() - start)
        rows.setdefault("all_cpu", []).append(time.process_time() - cpu)
        bare = replace(masks, mask_a=masks.mask_a > 0, mask_b=masks.mask_b > 0)
        before = time.perf_counter()
        measure_field(bare)
        rows.setdefault("overlap_without_contacts", []).append(time.perf_counter() - before)
    median = {f"seconds_{name}": round(float(np.median(v)), 3) for name, v in rows.items()}
    best = {f"best_seconds_{n}": round(min(rows[n]), 3) for n in ("all", "all_cpu")}
    return {**median, **best, "load": round(os.getloadavg()[0], 1)}


def stream(n_fields: int) -> Iterator[FieldMasks]:
    rng = np.random.default_rng(SEED)
    pixels = draw_coculture_field(rng, contact_rate=0.4, gathering=0.3).pixels
    for index in range(n_fields):
        masks, debris = threshold_masks(np.roll(pixels, index, axis=(1, 2)))
        yield FieldMasks(masks[0], masks[1], {"Metadata_Well": f"well {index}"}, debris)


def work(n_fields: int) -> None:
    """Hold the rows, as a stage does; drop the masks."""
    rows = [found.row for found in measure_fields(stream(n_fields))]
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(json.dumps({"fields": len(rows), "peak_bytes": peak}))


def memory(_: int) -> dict[str, object]:
    peaks = {}
    for n_fields in STREAMS:
        command = [sys.executable, __file__, "--work", str(n_fields)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[n_fields] = json.loads(answer.stdout)["peak_bytes"]
    growth = peaks[STREAMS[1]] / peaks[STREAMS[0]] - 1
    return {
        **{f"peak_mb_{n}_fields": round(peak / 1e6, 1) for n, peak in peaks.items()},
        "growth": round(growth, 4),
    }


def passed(part: str, found: dict[str, object]) -> bool:
    if part == "truth":
        near = all(abs(float(found[f"{n}_bias_of_range"])) <= TARGETS["bias"] for n in ("iou",))  # type: ignore[arg-type]
        return near and float(found["iou_spearman"]) >= TARGETS["spearman"]  # type: ignore[arg-type]
    if part == "crowding":
        rows: list[dict[str, float]] = [found[f"rate_{rate}"] for rate in RATES]  # type: ignore[misc]
        flat = max(abs(row["iou_above_chance"]) for row in rows)
        return flat <= TARGETS["flat"] < max(abs(row["iou"]) for row in rows)
    if part == "time":
        return float(found["seconds_all"]) < TARGETS["seconds"]  # type: ignore[arg-type]
    return float(found["growth"]) <= TARGETS["growth"]  # type: ignore[arg-type]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--fields", type=int, default=360, help="fields of truth, and of each rate")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    if arguments.work is not None:
        work(arguments.work)
        return 0
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"machine: {machine}; seed {SEED}", flush=True)
    parts = {"truth": truth, "crowding": crowding, "time": seconds_of_a_field, "memory": memory}
    results = []
    for part in arguments.parts:
        found = parts[part](arguments.fields)
        results.append({"part": part, **found, "passed": passed(part, found)})
        print(json.dumps(results[-1]), flush=True)
    if arguments.json is not None:
        content = {"benchmark": "overlap", "seed": SEED, "machine": machine, "targets": TARGETS}
        arguments.json.write_text(json.dumps(content | {"parts": results}, indent=2) + "\n")
    return 0 if all(row["passed"] for row in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
