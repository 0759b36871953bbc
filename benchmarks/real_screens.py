"""Run a real or simulated screen and print the numbers that the main job must reach.

``bbbc013`` reads the images under COUNTERSTAIN_DATA (default: ``../shared/data`` beside the
repository); ``shuffled`` is the same plate with the classes of whole control wells permuted;
``demo`` is the embedded plate.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import counterstain
from counterstain.cli.progress import TerminalListener

ROOT = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    return Path(os.environ.get("COUNTERSTAIN_DATA", ROOT.parent / "shared" / "data"))


MODELS = {
    "iresnet50": {"network": "iresnet50", "steps": 800},
    "autoencoder": {"network": "autoencoder", "steps": 600, "minibatch": 32},
    "resnext50": {"network": "resnext50", "steps": 400, "pretrained": False},
}


def with_network(text: str, network: str) -> str:
    """Put another network, with its own recipe, in the place of the example's."""
    start, end = text.index("[model]"), text.index("[oracle]")
    given = tomllib.loads(text)["model"]
    kept = {key: given[key] for key in ("gain_jitter", "offset_jitter", "symmetries")}
    lines = [f"{key} = {json.dumps(value)}" for key, value in (MODELS[network] | kept).items()]
    return text[:start] + "[model]\n" + "\n".join(lines) + "\n\n" + text[end:]


def bbbc013_screen(
    folder: Path, *, steps: int | None, shuffle_seed: int | None, network: str = "coupling"
) -> Path:
    """Copy the example with absolute paths; with a seed, permute the classes of control wells."""
    data = data_folder() / "bbbc013"
    text = (ROOT / "examples" / "bbbc013.toml").read_text(encoding="utf-8")
    table = data / "platemap.csv"
    if shuffle_seed is not None:
        plate_map = pd.read_csv(table, keep_default_na=False)
        control = plate_map["Metadata_control_type"] != ""
        generator = np.random.default_rng(shuffle_seed)
        shuffled = generator.permutation(plate_map.loc[control, "Metadata_control_type"])
        plate_map.loc[control, "Metadata_control_type"] = shuffled
        table = folder / "platemap.csv"
        plate_map.to_csv(table, index=False)
    text = text.replace("../../shared/data/bbbc013/images", str(data / "images"))
    text = text.replace("../../shared/data/bbbc013/platemap.csv", str(table))
    if network != "coupling":
        text = with_network(text, network)
    if steps is not None:
        given = tomllib.loads(text)["model"]["steps"]
        text = text.replace(f"steps = {given}", f"steps = {steps}")
    screen = folder / "bbbc013.toml"
    screen.write_text(text, encoding="utf-8")
    return screen


def numbers(run: Path, seconds: float) -> dict[str, object]:
    """Collect what is judged from a finished run."""
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    found: dict[str, object] = {
        "minutes": round(seconds / 60, 1),
        "crop_accuracy": metrics["accuracy"]["crop"]["value"],
        "well_accuracy": metrics["accuracy"]["well"]["value"],
        "z_prime": metrics["separation"]["z_prime"]["value"],
        "train_accuracy": metrics["training"]["accuracy_train"],
        "chance": metrics["chance"]["reason"],
        "nothing_to_explain": metrics["nothing_to_explain"],
        "dose_spearman": {row["compound"]: row["spearman"] for row in metrics["dose"]},
    }
    if metrics["oracle"]:
        oracle = metrics["oracle"]
        found["oracle"] = oracle["definition"]
        found["oracle_flip"] = {k: v["value"] for k, v in oracle["flip"].items()}
        found["gap_closed"] = {k: v["value"] for k, v in oracle["gap_closed"].items()}
        found["inverse_max_error"] = metrics["inverse"]["max_error"]
        effects = pd.read_parquet(run / "tables" / "effects.parquet")
        found["first_effect"] = effects.sort_values("rank")["sentence"].iloc[0]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("screen", choices=("bbbc013", "shuffled", "demo"))
    parser.add_argument("--out", type=Path, help="keep the run here")
    parser.add_argument("--network", choices=("coupling", *MODELS), default="coupling")
    parser.add_argument("--steps", type=int, help="fewer or more training steps than the example")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as scratch, TerminalListener() as listener:
        folder = Path(scratch)
        out = arguments.out or folder / "run"
        start = time.perf_counter()
        if arguments.screen == "demo":
            screen = counterstain.simulate_plate(folder / "plate", seed=arguments.seed)
        else:
            shuffle = arguments.seed if arguments.screen == "shuffled" else None
            screen = bbbc013_screen(
                folder,
                steps=arguments.steps,
                shuffle_seed=shuffle,
                network=arguments.network,
            )
        counterstain.run(screen, out, listener=listener)
        result = {
            "benchmark": arguments.screen,
            "network": arguments.network,
            **numbers(out, time.perf_counter() - start),
            "seed": arguments.seed,
            "threads": arguments.threads,
            "machine": platform.processor() or platform.machine(),
            "torch": torch.__version__,
        }
    print(json.dumps(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
