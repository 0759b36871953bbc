"""The real command line on a small simulated plate, from images to report."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from counterstain.cli.app import call
from counterstain.pipeline import STAGES
from counterstain.plates import simulate_plate
from counterstain.run_folder import TABLES

STEPS = 120


def small_plate(folder: Path, phenotype: str = "mitochondria_down", seed: int = 3) -> Path:
    """Draw a small plate and set few training steps."""
    screen = simulate_plate(
        folder,
        seed=seed,
        phenotype=phenotype,
        fields_per_well=1,
        field_size=192,
        control_wells=6,
        compounds=2,
        doses=4,
        faulty_fields=1,
    )
    with_replicates(screen.parent / "platemap.csv")
    text = screen.read_text(encoding="utf-8")
    for old, new in (
        ("folds = 3", "folds = 2"),
        ("hidden = 64", "hidden = 24"),
        ("blocks = 6", "blocks = 3"),
        ("steps = 220", f"steps = {STEPS}\nminibatch = 24"),
    ):
        assert old in text
        text = text.replace(old, new)
    # A field of so few pixels holds about twelve cells.
    screen.write_text(f"{text}\n[ranking]\nmin_cells = 4\n", encoding="utf-8")
    return screen


def with_replicates(table: Path) -> None:
    """Call doses that lie side by side one dose: two wells each, of nearly the same effect."""
    plate_map = pd.read_csv(table)
    alike = {0.316: 1.0, 3.16: 10.0}
    plate_map["Metadata_Concentration"] = plate_map["Metadata_Concentration"].replace(alike)
    plate_map.to_csv(table, index=False)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_plate(tmp_path_factory.mktemp("plate") / "P")


@pytest.fixture(scope="module")
def finished(screen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "RUN"
    command = [sys.executable, "-m", "counterstain", "run", str(screen), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Report: " in done.stdout
    return out


def metrics_of(run: Path) -> dict[str, object]:
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


def test_every_file_of_the_contract_is_there_and_nothing_half_written(finished: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    assert {"run.json", "crops.zarr", "metrics.json", "models", "profiles.h5ad", "report"} <= names
    assert {path.stem for path in (finished / "tables").iterdir()} == set(TABLES)
    assert not list(finished.rglob("*.tmp"))
    assert not list(finished.rglob("*.pkl"))
    record = json.loads((finished / "run.json").read_text())
    assert set(record["stages"]) == set(STAGES)
    assert str(finished.parent) not in json.dumps(record)


def test_no_crop_is_scored_by_a_network_that_saw_its_well(finished: Path) -> None:
    crops = pd.read_parquet(finished / "tables" / "crops.parquet")
    labelled = crops[crops["class_name"] != ""]
    assert (labelled.groupby(["Metadata_Plate", "Metadata_Well"])["fold"].nunique() == 1).all()
    assert set(labelled["fold"]) == {0, 1}
    assert (crops.loc[crops["class_name"] == "", "fold"] == -1).all()


def test_the_planted_channel_is_found(finished: Path) -> None:
    metrics = metrics_of(finished)
    assert metrics["nothing_to_explain"] is False
    assert metrics["accuracy"]["well"]["value"] >= 0.9
    assert metrics["oracle"]["channel"] == "mitochondria"
    effects = pd.read_parquet(finished / "tables" / "effects.parquet")
    first = effects.sort_values("rank").iloc[0]
    assert first["channel"] == "mitochondria"
    assert first["verdict"] == "confirmed"
    page = (finished / "report" / "index.html").read_text(encoding="utf-8")
    assert "mitochondria" in page


def test_counterfactuals_carry_their_error_and_reach_their_goal(finished: Path) -> None:
    edits = pd.read_parquet(finished / "tables" / "counterfactuals.parquet")
    metrics = metrics_of(finished)
    kept = edits["inverse_error"] <= metrics["inverse"]["tolerance"]
    assert metrics["inverse"]["tolerance"] == 1e-4
    assert metrics["inverse"]["n_refused"] == (~kept).sum()
    assert metrics["inverse"]["n_stopped"] == edits["stopped"].sum()
    assert kept.mean() > 0.9
    assert (edits.loc[~edits["stopped"], "logit_after"] > 0).all()
    pictures = np.load(finished / "counterfactuals.npz")
    missed = np.abs(pictures["logit_boundary"])[~pictures["stopped"]]
    assert (missed < 0.05 + 0.1 * np.abs(pictures["logit_original"])[~pictures["stopped"]]).all()
    assert pictures["original"].shape == pictures["counterfactual"].shape


AUDITS = ["chance", "leakage", "empty_area", "sanity", "faithfulness", "null_screen"]


def test_every_audit_is_made_and_none_is_red_on_a_clean_plate(finished: Path) -> None:
    audits = metrics_of(finished)["audits"]
    assert [audit["key"] for audit in audits] == AUDITS
    statuses = {audit["key"]: audit["status"] for audit in audits}
    assert "red" not in statuses.values(), statuses
    assert statuses["chance"] == "green"
    checks = pd.read_parquet(finished / "tables" / "audits.parquet")
    assert set(checks["audit"]) == set(AUDITS)
    assert checks["sentence"].str.len().min() > 10
    page = (finished / "report" / "index.html").read_text(encoding="utf-8")
    assert all(f'id="audit-{key}"' in page for key in AUDITS)


def test_maps_are_signed_finite_and_of_networks_that_never_saw_the_well(finished: Path) -> None:
    maps = np.load(finished / "attributions.npz")
    methods = maps["methods"].tolist()
    assert methods == ["saliency", "integrated_gradients", "grad_cam", "occlusion"]
    for name in methods:
        values = maps[f"map_{name}"]
        assert values.shape == maps["images"].shape
        assert np.isfinite(values).all()
        assert (values < 0).any()
        assert (values > 0).any()
    assert (maps["target"] == maps["called"]).all()
    right = maps["outcome"] == "right"
    assert (right == (maps["source"] == maps["called"])).all()
    shares = metrics_of(finished)["attribution"]["methods"]
    inside = {name: shares[name]["inside_cells"]["value"] for name in methods}
    assert sum(share >= 0.85 for share in inside.values()) >= 2, inside


def test_removed_compartments_have_drops_and_empty_ones_have_none(finished: Path) -> None:
    table = pd.read_parquet(finished / "tables" / "cell_occlusion.parquet")
    assert set(table["region"]) == {"nucleus", "cytoplasm", "neighbours", "background"}
    assert set(table["channel"]) == {"DNA", "cytoplasm", "mitochondria", "all"}
    nuclei = table[table["region"] == "nucleus"]
    assert nuclei["drop"].notna().all()
    gone = table["score_before"] - table["score_after"]
    np.testing.assert_allclose(table["drop"].dropna(), gone.dropna(), atol=1e-6)
    assert not table.loc[table["drop"].isna(), "flips"].any()


def test_tables_keep_every_well_and_faulty_field(screen: Path, finished: Path) -> None:
    truth = json.loads((screen.parent / "truth.json").read_text())
    wells = pd.read_parquet(finished / "tables" / "wells.parquet")
    plate_map = pd.read_csv(screen.parent / "platemap.csv")
    assert set(wells["Metadata_Well"]) >= set(plate_map["Metadata_Well"])
    fields = pd.read_parquet(finished / "tables" / "fields.parquet")
    assert len(fields) == len(plate_map)
    assert truth
    assert fields["faulty"].dtype == bool


def test_profiles_open_as_anndata(finished: Path) -> None:
    data = anndata.read_h5ad(finished / "profiles.h5ad")
    wells = pd.read_parquet(finished / "tables" / "wells.parquet")
    assert data.n_obs == (wells["n_crops"] > 0).sum()
    assert "Metadata_Well" in data.obs
    seen = data.obs["fold"].astype(int).to_numpy() == 1
    assert np.isnan(data.layers["fold_0"][seen]).all()


def test_treatments_are_ranked_and_the_page_says_how(screen: Path, finished: Path) -> None:
    ranking = metrics_of(finished)["ranking"]
    assert ranking["reason"] == ""
    # Two folds of six controls a kind hold out three: too few for an axis in a latent space.
    assert ranking["placed_by"] == "log-odds"
    table = pd.read_parquet(finished / "tables" / "treatments.parquet")
    assert len(table) == ranking["n_treatments"] == 4
    truth = json.loads((screen.parent / "truth.json").read_text())
    full = next(c["name"] for c in truth["compounds"] if c["kind"] == "full")
    high = table["Metadata_Concentration"] == 10
    rescue = table[high].set_index("Metadata_Compound")["rescue"]
    assert rescue[full] > 0.5
    assert rescue.drop(full).max() < 0.4
    page = (finished / "report" / "index.html").read_text(encoding="utf-8")
    assert 'id="ranking"' in page
    assert (finished / "figures" / "ranking_waterfall.svg").is_file()
    profiles = anndata.read_h5ad(finished / "profiles.h5ad")
    assert {"rescue", "side_effect", "call"} <= set(profiles.obs)


def assert_same_tables(one: Path, other: Path) -> None:
    for name in TABLES:
        first, second = (
            pd.read_parquet(run / "tables" / f"{name}.parquet") for run in (one, other)
        )
        pd.testing.assert_frame_equal(first, second, check_exact=True, obj=name)


def test_a_killed_run_resumes_to_the_same_tables(
    screen: Path, finished: Path, tmp_path: Path
) -> None:
    """Kill the run while the second network trains; what --resume makes must be equal."""
    out = tmp_path / "RUN"
    command = [sys.executable, "-m", "counterstain", "run", str(screen), "--out", str(out)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first_network = out / "models" / "fold_0.json"
    while running.poll() is None and not first_network.is_file():
        try:
            running.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
    running.kill()
    running.wait()
    assert first_network.is_file()
    assert not (out / "report").exists()
    assert call(["run", str(screen), "--out", str(out), "--resume"]) == 0
    assert_same_tables(finished, out)


def test_a_stage_can_be_repeated(screen: Path, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "RUN"
    shutil.copytree(finished, out)
    for verb in ("score", "explain", "audit", "rank"):
        assert call([verb, str(screen), "--out", str(out)]) == 0
    assert_same_tables(finished, out)
    assert call(["report", str(out)]) == 0


def test_a_run_from_before_the_ranking_resumes_and_its_section_may_change(
    screen: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "RUN"
    shutil.copytree(finished, out)
    record = json.loads((out / "run.json").read_text())
    del record["config"]["ranking"], record["stages"]["rank"]
    (out / "run.json").write_text(json.dumps(record))
    (out / "tables" / "treatments.parquet").unlink()
    (out / "report" / "index.html").unlink()
    assert call(["run", str(screen), "--out", str(out), "--resume"]) == 0
    assert_same_tables(finished, out)
    assert (out / "report" / "index.html").is_file()
    changed = screen.with_name("ranking.toml")
    changed.write_text(screen.read_text().replace("min_cells = 4", "min_cells = 1000"))
    capsys.readouterr()
    assert call(["rank", str(changed), "--out", str(out)]) == 2
    assert "Nothing can be ranked." in capsys.readouterr().err
    assert "too few cells" in (out / "report" / "index.html").read_text(encoding="utf-8")
    assert not (out / "tables" / "treatments.parquet").exists()


def test_a_folder_with_another_run_is_refused(
    screen: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    assert call(["run", str(screen), "--out", str(finished)]) == 2
    assert "holds a run: go on with it with --resume" in capsys.readouterr().err
    changed = screen.with_name("other.toml")
    changed.write_text(screen.read_text().replace("seed = 3", "seed = 4"))
    assert call(["run", str(changed), "--out", str(finished), "--resume"]) == 2
    assert "was made from another configuration" in capsys.readouterr().err
    (tmp_path / "notes.txt").write_text("mine")
    assert call(["run", str(screen), "--out", str(tmp_path)]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


def test_a_null_plate_stays_silent(tmp_path: Path) -> None:
    screen = small_plate(tmp_path / "plate", phenotype="none", seed=5)
    out = tmp_path / "RUN"
    assert call(["run", str(screen), "--out", str(out)]) == 0
    metrics = metrics_of(out)
    assert metrics["nothing_to_explain"] is True
    assert metrics["oracle"] is None
    page = (out / "report" / "index.html").read_text(encoding="utf-8")
    assert "nothing to explain" in page.lower()
    assert not (out / "counterfactuals.npz").exists()
