"""Trust panel, attributions and audits: what they say, also of what is missing or red."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from counterstain.audit import randomisation
from counterstain.audit.similarity import SAME
from counterstain.figures.style import SavedFigure
from counterstain.report import build_report, figure_book
from counterstain.report.sections.audit_figures import SANITY_LIMITS
from counterstain.run_folder import RunFolder

MakeRun = Callable[..., RunFolder]
QUICK = {"cells": 3, "doses": False, "absent": ("pictures", "fields", "scores")}
METHODS = ("saliency", "smooth_grad", "integrated_gradients", "grad_cam", "grad_cam_plus_plus",
           "occlusion")  # fmt: skip
KEYS = ("chance", "leakage", "empty_area", "sanity", "faithfulness", "null_screen")
REGIONS = ("nucleus", "cytoplasm", "neighbours", "background")


def estimate(value: float, half: float = 0.05, n: int = 24) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "n_wells": n, "reason": ""}


def add_maps(
    folder: RunFolder,
    images: np.ndarray,
    nuclei: np.ndarray,
    n_classes: int = 2,
    methods: tuple[str, ...] = METHODS,
    constant: str = "",
) -> None:
    rng = np.random.default_rng(3)
    n = len(images)
    source, called = np.arange(n) % n_classes, np.arange(n) // 2 % n_classes
    inside = np.where(nuclei == 1, 1.0, 0.12)[:, None] * images
    maps = {}
    for scale, method in enumerate(methods):
        sign = np.where(rng.random(images.shape) < 0.3, -0.6, 1.0)
        maps[f"map_{method}"] = (10.0**-scale * inside * sign).astype(np.float32)
        if method == constant:
            maps[f"map_{method}"][:] = 0.25
    np.savez(
        folder.attributions,
        images=images, nuclei=nuclei, crop=np.arange(n), plate=np.full(n, "P1"),
        well=np.array([f"{'ABCDEFGH'[i % 8]}{i // 8 + 1:02d}" for i in range(n)]), source=source,
        called=called, target=called, score=np.where(source == called, 2.6, 0.7),
        outcome=np.where(source == called, "right", "wrong"), methods=np.array(methods), **maps,
    )  # fmt: skip


def add_occlusion(folder: RunFolder, channels: tuple[str, ...], classes: tuple[str, ...]) -> None:
    rng = np.random.default_rng(5)
    rows = []
    for well in range(12):
        for crop in range(4):
            called = classes[well % len(classes)]
            for region in REGIONS:
                for place, channel in enumerate((*channels, "all")):
                    last = place >= len(channels) - 1
                    strength = 3.0 * (region == "cytoplasm") * last + 0.3 * last
                    drop = rng.normal(strength, 0.8)
                    rows.append({
                        "crop": 4 * well + crop, "Metadata_Plate": "P1",
                        "Metadata_Well": f"A{well + 1:02d}", "class_name": called,
                        "called": called, "region": region, "channel": channel,
                        "score_before": 2.6, "score_after": 2.6 - drop,
                        "drop": np.nan if crop == 3 and region == "neighbours" else drop,
                        "flips": drop > 2.6,
                    })  # fmt: skip
    pd.DataFrame(rows).to_parquet(folder.table("cell_occlusion"))


def audit(key: str, status: str, number: str, **more: Any) -> dict[str, Any]:
    checks = [
        {"check": f"{key} {i}", "status": status if i == 0 else "green", "value": value,
         "low": value - 0.06, "high": value + 0.05, "unit": ("AUC", "% of the signal")[i == 2],
         "sentence": f"Check {i} of {key} says so.", "n_wells": 32}
        for i, value in enumerate((0.52, 0.47, 3.1))
    ]  # fmt: skip
    nothing = {"value": None, "low": None, "high": None, "unit": ""}
    checks.append(
        {"check": "plates", "status": "unknown", "sentence": "One plate: not to be judged."}
        | nothing
    )
    titles = {"chance": "Better than chance", "leakage": "Leakage and shortcuts",
              "empty_area": "Empty areas", "sanity": "Sanity of the maps",
              "faithfulness": "Faithfulness of the maps", "null_screen": "Null screen"}  # fmt: skip
    return {
        "key": key, "title": titles[key], "status": status, "value": 0.5, "low": 0.4, "high": 0.6,
        "number": number, "sentence": f"What {key} found is said in one sentence of usual length.",
        "withholds": key in ("chance", "leakage", "null_screen"), "checks": checks, "details": {},
    } | more  # fmt: skip


def add_metrics(folder: RunFolder, statuses: dict[str, str] | None = None, **more: Any) -> None:
    given = dict.fromkeys(KEYS, "green") | (statuses or {})
    numbers = ("AUC 0.98", "corner tag 14 % of the signal", "91 % inside cells",
               "4 of 6 methods pass", "5 of 6 beat random", "1 % claims on null")  # fmt: skip
    audits = [audit(k, given[k], number) for k, number in zip(KEYS, numbers, strict=True)]
    audits[-1]["details"] = {
        "chance": {"statistic": "AUC", "score": estimate(0.52, 0.2), "chance": 0.5},
        "claims": {"rate": estimate(0.03, 0.02), "per_screen": 0.05, "n_measurements": 9},
    }
    methods = {}
    for place, name in enumerate(METHODS):
        failed = name == "grad_cam_plus_plus"
        methods[name] = {
            "inside_cells": estimate(0.93 - 0.06 * place), "area_inside": 0.42,
            "sanity": {"status": "fail" if failed else "unknown" if place == 1 else "pass",
                       "reason": "maps stay alike when the head is randomised" if failed else "",
                       "cascading": 0.97 if failed else 0.12 + 0.02 * place,
                       "independent": 0.91 if failed else 0.21, "label_randomised": None,
                       "stability": 0.88},
            "faithfulness": {t: estimate(0.7 - 0.03 * place) for t in ("insertion", "road")}
            | {"deletion": estimate(0.2 + 0.03 * place)}
            | {k: {t: estimate(0.45, 0.03) for t in ("insertion", "deletion", "road")}
               for k in ("random", "edges")},
        }  # fmt: skip
    metrics = json.loads(folder.metrics.read_text())
    chance = {"statistic": "AUC", "score": estimate(0.98, 0.02), "chance": 0.5}
    attribution = {"methods": methods, "reason": ""}
    metrics |= {"audits": audits, "attribution": attribution, "chance": chance}
    folder.metrics.write_text(json.dumps(metrics | more))


def crops(n: int = 12, n_channels: int = 3, size: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] - size / 2
    nuclei = np.zeros((n, size, size), np.uint8)
    nuclei[:, np.hypot(y, x) < size / 4] = 1
    nuclei[:, :3, :3] = 2
    images = rng.random((n, n_channels, size, size)).astype(np.float32)
    return images * np.where(nuclei == 1, 0.8, 0.2)[:, None].astype(np.float32), nuclei


class Page(HTMLParser):
    """Text, tags, ids and links of a page."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.alts: list[str] = []
        self.headings: list[int] = []
        self.html = build_report(folder).read_text(encoding="utf-8")
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.headings += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
        self.ids += [str(given["id"])] if "id" in given else []
        self.links += [str(given["href"])] if given.get("href") else []
        self.alts += [given.get("alt") or ""] if tag == "img" else []

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text).replace("\u202f", " "))

    def chapter(self, key: str) -> str:
        start = self.html.index(f'id="{key}"')
        return self.html[start : self.html.index("\n</section>\n<section", start)]


