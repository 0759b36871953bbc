"""EC50 of wortmannin on BBBC013, from finished runs that differ in their seed only.

    for seed in 0 1 2; do
      sed "s/^seed = 0/seed = $seed/" examples/bbbc013.toml > examples/bbbc013_$seed.toml
      counterstain run examples/bbbc013_$seed.toml --out runs/bbbc013_$seed
    done
    python benchmarks/wortmannin.py runs/bbbc013_0 runs/bbbc013_1 runs/bbbc013_2

Prints one line of JSON: by run the EC50 with its interval, whether rescue rises with the dose, and
the controls' rescue; over runs the rank correlation of rescue by dose, which should be 0.95 or
more.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from counterstain.files import read_json
from counterstain.run_folder import RunFolder

COMPOUND = "Wortmannin"
TARGET = 0.95


def by_dose(folder: RunFolder) -> pd.Series:
    """Return the rescue of each dose, in rising order."""
    table = pd.read_parquet(folder.table("treatments"))
    own = table[table["Metadata_Compound"] == COMPOUND].dropna(subset=["rescue"])
    return own.set_index("Metadata_Concentration")["rescue"].sort_index()


def describe(folder: RunFolder) -> dict[str, Any]:
    """Return what one run says of the compound and of its controls."""
    ranking = read_json(folder.metrics)["ranking"]
    if ranking["reason"]:
        raise SystemExit(f"{folder.root} ranks nothing: {ranking['reason']}")
    dose = pd.read_parquet(folder.table("doses")).set_index("Metadata_Compound").loc[COMPOUND]
    wells = pd.read_parquet(folder.table("ranking_wells"))
    controls = {
        name: [round(float(value), 3) for value in (own.mean(), own.std())]
        for name in (ranking["diseased"], ranking["healthy"])
        for own in [wells.loc[wells["class_name"] == name, "rescue"].dropna()]
    }
    rescue = by_dose(folder)
    fitted = np.isfinite(dose["ec50"])
    plates = pd.read_parquet(folder.table("plates"))
    return {
        "seed": read_json(folder.run_json)["seed"],
        "placed_by": ranking["placed_by"],
        "ec50": [float(f"{dose[k]:.4g}") for k in ("ec50", "ec50_low", "ec50_high")]
        if fitted
        else None,
        "unit": dose["unit"],
        "no_fit": dose["reason"],
        "turning_p": round(float(dose["turning_p"]), 4),
        "spearman_dose": round(float(spearmanr(rescue.index, rescue).statistic), 3),
        "rescue": {f"{k:g}": round(float(v), 3) for k, v in rescue.items()},
        "controls_mean_sd": controls,
        "z_prime": [round(float(value), 2) for value in plates["z_prime"]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="finished run folders")
    folders = [RunFolder(path) for path in parser.parse_args().runs]
    found = [describe(folder) for folder in folders]
    pairs = [
        float(spearmanr(*pd.concat(pair, axis=1, join="inner").to_numpy().T).statistic)
        for pair in itertools.combinations([by_dose(folder) for folder in folders], 2)
    ]
    result = {
        "benchmark": "wortmannin",
        "runs": found,
        "monotone": all(run["turning_p"] >= 0.01 for run in found),
        "rank_correlation_between_seeds": [round(value, 3) for value in pairs],
        "target": TARGET,
        "reached": min(pairs) >= TARGET if pairs else None,
        "machine": platform.processor() or platform.machine(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
