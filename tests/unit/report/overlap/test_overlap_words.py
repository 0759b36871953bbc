from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from counterstain.report.data import RunData, read_run
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.overlap_network_words import (
    classifier_sentence,
    regressor_sentence,
    structure_words,
)
from counterstain.report.sections.overlap_pictures import ordinary_patches
from counterstain.report.sections.overlap_words import (
    chance_sentence,
    crowding_sentence,
    follows,
    patch_sentences,
    readout_sentence,
)
from counterstain.run_folder import RunFolder

Say = Callable[..., OverlapData]


@pytest.fixture
def changed(
    fill_overlap: Callable[..., RunFolder], overlap_metrics: dict[str, Any], tmp_path: Path
) -> Say:
    """Return a function that returns a run with some of its numbers changed."""

    def change(**changes: Any) -> OverlapData:
        data = read_run(fill_overlap(RunFolder(tmp_path / "RUN"), pixels=False))
        metrics = {"overlap": overlap_metrics | changes}
        return OverlapData(RunData(data.folder, data.run, metrics, {}, data.tables, None))

    return change


def _estimate(value: float, half: float = 0.01, n: int = 8) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "n_wells": n, "reason": ""}


def _groups(metrics: dict[str, Any], q: tuple[float, float], sign: int = 1) -> list[dict[str, Any]]:
    groups = metrics["groups"]
    for row, value in zip(groups[1:], q, strict=True):
        row |= {"q": value, "difference": _estimate(sign * row["difference"]["value"], 0.02)}
    return groups  # type: ignore[no-any-return]


def test_no_difference_is_no_finding(changed: Say, overlap_metrics: dict[str, Any]) -> None:
    found = follows(changed(groups=_groups(overlap_metrics, (0.3, 0.06))))
    assert found.status == "none"
    assert "No difference in overlap was found" in found.text
    assert "(q = 0.06)" in found.text


def test_a_part_is_called_a_part(changed: Say, overlap_metrics: dict[str, Any]) -> None:
    found = follows(changed(groups=_groups(overlap_metrics, (0.3, 1e-5))))
    assert found.status == "fair"
    assert found.text.startswith("In part, the overlap follows the stimulation")
    assert found.text.endswith("No difference was found for OVA.")


def test_less_overlap_is_called_lower(changed: Say, overlap_metrics: dict[str, Any]) -> None:
    found = follows(changed(groups=_groups(overlap_metrics, (1e-5, 1e-5), sign=-1)))
    assert "lower by 0.100 [0.080, 0.120] in OVA" in found.text
    assert "higher" not in found.text


def test_the_class_without_interaction_need_not_be_the_first(
    changed: Say, overlap_metrics: dict[str, Any]
) -> None:
    groups = _groups(overlap_metrics, (1e-5, 1e-5))
    found = follows(changed(groups=groups[::-1]))
    assert found.text.endswith("than in unstimulated wells.")


def test_undefined_tests_are_no_answer(changed: Say, overlap_metrics: dict[str, Any]) -> None:
    groups = _groups(overlap_metrics, (1e-5, 1e-5))
    for row in groups[1:]:
        row["q"] = None
    assert follows(changed(groups=groups)).status == "unknown"


def test_an_interval_that_holds_zero_is_not_above_chance(
    changed: Say, overlap_metrics: dict[str, Any]
) -> None:
    groups = overlap_metrics["groups"]
    groups[0]["iou_above_chance"] = _estimate(0.001, 0.01)
    text = chance_sentence(changed(groups=groups))
    assert "not told from 0 in unstimulated (0.001" in text
    assert "above 0 in OVA (0.100 [0.090, 0.110]) and ConA" in text


def test_a_measure_that_falls_with_crowding_is_said_to_fall(
    changed: Say, overlap_metrics: dict[str, Any]
) -> None:
    crowding = overlap_metrics["crowding"]
    crowding[2]["iou_above_chance"] = _estimate(-0.5, 0.2)
    text = crowding_sentence(changed(crowding=crowding))
    assert "IoU rises in unstimulated (ρ = 0.80 [0.70, 0.90]), OVA" in text
    assert "IoU above chance falls in ConA (ρ = −0.50 [−0.70, −0.30])" in text
    assert "is not shown to change in unstimulated" in text