def _unsaved(figure: Figure, folder: Path, name: str) -> SavedFigure:
    """Keep a figure's words only: rendering three files a figure is what takes time."""
    words = "\n".join(str(text.get_text()) for text in figure.findobj(Text))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.svg").write_text(words, encoding="utf-8")
    width, height = figure.get_size_inches()
    png, svg, pdf = (folder / f"{name}.{ending}" for ending in ("png", "svg", "pdf"))
    return SavedFigure(png, svg, pdf, b"", width, height)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure_book, "save_figure", _unsaved)


@pytest.fixture
def audited(make_run: MakeRun) -> RunFolder:
    folder = make_run(**QUICK)
    add_maps(folder, *crops())
    add_occlusion(folder, ("DNA", "cytoplasm", "mitochondria"), ("diseased", "healthy"))
    add_metrics(folder)
    return folder


def test_panel_stands_above_the_numbers_and_links_to_its_evidence(audited: RunFolder) -> None:
    page = Page(audited)
    for key in KEYS:
        assert f"#audit-{key}" in page.links
        assert f"audit-{key}" in page.ids
    answer = page.html[: page.html.index("</header>")]
    assert answer.index('id="trust-panel"') < answer.index('class="cards"')
    assert answer.count("</span> green</span>") == 6
    assert "6 green" in page.words
    assert "AUC 0.98" in page.words
    assert all(link[1:] in page.ids for link in page.links if link.startswith("#"))
    assert len(set(page.ids)) == len(page.ids)
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    assert all(len(alt) > 20 for alt in page.alts)


