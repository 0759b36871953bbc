"""Rank simulated screens by rescue and side effect, and by distance; print both against the truth.

    python benchmarks/screens.py --seeds 20 --json screens.json
    python benchmarks/screens.py --speed

Screens have 4 plates of 384 wells, 60 compounds (10 rescuers of strength 0.3 to 1, 6 toxic, 44
inactive) at five doses, a well each a plate, and 16 to 128 latents. ``--speed`` ranks 100,000 wells
of 512 latents, and prints seconds and peak memory.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from screens_judge import classical, judge
from screens_profiles import simulate_screen

from counterstain.ranking import rank_treatments

LATENTS = (16, 32, 64, 128)
METHODS = ("euclidean", "mahalanobis", "cosine")


def total(results: list[dict[str, Any]], over: str, under: str) -> float:
    below = sum(result[under] for result in results)
    return sum(result[over] for result in results) / below if below else 0.0


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Pool screens: shares over all screens for counts, means for the rest."""
    found = {
        "hits_fdr": total(results, "hits_false", "hits"),
        "hits_and_partials_fdr": total(results, "called_false", "called"),
        "power_full_rescuers": float(np.mean([r["full_found"] for r in results])),
        "auroc_rescuers": float(np.mean([r["auroc"] for r in results])),
        "auroc_lowest_seed": float(min(r["auroc"] for r in results)),
        "auroc_rescuers_vs_toxic": float(np.mean([r["auroc_toxic"] for r in results])),
        "toxic_called_hit": sum(r["toxic_hits"] for r in results),
    }
    if "coverage" in results[0]:
        found |= {
            "q_fdr": total(results, "shown_false", "shown"),
            "coverage": float(np.mean([r["coverage"] for r in results])),
            "coverage_by_seed": [round(r["coverage"], 3) for r in results],
            "coverage_rescuers": float(np.mean([r["coverage_active"] for r in results])),
            "coverage_toxic": float(np.mean([r["coverage_toxic"] for r in results])),
            "width": float(np.mean([r["width"] for r in results])),
            "toxic_seen": float(np.mean([r["toxic_seen"] for r in results])),
            "off_axis_wrong": total(results, "off_axis_wrong", "treatments"),
            "ec50_fitted": total(results, "fitted", "rescuers"),
            "ec50_within_two_fold": total(results, "ec50_close", "rescuers"),
            "ec50_interval_covers": total(results, "ec50_covered", "fitted"),
            "inactive_with_a_fit": sum(r["inactive_fitted"] for r in results),
            "z_prime": [round(float(np.mean(r["z_prime"])), 2) for r in results],
        }
    return found


def time_large(n_plates: int = 261, latents: int = 512) -> dict[str, Any]:
    """Rank 384-well plates: 64 controls and 320 treated wells each, three wells a treatment."""
    rng = np.random.default_rng(0)
    rows, columns = np.divmod(np.arange(384), 24)
    names = [f"{chr(65 + r)}{c + 1:02d}" for r, c in zip(rows, columns, strict=True)]
    outer = np.isin(columns, (0, 1, 22, 23))
    kind = np.where(outer, np.where(rows % 2, "healthy", "diseased"), "")
    wells = pd.concat(
        [
            pd.DataFrame(
                {
                    "Metadata_Plate": f"P{plate:03d}", "Metadata_Well": names, "class_name": kind,
                    "Metadata_Compound": np.where(
                        outer, "", [f"C{320 * (plate // 3) + i}" for i in range(384)]
                    ),
                    "Metadata_Concentration": 1.0,
                }
            )
            for plate in range(n_plates)
        ],
        ignore_index=True,
    )  # fmt: skip
    profiles = rng.standard_normal((len(wells), latents), np.float32)
    profiles[(wells["class_name"] == "healthy").to_numpy(), :4] += 8
    start, processor = time.perf_counter(), time.process_time()
    ranking = rank_treatments(profiles, wells, seed=0)
    return {
        "wells": len(wells),
        "latents": latents,
        "treatments": len(ranking.treatments),
        "seconds": round(time.perf_counter() - start, 1),
        "processor_seconds": round(time.process_time() - processor, 1),
        "peak_GiB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


def rank_screens(arguments: argparse.Namespace) -> dict[str, Any]:
    """Draw, rank and judge a screen a seed, by our ranking and by distances."""
    ours: list[dict[str, Any]] = []
    others: dict[str, list[dict[str, Any]]] = {name: [] for name in METHODS}
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        screen = simulate_screen(
            seed,
            latents=arguments.latents[seed // 4 % len(arguments.latents)],
            drift=arguments.drift,
            n_plates=arguments.plates,
        )
        ranking = rank_treatments(
            screen.profiles,
            screen.wells,
            seed=seed,
            axis=arguments.axis,
            position=arguments.position,
        )
        ours.append(judge(ranking, screen))
        for name in METHODS:
            others[name].append(classical(screen, name, seed))
    settings = ("seeds", "first_seed", "plates", "drift", "axis", "position")
    return {
        **{name: getattr(arguments, name) for name in settings},
        "counterstain": summary(ours),
        **{name: summary(found) for name, found in others.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--latents", type=int, nargs="+", default=LATENTS)
    parser.add_argument("--axis", choices=("discriminant", "means"), default="discriminant")
    parser.add_argument("--position", default="controls")
    parser.add_argument("--drift", type=float, default=1.0, help="strength of row and column drift")
    parser.add_argument(
        "--plates", type=int, default=4, help="replicate plates, a well a treatment"
    )
    parser.add_argument("--speed", action="store_true", help="time 100,000 wells instead")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.speed:
        result: dict[str, Any] = {"benchmark": "ranking speed", **time_large()}
    else:
        result = {"benchmark": "screens", **rank_screens(arguments)}
    result["machine"] = platform.processor() or platform.machine()
    for key, value in result.items():
        print(f"{key}: {json.dumps(value)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
