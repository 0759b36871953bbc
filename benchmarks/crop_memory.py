"""Peak memory of crop writing: the same for 48 and for 480 fields.

Each count runs in a process of its own; the images of the larger plate are copies of the same few.
Prints one line and writes JSON. Usage: python benchmarks/crop_memory.py [--json FILE]
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
from pathlib import Path

import numpy as np
import tifffile
from scipy import ndimage

from counterstain.plates.screen import read_screen
from counterstain.plates.writer import write_crops
from counterstain.run_folder import RunFolder

SEED = 0
COUNTS = (48, 480)
TOLERANCE = 0.10
EDGE, N_CELLS, N_DIFFERENT, SITES = 384, 60, 4, 5

SCREEN = """
[images]
root = "images"
pattern = "{plate}_{well}_s{site}_{channel}.tif"
channels = ["DNA", "protein"]
[layout]
table = "platemap.csv"
[classes]
untreated = { Metadata_control_type = "negcon" }
treated = { Metadata_control_type = "poscon" }
[crops]
size = 48
"""


def draw_field(rng: np.random.Generator) -> np.ndarray:
    nuclei = np.zeros((EDGE, EDGE), np.float32)
    nuclei[tuple(rng.integers(0, EDGE, (2, N_CELLS)))] = 1
    nuclei = ndimage.gaussian_filter(nuclei, 4) * 2 * np.pi * 16
    cells = ndimage.gaussian_filter(nuclei, 5)
    light = np.stack([nuclei * 3000, cells * 2000]) + 200
    return rng.poisson(light).astype(np.uint16)


def fabricate(folder: Path, n_fields: int) -> Path:
    images = folder / "images"
    images.mkdir()
    rng = np.random.default_rng(SEED)
    different = [draw_field(rng) for _ in range(N_DIFFERENT)]
    n_wells = -(-n_fields // SITES)
    wells = [f"{'ABCDEFGH'[i // 12]}{i % 12 + 1:02d}" for i in range(n_wells)]
    for field in range(n_fields):
        well, site = wells[field // SITES], field % SITES + 1
        for channel, image in zip(("DNA", "protein"), different[field % N_DIFFERENT], strict=True):
            tifffile.imwrite(images / f"P1_{well}_s{site}_{channel}.tif", image)
    rows = [f"P1,{well},{('negcon', 'poscon')[i % 2]}" for i, well in enumerate(wells)]
    table = "\n".join(["Metadata_Plate,Metadata_Well,Metadata_control_type", *rows])
    (folder / "platemap.csv").write_text(table + "\n")
    (folder / "screen.toml").write_text(SCREEN)
    return folder / "screen.toml"


def work(screen: Path) -> None:
    start = time.perf_counter()
    write_crops(read_screen(screen), RunFolder(screen.parent / "run"))
    seconds = time.perf_counter() - start
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(json.dumps({"peak_bytes": peak, "seconds": round(seconds, 2)}))


def measure(n_fields: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        screen = fabricate(Path(folder), n_fields)
        command = [sys.executable, __file__, "--work", str(screen)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return {"n_fields": n_fields, **json.loads(answer.stdout)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    arguments = parser.parse_args()
    if arguments.work is not None:
        work(arguments.work)
        return 0
    runs = [measure(n) for n in COUNTS]
    growth = runs[1]["peak_bytes"] / runs[0]["peak_bytes"] - 1
    result = {
        "benchmark": "crop_memory",
        "seed": SEED,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}",
        "runs": runs,
        "growth": round(growth, 4),
        "tolerance": TOLERANCE,
        "passed": abs(growth) <= TOLERANCE,
    }
    peaks = ", ".join(
        f"{run['n_fields']} fields {run['peak_bytes'] / 1e6:.0f} MB in {run['seconds']:.0f} s"
        for run in runs
    )
    print(f"peak memory of crop writing: {peaks}; growth {growth:+.1%} (seed {SEED})")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    else:
        print(json.dumps(result))
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