def test_chapters_follow_the_boundary_and_draw_their_figures(audited: RunFolder) -> None:
    page = Page(audited)
    keys = [
        link for link in page.links if link in ("#boundary", "#attribution", "#audits", "#doses")
    ]
    assert keys[:4] == ["#boundary", "#attribution", "#audits", "#doses"]
    drawn = {path.stem for path in audited.figures.glob("*.svg")}
    assert drawn >= {"attributions", "attribution_channels", "attribution_called_0",
                     "attribution_called_1", "cell_occlusion", "audit_inside_cells",
                     "audit_sanity", "audit_faithfulness", "audit_null",
                     "audit-leakage-checks"}  # fmt: skip
    assert re.search(r"Without mitochondria in the cytoplasm, \d+ % \[\d+, \d+\] of the calls of "
                     r"diseased flip", page.words)  # fmt: skip
    assert "Fails the sanity check on this network, do not read: Grad-CAM++" in page.words
    assert "with the map of integrated gradients under each crop" in page.words


@pytest.mark.parametrize("status", ["green", "amber", "unknown"])
def test_sentences_stand_unless_an_audit_is_red(audited: RunFolder, status: str) -> None:
    add_metrics(audited, {"leakage": status})
    page = Page(audited)
    assert "Withheld" not in page.words
    assert page.words.count("mean intensity in the cell +38") >= 2


@pytest.mark.parametrize("key", ["leakage", "chance", "null_screen"])
def test_red_audits_withhold_every_sentence_about_biology(audited: RunFolder, key: str) -> None:
    add_metrics(audited, {key: "red"})
    page = Page(audited)
    assert "mean intensity in the cell +38" not in page.html
    assert not re.search("of the calls.{0,20} flip", page.words)
    assert "✓ confirmed" not in page.html
    assert "more confirmed" not in page.html
    assert "are confirmed" not in page.html
    assert page.words.count("Sentences about biology are withheld, because the audit") >= 4
    for chapter in ("answer", "difference", "attribution", "audits"):
        part = page.chapter(chapter) if chapter != "answer" else page.html.split("</header>")[0]
        assert f'href="#audit-{key}"' in part
    assert "cause in doubt" in page.words
    assert "counterfactuals hold up:" not in page.words
    assert "✓ confirmed" not in (audited.figures / "effects.svg").read_text(encoding="utf-8")


def test_a_red_audit_on_which_no_sentence_depends_withholds_none(audited: RunFolder) -> None:
    add_metrics(audited, {"faithfulness": "red"})
    page = Page(audited)
    assert "Withheld" not in page.words
    assert "1 red" in page.words


def test_a_run_without_audits_says_so(make_run: MakeRun) -> None:
    page = Page(make_run(**QUICK))
    assert page.words.count("This run holds no audits") == 2
    assert "attributions.npz is not there" in page.words
    assert "tables/cell_occlusion.parquet is not there" in page.words
    assert "mean intensity in the cell +38" in page.words


