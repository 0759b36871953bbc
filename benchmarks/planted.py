r"""What networks explain of phenotypes that were planted in simulated plates.

A small plate of controls for every phenotype and seed goes through the whole pipeline; the report's
first finding, the oracle flip by the planted measurement and every image edit are held against the
simulator's truth. A plate that is done is kept in ``--out`` and not run again:

    python benchmarks/planted.py --networks coupling iresnet50 autoencoder --jobs 4 --threads 1 \
        --out planted --json planted.json --picture docs/images/planted.png
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from planted_judge import judged
from planted_plates import simulate, write_screen
from planted_table import draw_table, summary

import counterstain
from counterstain.errors import NotInvertibleError
from counterstain.plates.simulate import PHENOTYPES
from counterstain.run_folder import RunFolder

ROOT = Path(__file__).resolve().parents[1]
# Pictures and likelihoods: nothing that is judged here rests on them.
LEFT_OUT = ("measure_likelihood", "map_boundary", "generate_gallery", "build_report")
NETWORKS = ("coupling", "iresnet50", "autoencoder")


@dataclass(frozen=True)
class Job:
    """One plate and what is tried on it."""

    network: str
    phenotype: str
    seed: int
    wells: int
    steps: int | None
    folds: int
    threads: int
    out: str

    @property
    def name(self) -> str:
        """Name of the plate's files."""
        return f"{self.network}_{self.phenotype}_{self.seed}"

    @property
    def result(self) -> Path:
        """Where its result is kept."""
        return Path(self.out) / f"{self.name}.json"


def run_plate(job: Job) -> dict[str, Any]:
    """Simulate, run and judge one plate, unless its result is there."""
    if job.result.exists():
        return dict(json.loads(job.result.read_text(encoding="utf-8")))
    torch.set_num_threads(job.threads)
    start = time.perf_counter()
    folder = Path(job.out) / job.name
    remove(folder)
    plate = simulate(folder, job.phenotype, job.seed, job.wells)
    write_screen(plate, job.network, job.steps, job.folds)
    refusal, idle = "", dict[str, Any](dict.fromkeys(LEFT_OUT, left_out))
    try:
        with mock.patch.multiple("counterstain.pipeline", **idle):
            counterstain.run(plate.screen, folder / "run")
    except NotInvertibleError as error:
        # No edit was within the tolerance; what the run wrote before is there and is judged.
        refusal = str(error)
    seconds = time.perf_counter() - start
    found = {**asdict(job), "minutes": seconds / 60, "refusal": refusal}
    found |= judged(RunFolder(folder / "run"), plate)
    del found["out"]
    job.result.write_text(json.dumps(found, indent=2), encoding="utf-8")
    remove(folder)
    return found


def left_out(*_: object) -> None:
    """Do nothing in the place of a stage that draws."""


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def arguments_of(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=["coupling"], choices=NETWORKS)
    parser.add_argument("--phenotypes", nargs="+", help="names; all where left out")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--wells", type=int, default=8, help="control wells a class")
    parser.add_argument("--steps", type=int, help="training steps a fold")
    parser.add_argument("--folds", type=int, default=3, help="2 saves a third of the time")
    parser.add_argument("--jobs", type=int, default=1, help="plates at a time")
    parser.add_argument("--threads", type=int, default=1, help="threads a plate")
    parser.add_argument("--out", type=Path, default=ROOT / "planted", help="results by plate")
    parser.add_argument("--json", type=Path, help="all results and their summary")
    parser.add_argument("--picture", type=Path, help="the table, as docs/images/planted.png")
    return parser.parse_args(argv)


def main() -> None:
    arguments = arguments_of()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    jobs = [
        Job(network, phenotype, seed, arguments.wells, arguments.steps, arguments.folds,
            arguments.threads, str(arguments.out))
        for network in arguments.networks
        for seed in arguments.seeds
        for phenotype in arguments.phenotypes or PHENOTYPES
    ]  # fmt: skip
    results, failed = [], 0
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(run_plate, job): job for job in jobs}
        for done in as_completed(running):
            try:
                results.append(done.result())
            except Exception as error:
                failed += 1
                print(f"{running[done].name}: {error!r}", file=sys.stderr, flush=True)
                continue
            print(json.dumps(results[-1]), flush=True)
    machine = platform.processor() or platform.machine()
    report = {"benchmark": "planted", "machine": machine, "networks": summary(results)}
    print(json.dumps(report, indent=2))
    if arguments.json:
        whole = json.dumps(report | {"plates": results}, indent=2)
        arguments.json.write_text(whole, encoding="utf-8")
    if arguments.picture:
        draw_table(results, arguments.picture)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
