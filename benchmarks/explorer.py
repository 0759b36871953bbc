"""How quick the explorer is: slider, hover, pan, memory over many requests, ten people at once.

Two runs are made: one of 64 px crops with a network of the usual size (few training steps: speed
does not depend on them), and one of 100,000 small synthetic crops for the map. The browser is
Debian's chromium without a screen, WebGL in software. Prints one line of JSON.

    python benchmarks/explorer.py [--points 100000] [--requests 10000]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import psutil

SEED = 0
READY = "main[aria-busy='false']"
SLIDE = """async () => {
  const slider = document.getElementById('slider'), n = Number(slider.max) + 1, took = [];
  const frame = () => new Promise(requestAnimationFrame);
  for (let k = 0; k < 60; k += 1) {
    await frame();
    const start = performance.now();
    slider.value = String((Number(slider.value) + 1) % n);
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    await frame(); await frame();
    took.push(performance.now() - start);
  }
  return took;
}"""
HOVER = """async (spots) => {
  const canvas = document.querySelector('canvas.points'), box = canvas.getBoundingClientRect();
  const tip = document.querySelector('.tip'), took = [];
  for (const [u, v] of spots) {
    delete tip.dataset.shown;
    const before = tip.firstChild.dataset.item, start = performance.now();
    canvas.dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + u * box.width, clientY: box.top + v * box.height }));
    if (tip.hidden || tip.firstChild.dataset.item === before) continue;
    while (tip.dataset.shown !== tip.firstChild.dataset.item) await new Promise((go) => setTimeout(go, 0));
    await new Promise(requestAnimationFrame);
    took.push(performance.now() - start);
  }
  return took;
}"""  # noqa: E501
PAN = """async (seconds) => {
  const canvas = document.querySelector('canvas.points'), box = canvas.getBoundingClientRect();
  const at = (kind, u) => canvas.dispatchEvent(new PointerEvent(kind, { pointerId: 1, clientX: box.left + u * box.width, clientY: box.top + box.height / 2 }));
  canvas.setPointerCapture = () => {};
  at('pointerdown', 0.5);
  const start = performance.now(); let frames = 0;
  while (performance.now() - start < 1000 * seconds) {
    at('pointermove', 0.5 + 0.3 * Math.sin(frames / 10));
    await new Promise(requestAnimationFrame); frames += 1;
  }
  const rate = 1000 * frames / (performance.now() - start);
  at('pointerup', 0.5);
  return rate;
}"""  # noqa: E501


def small_run(base: Path) -> Path:
    """Make a run of 64 px crops by the stages, and let it be explained after any training."""
    from counterstain.plates import read_screen, simulate_plate
    from counterstain.plates.store import CropStore
    from counterstain.plates.writer import write_crops
    from counterstain.run_folder import RunFolder
    from counterstain.stages.progress import Silent
    from counterstain.stages.record import open_run
    from counterstain.stages.score import score_plate
    from counterstain.stages.summarise import summarise_scores
    from counterstain.stages.train import train_networks

    screen_file = simulate_plate(
        base / "P", seed=SEED, fields_per_well=1, field_size=224, control_wells=5, compounds=1,
        doses=1, faulty_fields=0,
    )  # fmt: skip
    text = screen_file.read_text(encoding="utf-8").replace("size = 40", "size = 64")
    text = text.replace("folds = 3", "folds = 2").replace("steps = 220", "steps = 3")
    screen_file.write_text(text, encoding="utf-8")
    screen, folder = read_screen(screen_file), RunFolder(base / "RUN64")
    record = open_run(screen, folder, resume=False)
    write_crops(screen, folder)
    crops = pd.read_parquet(folder.table("crops"))
    with CropStore.open(folder.crops) as store:
        train_networks(screen.config, folder, crops, store, record, Silent())
        score_plate(screen.config, folder, crops, store, Silent())
    summarise_scores(screen, folder, crops, record)
    metrics = json.loads(folder.metrics.read_text())
    metrics |= {"nothing_to_explain": False, "nothing_reason": ""}
    folder.metrics.write_text(json.dumps(metrics))
    return folder.root


def large_run(base: Path, like: Path, n: int) -> Path:
    """Make a run of `n` synthetic crops of 24 px: two clusters and a bridge on the map."""
    from counterstain.plates.scaling import PixelScaling
    from counterstain.plates.store import CropWriter

    root, rng = base / "RUN100K", np.random.default_rng(SEED)
    (root / "tables").mkdir(parents=True)
    shutil.copy(like / "run.json", root / "run.json")
    writer = CropWriter(root / "crops.zarr", (3, 24, 24), np.uint8)
    y, x = np.mgrid[:24, :24]
    disc = 200 * np.exp(-((y - 12) ** 2 + (x - 12) ** 2) / 40)
    for start in range(0, n, 5000):
        size = min(5000, n - start)
        light = rng.uniform(0.2, 1, (size, 3, 1, 1)) * disc
        light = light + rng.uniform(0, 30, (size, 3, 24, 24))
        writer.append(light.astype(np.uint8), np.zeros((size, 24, 24), np.uint8), plate=0)
    limits = np.zeros((1, 3)), np.full((1, 3), 220.0)
    channels = ["DNA", "cytoplasm", "mitochondria"]
    writer.close({"channels": channels, "plates": ["P1"]}, PixelScaling(("P1",), *limits))
    well = np.array([f"{r}{c:02d}" for r in "ABCDEFGHIJKLMNOP" for c in range(1, 25)])
    at = np.sort(rng.integers(0, len(well), n))
    group = at % 3
    crops = pd.DataFrame({
        "crop": np.arange(n), "field": at, "Metadata_Plate": "P1", "Metadata_Well": well[at],
        "Metadata_Site": 1, "class_name": np.array(["diseased", "healthy", ""])[group],
        "y": rng.uniform(12, 500, n), "x": rng.uniform(12, 500, n), "usable": True,
        "fold": group - 1,
    })  # fmt: skip
    crops.to_parquet(root / "tables" / "crops.parquet", index=False)
    odds = rng.normal(np.array([-2.0, 2.0, 0.0])[group], 1.0)
    places = crops[["crop", "Metadata_Plate", "Metadata_Well", "class_name", "fold"]].assign(
        source_class="diseased", target_class="healthy", network=0, log_odds=odds, distance=odds,
        component=rng.normal(0, 1, n),
    )  # fmt: skip
    places.to_parquet(root / "tables" / "boundary.parquet", index=False)
    return root


@contextlib.contextmanager
def serving(run: Path) -> Iterator[tuple[str, psutil.Process]]:
    command = [sys.executable, "-m", "counterstain", "serve", str(run), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().split()[1], psutil.Process(server.pid)
        finally:
            server.terminate()


def paths(n_items: int, wells: int, rng: random.Random) -> Iterator[str]:
    """Yield what people ask for: mostly crops and pictures, now and then a plate or well."""
    while True:
        item = rng.randrange(n_items)
        yield rng.choices(
            [f"/api/items/{item}", f"/api/items/{item}/pixels", f"/api/items/{item}/thumbnail.webp",
             f"/api/wells/{rng.randrange(wells)}", "/api/plates/0", "/api/run", "/static/app.js"],
            [4, 4, 4, 1, 1, 1, 1],
        )[0]  # fmt: skip


def ask(address: str, n: int, n_items: int, wells: int, seed: int) -> list[float]:
    """Ask one after the other over one connection; return seconds, or raise at an error."""
    place, rng = urlsplit(address), random.Random(seed)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    took, asked = [], paths(n_items, wells, rng)
    for _ in range(n):
        start = time.perf_counter()
        connection.request("GET", next(asked))
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {answer.reason}")
        took.append(time.perf_counter() - start)
    connection.close()
    return took


def ten_people(address: str, n_items: int, wells: int, answers: Any) -> None:
    """Ten threads of this process ask at once."""
    took: list[list[float]] = [[] for _ in range(10)]

    def person(number: int) -> None:
        took[number] = ask(address, 60, n_items, wells, SEED + number)

    threads = [threading.Thread(target=person, args=(k,)) for k in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flat = sorted(second for part in took for second in part)
    answers.put((len(flat), flat[int(0.95 * len(flat))]))


@contextlib.contextmanager
def browsing() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = next(p for name in ("chromium", "chromium-browser") if (p := shutil.which(name)))
    arguments = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
                 "--enable-unsafe-swiftshader"]  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(300_000)
        yield page
        browser.close()


def slide(small: str) -> dict[str, Any]:
    """Open a cell and move its slider."""
    with browsing() as page:
        start = time.perf_counter()
        page.goto(f"{small}#/cell/1")
        page.wait_for_selector(".readout[data-probability]")
        first = time.perf_counter() - start
        took = page.evaluate(SLIDE)
    return {
        "first_touch_s": round(first, 2),
        "slider_ms_median": round(statistics.median(took), 1),
        "slider_ms_p95": round(sorted(took)[int(0.95 * len(took))], 1),
    }


def look_at_map(large: str) -> dict[str, Any]:
    """Open the map, hover and pan."""
    rng = random.Random(SEED)
    spots = [[rng.uniform(0.3, 0.7), rng.uniform(0.4, 0.6)] for _ in range(80)]
    with browsing() as page:
        start = time.perf_counter()
        page.goto(f"{large}#/map?map=boundary_0")
        page.wait_for_selector("canvas.points[data-ready]")
        ready = time.perf_counter() - start
        took = page.evaluate(HOVER, spots)
        rates = [page.evaluate(PAN, 5) for _ in range(3)]
    return {
        "map_ready_s": round(ready, 2),
        "hover_ms_median": round(statistics.median(took), 1),
        "hover_ms_p95": round(sorted(took)[int(0.95 * len(took))], 1),
        "hovered": len(took),
        "pan_frames_per_s": [round(rate, 1) for rate in rates],
    }


def main() -> None:
    """Make the runs, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=10_000)
    chosen = parser.parse_args()
    base = Path(tempfile.mkdtemp())
    try:
        small_root = small_run(base)
        print("small run made", file=sys.stderr, flush=True)
        large_root = large_run(base, small_root, chosen.points)
        print("large run made", file=sys.stderr, flush=True)
        found: dict[str, Any] = {"benchmark": "explorer", "seed": SEED, "points": chosen.points}
        # One after the other: on two cores two servers would slow each other's page.
        with serving(small_root) as (small, _):
            found |= slide(small)
        with serving(large_root) as (large, server):
            found |= look_at_map(large)
            print(found, file=sys.stderr, flush=True)
            ask(large, 500, chosen.points, 384, SEED)
            before = server.memory_info().rss
            ask(large, chosen.requests, chosen.points, 384, SEED + 1)
            found |= {
                "requests": chosen.requests,
                "server_mb_before": round(before / 2**20, 1),
                "server_mb_after": round(server.memory_info().rss / 2**20, 1),
            }
            answers = multiprocessing.get_context("spawn").Queue()
            other = multiprocessing.get_context("spawn").Process(
                target=ten_people, args=(large, chosen.points, 384, answers)
            )
            other.start()
            n, p95 = answers.get(timeout=600)
            other.join()
            found |= {"ten_clients_requests": n, "ten_clients_p95_ms": round(1000 * p95, 1)}
        found |= {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1),
                  "machine": platform.machine(), "python": platform.python_version()}  # fmt: skip
        print(json.dumps(found))
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
