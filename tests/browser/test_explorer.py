"""What a person does with the explorer, in a real browser."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from counterstain.networks.checkpoint import load_network
from counterstain.networks.views import choose_views

Serve = Callable[[Path], contextlib.AbstractContextManager[str]]
STATES = (
    "#/plate/0",
    "#/well/0",
    "#/field/0",
    "#/cell/0?map=saliency",
    "#/map?map=boundary_0&lasso=0,-99,99,-99,99,99,0,99",
    "#/treatments",
)
READY = "main[aria-busy='false']"
PIXELS = "() => Array.from(document.querySelector('canvas.computed').pixels)"
PICTURE = "() => document.querySelector('canvas.computed').toDataURL()"


def go(page: Any, address: str, state: str) -> None:
    page.goto(f"{address}{state}")
    page.wait_for_selector(READY)


def diseased(run: Path) -> pd.Series:
    crops = pd.read_parquet(run / "tables" / "crops.parquet")
    return crops[(crops["class_name"] == "diseased") & crops["usable"]].iloc[1]


def open_cell(page: Any, address: str, run: Path, query: str = "") -> pd.Series:
    crop = diseased(run)
    go(page, address, f"#/cell/{crop['crop']}{query}")
    page.wait_for_selector(".readout[data-probability]")
    return crop


def shown(page: Any) -> tuple[int, float]:
    facts = page.locator(".readout").evaluate("e => [e.dataset.step, e.dataset.probability]")
    return int(facts[0]), float(facts[1])


def test_the_slider_shows_an_image_and_the_networks_own_probability_for_it(
    page: Any, address: str, finished_run: Path
) -> None:
    crop = open_cell(page, address, finished_run)
    network, _ = load_network(finished_run / "models" / f"fold_{crop['fold']}")
    start, before = shown(page)
    first = page.evaluate(PICTURE)
    page.focus("#slider")
    seen = [(start, before)]
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        step, probability = shown(page)
        pixels = np.array(page.evaluate(PIXELS), np.float32).reshape(1, 3, 40, 40)
        with torch.no_grad():
            answers = [
                network.class_logits(v.of(torch.from_numpy(pixels))) for v in choose_views(4)
            ]
        odds = torch.stack([a[:, 1] - a[:, 0] for a in answers]).mean()
        assert probability == pytest.approx(float(torch.sigmoid(odds)), abs=1e-5)
        assert page.locator(".big b").inner_text() == f"{probability:.3f}"
        seen.append((step, probability))
    assert [step for step, _ in seen] == list(range(start, start + 5))
    assert all(np.diff([p for _, p in seen]) > 0)
    assert page.evaluate(PICTURE) != first
    page.keyboard.press("End")
    assert shown(page)[1] > 0.5
    page.keyboard.press("Home")
    assert shown(page)[1] < 0.5


def test_the_error_of_each_step_is_checked_and_said(
    page: Any, address: str, finished_run: Path
) -> None:
    open_cell(page, address, finished_run, "?step=3")
    page.wait_for_function(
        "() => /error of the inverse ≤ \\d/.test(document.querySelector('.readout').textContent)"
    )


def test_keys_move_blink_and_toggle_channels(page: Any, address: str, finished_run: Path) -> None:
    open_cell(page, address, finished_run)
    start, _ = shown(page)
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    assert shown(page)[0] == start + 1
    page.keyboard.press("0")
    assert abs(shown(page)[1] - 0.5) < 0.03
    page.keyboard.press("o")
    assert shown(page)[0] == start
    before = page.evaluate(PICTURE)
    page.keyboard.press("3")
    assert page.evaluate(PICTURE) != before
    assert "ch=0.1" in page.url
    page.keyboard.press("b")
    page.wait_for_selector("canvas.computed[data-blink='imaged']")
    page.wait_for_selector("canvas.computed[data-blink='computed']")
    page.keyboard.press("b")
    crop = page.url.split("/cell/")[1].split("?")[0]
    page.keyboard.press("n")
    page.wait_for_function(f"() => !location.hash.includes('/cell/{crop}?')")
    assert "ch=0.1" in page.url  # how channels are shown stays
    page.wait_for_selector(READY)
    page.keyboard.press("Escape")
    page.wait_for_function("() => location.hash.startsWith('#/field/')")
    page.keyboard.press("?")
    assert page.locator("dialog#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog#help").is_visible()


def test_contrast_is_linked_between_images(page: Any, address: str, finished_run: Path) -> None:
    open_cell(page, address, finished_run, "?step=2")
    images = (
        "() => ['imaged', 'computed'].map(n => document.querySelector(`canvas.${n}`).toDataURL())"
    )
    before = page.evaluate(images)
    page.get_by_label("DNA: intensity shown brightest").fill("0.4")
    after = page.evaluate(images)
    assert after[0] != before[0]
    assert after[1] != before[1]
    page.select_option("#palette", "cmy")
    assert page.evaluate(images)[0] != after[0]


def test_a_link_shows_the_same_again(page: Any, address: str, finished_run: Path) -> None:
    open_cell(page, address, finished_run, "?step=17&pal=cmy&diff=0&map=saliency&lim=0~0.5_0~1_0~1")
    state = """() => [location.hash, document.querySelector('.readout').dataset.step,
      ...['computed', 'difference'].map(n => document.querySelector(`canvas.${n}`).toDataURL())]"""
    page.wait_for_function("() => document.querySelector('canvas.attribution').width === 40")
    first = page.evaluate(state)
    page.reload()
    page.wait_for_selector(".readout[data-probability]")
    assert page.evaluate(state) == first
    assert first[1] == "17"


def test_from_plate_to_well_to_field_to_cell_by_keyboard(page: Any, address: str) -> None:
    go(page, address, "#/plate/0")
    page.locator(".well[tabindex='0']").focus()
    first = page.evaluate("() => document.activeElement.dataset.well")
    page.keyboard.press("ArrowRight")
    second = page.evaluate("() => document.activeElement.dataset.well")
    assert second != first
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => location.hash.startsWith('#/well/{second}')")
    page.wait_for_selector(".fields a")
    page.locator(".fields a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".mosaic img")
    page.locator(".spot").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.hash.startsWith('#/cell/')")
    page.wait_for_selector(".readout[data-probability]")


def test_a_lasso_selects_and_the_link_selects_again(
    page: Any, address: str, finished_run: Path
) -> None:
    go(page, address, "#/map?map=boundary_0&tool=lasso")
    page.wait_for_selector("canvas.points[data-ready]")
    box = page.locator("canvas.points").bounding_box()
    corners = [(0.5, 0.02), (0.98, 0.02), (0.98, 0.98), (0.5, 0.98), (0.5, 0.05)]
    spots = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in corners]
    page.mouse.move(*spots[0])
    page.mouse.down()
    for spot in spots[1:]:
        page.mouse.move(*spot, steps=8)
    page.mouse.up()
    page.wait_for_selector(".selection[data-n]")
    n = int(page.locator(".selection").get_attribute("data-n"))
    table = pd.read_parquet(finished_run / "tables" / "boundary.parquet")
    middle = (table["log_odds"].min() + table["log_odds"].max()) / 2
    assert abs(n - (table["log_odds"] > middle).sum()) <= 0.1 * len(table)
    assert n > 0
    rows = page.locator(".selection tbody tr th").all_inner_texts()
    assert rows == ["DNA", "cytoplasm", "mitochondria"]
    assert page.locator(".selection .gallery li").count() == min(n, 60)
    page.reload()
    page.wait_for_selector(".selection[data-n]")
    assert int(page.locator(".selection").get_attribute("data-n")) == n
    page.keyboard.press("Escape")
    page.wait_for_selector(".selection[data-n]", state="detached")


def test_hover_shows_the_image_of_the_point(page: Any, address: str) -> None:
    go(page, address, "#/map?map=boundary_0")
    page.wait_for_selector("canvas.points[data-ready]")
    box = page.locator("canvas.points").bounding_box()
    for u in np.linspace(0.05, 0.95, 60):
        page.mouse.move(box["x"] + u * box["width"], box["y"] + 0.45 * box["height"])
        if page.locator(".tip[data-shown]").count():
            break
    tip = page.locator(".tip[data-shown]")
    assert "/api/sheets/" in tip.locator(".tile").evaluate("e => e.style.backgroundImage")


def test_a_mark_survives_a_restart_and_can_be_undone(page: Any, a_run: Path, serve: Serve) -> None:
    crop = diseased(a_run)["crop"]
    button = page.locator("[data-kind='mislabelled_crop'] button")
    with serve(a_run) as address:
        go(page, address, f"#/cell/{crop}")
        page.locator("[data-kind='mislabelled_crop'] input").fill("<b>two nuclei</b>")
        button.click()
        page.wait_for_selector("[data-kind='mislabelled_crop'] button.marked")
        page.goto("about:blank")
    with serve(a_run) as address:
        go(page, address, f"#/cell/{crop}")
        assert button.inner_text() == "Undo: crop as mislabelled"
        assert (
            page.locator("[data-kind='mislabelled_crop'] input").input_value()
            == "<b>two nuclei</b>"
        )
        button.click()
        page.wait_for_selector("[data-kind='mislabelled_crop'] button:not(.marked)")
        page.goto("about:blank")
    assert (a_run / "annotations.csv").read_text().count("\n") == 3


def test_a_link_to_a_crop_that_is_none_says_so(page: Any, address: str) -> None:
    go(page, address, "#/cell/999999")
    assert "There is no crop 999999" in page.locator("[role=alert]").inner_text()
    # The browser notes the answer 404 in its console, and nothing else.
    assert len(page.complaints) == 1
    assert "404" in page.complaints.pop()


def test_treatments_sort_and_stand_side_by_side_and_names_stay_text(
    page: Any, a_run: Path, serve: Serve, treatments: Callable[[Path], None]
) -> None:
    treatments(a_run)
    with serve(a_run) as address:
        go(page, address, "#/treatments")
        names = page.locator("tbody tr td:nth-child(3)").all_inner_texts()
        assert any("<script>" in name for name in names)
        first = page.locator("tbody tr").first.inner_text()
        page.get_by_role("button", name="Rescue", exact=True).click()
        assert page.locator("tbody tr").first.inner_text() != first
        assert "sort=rescue" in page.url
        for at in (0, 1):
            page.locator("tbody input[type=checkbox]").nth(at).click()
        page.wait_for_function("() => document.querySelectorAll('.side').length === 2")
        page.reload()
        page.wait_for_function("() => document.querySelectorAll('.side').length === 2")
        for state in (
            "#/plate/0?by=Metadata_Compound",
            "#/map?map=boundary_0&by=Metadata_Compound",
        ):
            go(page, address, state)
            assert page.locator("main script").count() == 0
            assert "broken" not in page.title()


@pytest.mark.parametrize("page", [1440, 390], indirect=True)
@pytest.mark.parametrize("state", STATES)
def test_no_serious_violation_and_nothing_wider_than_the_page(
    page: Any, address: str, state: str, violations: Callable[[Any], list[Any]]
) -> None:
    go(page, address, state)
    if "/cell/0" in state:
        page.wait_for_selector(".readout[data-probability]")
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
