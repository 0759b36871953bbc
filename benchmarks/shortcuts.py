"""How often the leakage audit calls planted shortcuts red, and plates without any.

    python benchmarks/shortcuts.py --seeds 20 --json shortcuts.json

A plate for each seed, shortcut and strength; its phenotype changes with the seed. Plates are drawn,
edited on disk and audited one after the other.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from shortcut_plates import DRAWN, EDITS, draw_plate

from counterstain.audit.leakage import leakage_audit
from counterstain.plates import read_screen
from counterstain.plates.simulate import PHENOTYPES


def audit_plate(
    shortcut: str, strength: float, seed: int, settings: dict[str, Any]
) -> dict[str, Any]:
    """Draw, plant and audit one plate."""
    names = list(PHENOTYPES)
    with tempfile.TemporaryDirectory() as scratch:
        screen = draw_plate(
            Path(scratch) / "plate", shortcut, strength, seed=seed,
            phenotype=names[seed % len(names)], compounds=0, **settings,
        )  # fmt: skip
        start = time.perf_counter()
        verdict = leakage_audit(read_screen(screen), seed=0)
        seconds = time.perf_counter() - start
    return {
        "status": verdict.status,
        "red": [c.check for c in verdict.checks if c.status == "red"],
        "amber": [c.check for c in verdict.checks if c.status == "amber"],
        "seconds": seconds,
    }


def tried(strengths: int | None) -> list[tuple[str, float]]:
    """List all shortcuts with their strengths, and plates without any first."""
    every = {**{name: s for name, (_, s) in EDITS.items()}, **DRAWN}
    return [("", 0.0)] + [(n, s) for n, all_s in every.items() for s in all_s[-(strengths or 9) :]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--wells", type=int, default=8, help="control wells a class")
    parser.add_argument("--fields", type=int, default=1, help="fields a well")
    parser.add_argument("--size", type=int, default=320, help="edge of a field, px")
    parser.add_argument("--faulty", type=int, default=0, help="faulty fields among the controls")
    parser.add_argument("--strengths", type=int, help="only so many of the greatest strengths")
    parser.add_argument("--only", nargs="+", help="only these shortcuts; 'clean' for none")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    settings = {
        "control_wells": arguments.wells,
        "fields_per_well": arguments.fields,
        "field_size": arguments.size,
        "faulty_fields": arguments.faulty,
    }
    rates: dict[str, dict[str, Any]] = defaultdict(dict)
    seconds: list[float] = []
    for shortcut, strength in tried(arguments.strengths):
        if arguments.only and (shortcut or "clean") not in arguments.only:
            continue
        seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
        found = [audit_plate(shortcut, strength, seed, settings) for seed in seeds]
        seconds += [f["seconds"] for f in found]
        rates[shortcut or "clean"][f"{strength:g}"] = {
            "red": sum(f["status"] == "red" for f in found) / len(found),
            "amber": sum(f["status"] == "amber" for f in found) / len(found),
            "checks": dict(Counter(check for f in found for check in f["red"])),
            "amber_checks": dict(Counter(check for f in found for check in f["amber"])),
        }
        print(
            json.dumps(
                {
                    shortcut or "clean": {
                        f"{strength:g}": rates[shortcut or "clean"][f"{strength:g}"]
                    }
                }
            ),
            flush=True,
        )
    result = {
        "benchmark": "shortcuts",
        **settings,
        "seeds": arguments.seeds,
        "first_seed": arguments.first_seed,
        "seconds_per_plate": sum(seconds) / len(seconds),
        "machine": platform.processor() or platform.machine(),
        "rates": rates,
    }
    print(json.dumps(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