def test_audits_that_were_not_made_are_unknown(audited: RunFolder) -> None:
    add_metrics(audited)
    metrics = json.loads(audited.metrics.read_text())
    metrics["audits"] = [metrics["audits"][0] | {"status": "purple"}, "no audit", {}]
    audited.metrics.write_text(json.dumps(metrics))
    page = Page(audited)
    assert "6 unknown" in page.words
    assert page.words.count("It was not made in this run.") == 10


def test_checks_are_read_from_the_table_where_the_numbers_lack_them(audited: RunFolder) -> None:
    metrics = json.loads(audited.metrics.read_text())
    rows = [{"audit": a["key"], **check} for a in metrics["audits"] for check in a.pop("checks")]
    pd.DataFrame(rows).to_parquet(audited.table("audits"))
    audited.metrics.write_text(json.dumps(metrics))
    assert "Check 2 of leakage says so." in Page(audited).words


def test_nothing_to_explain_shows_no_map(make_run: MakeRun) -> None:
    folder = make_run(null=True, **QUICK)
    add_maps(folder, *crops())
    add_metrics(folder, {"chance": "red"})
    page = Page(folder)
    assert not list(folder.figures.glob("attribution*"))
    assert page.words.count("There is nothing to explain") >= 3


def test_damaged_and_foreign_maps_are_said_in_words(audited: RunFolder) -> None:
    whole = audited.attributions.read_bytes()
    audited.attributions.write_bytes(whole[:60])
    assert "attributions.npz is damaged" in Page(audited).words
    add_maps(audited, *crops(n_channels=2))
    assert "of other channels or classes than this run" in Page(audited).words
    metrics = json.loads(audited.metrics.read_text())
    metrics["attribution"] = {"methods": {}, "reason": "No crop has a cell: there is no map."}
    audited.metrics.write_text(json.dumps(metrics))
    assert "No crop has a cell: there is no map." in Page(audited).words


def test_one_channel_and_a_constant_map(make_run: MakeRun) -> None:
    folder = make_run(channels=("DNA",), **QUICK)
    add_maps(folder, *crops(n_channels=1), constant="occlusion")
    add_occlusion(folder, ("DNA",), ("diseased", "healthy"))
    add_metrics(folder)
    page = Page(folder)
    assert "There is one channel" in page.words
    assert not (folder.figures / "attribution_channels.svg").exists()
    assert "constant" in (folder.figures / "attributions.svg").read_text(encoding="utf-8")


def test_many_classes(make_run: MakeRun) -> None:
    classes = tuple(f"class {i}" for i in range(9))
    folder = make_run(classes=classes, cells=3, doses=False,
                      absent=("pictures", "fields", "scores", "effects"))  # fmt: skip
    add_maps(folder, *crops(n=36), n_classes=9)
    add_occlusion(folder, ("DNA", "cytoplasm", "mitochondria"), classes)
    add_metrics(folder)
    page = Page(folder)
    assert "3 more classes are not drawn" in page.words
    assert "All classes are taken together." in page.words


def test_names_are_escaped(make_run: MakeRun) -> None:
    bad = "<script>alert('x')</script>"
    folder = make_run(classes=(f"a{bad}", "b"), channels=("<b>DNA", "$GFP$", "C"), **QUICK)
    add_maps(folder, *crops(), methods=("saliency", bad))
    add_occlusion(folder, ("<b>DNA", "$GFP$", "C"), (f"a{bad}", "b"))
    add_metrics(folder)
    metrics = json.loads(folder.metrics.read_text())
    metrics["audits"][1] |= {"title": bad, "sentence": bad, "number": bad, "status": "red"}
    metrics["audits"].append(audit("leakage", "red", bad) | {"key": f"x{bad}"})
    folder.metrics.write_text(json.dumps(metrics))
    page = Page(folder)
    assert "script" not in page.tags
    assert "<b>DNA" not in page.html
    assert bad in page.words


def test_limits_of_the_sanity_matrix_are_those_of_the_check() -> None:
    assert {k for k, limit in SANITY_LIMITS.items() if abs(limit - SAME) < 1e-3} == {
        "cascading", "label_randomised", "stability"
    }  # fmt: skip
    assert SANITY_LIMITS["independent"] == randomisation._UNMOVED