def test_faulty_patches_are_counted_apart(changed: Say) -> None:
    first, second = patch_sentences(changed())
    assert "11.1\N{NARROW NO-BREAK SPACE}% are faulty (16 empty and 4 debris)" in first
    assert second == "2 of 48 fields are faulty: out of focus (2)."


def test_a_readout_is_told_with_its_agreement(changed: Say) -> None:
    curve = {"spearman": _estimate(0.9), "concordance_before": _estimate(0.1),
             "concordance_after": _estimate(0.95)}  # fmt: skip
    readout = {
        "n_wells": 30,
        "column": "overlap",
        "curves": {"linear": curve},
        "reason": "",
        "not_on_plate": ["P24"],
        "without_readout": [f"A{i:02d}" for i in range(1, 15)],
    }
    text = readout_sentence(changed(readout=readout))
    assert "rank correlation of 0.90 [0.89, 0.91]" in text
    assert "0.95 [0.94, 0.96] after the linear curve" in text
    assert "1 of the readout are not on the plate (P24)" in text
    assert "14 of the plate have no readout (A01, A02," in text
    assert "A13" not in text


def test_noise_is_no_structure() -> None:
    found = {"silhouette": 0.1, "silhouette_chance": 0.0, "silhouette_p": 0.051, "purity": 0.9,
             "purity_chance": 0.3, "purity_p": 0.2, "neighbours": 15}  # fmt: skip
    assert structure_words(found, "drug").startswith("no structure beyond chance")
    assert structure_words(found | {"purity_p": 0.04}, "drug").startswith("no structure")
    assert structure_words(found | {"purity_p": 0.01}, "drug").startswith(
        "same labels lie together"
    )
    empty = dict.fromkeys(found) | {"reason": "one label"}
    assert structure_words(empty, "plate") == "not judged (one label)"


def test_examples_lie_around_the_median_and_in_different_wells(
    overlap_patches: pd.DataFrame,
) -> None:
    patches = overlap_patches.assign(group=lambda t: t["Metadata_Stimulation"])
    rows, median = ordinary_patches(patches, "OVA", 3)
    own = patches[(patches["group"] == "OVA") & (patches["state"] == "contact")]
    assert median == pytest.approx(own["iou"].median())
    assert rows["Metadata_Well"].nunique() == 3
    nearest = (own.groupby("Metadata_Well")["iou"].first() - median).abs().nsmallest(3)
    assert set(rows["Metadata_Well"]) == set(nearest.index)


def _errors(rmse: float) -> dict[str, float]:
    return {"rmse": rmse, "r2": 0.5, "spearman": 0.7, "wasserstein_of_range": 0.1}


def test_a_network_that_something_simpler_beats_is_said_to_be_beaten() -> None:
    better = {"test": {"network": _errors(0.02), "constant": _errors(0.1), "ridge": _errors(0.05)}}
    worse = {"test": {"network": _errors(0.06), "constant": _errors(0.1), "ridge": _errors(0.05)}}
    assert "adds nothing" not in regressor_sentence("plain", better)
    text = regressor_sentence("masked", worse)
    assert "RMSE of 0.060" in text
    assert "0.100 for a constant and 0.050 for a ridge regression on intensities" in text
    assert text.endswith("the network adds nothing here.")


@pytest.mark.parametrize(("gap", "said"), [(0.03, False), (0.2, True)])
def test_a_large_gap_is_called_memory(gap: float, said: bool) -> None:
    found = {"accuracy": {"patch": {"train": 0.9, "test": 0.9 - gap, "gap": gap}},
             "test": {"accuracy": {"crop": _estimate(0.9 - gap)}}}  # fmt: skip
    assert ("its own wells" in classifier_sentence("plain", found)) == said
