"""What only follows from another measurement is no headline."""

from __future__ import annotations

import pytest

from counterstain.counterfactual.shadows import Change, find_shadows


def found(**changes: tuple[float, float, float]) -> dict[str, str]:
    """Return the shadows of clear changes ``feature__region=(doublings, amount, effect)``."""
    table = {
        f"{key.replace('__', ':').replace('nucleus_ring', 'nucleus/ring')}:GFP": Change(*c, True)
        for key, c in changes.items()
    }
    return {k.removesuffix(":GFP"): v.removesuffix(":GFP") for k, v in find_shadows(table).items()}


CELL, NUCLEUS, RING = "mean_intensity:cell", "mean_intensity:nucleus", "mean_intensity:ring"
RATIO = "log2_ratio:nucleus/ring"


def test_a_whole_cell_is_named_as_a_cell() -> None:
    shadows = found(
        mean_intensity__cell=(-1.0, -0.2, -9),
        mean_intensity__nucleus=(-0.8, -0.1, -5),
        mean_intensity__ring=(-1.1, -0.3, -10),
        mean_intensity__background=(-0.9, -0.1, -20),
        sd__cell=(-1.0, -0.2, -30),
        log2_ratio__nucleus_ring=(0.3, 0.3, 2),
    )
    assert shadows[CELL] == ""
    assert {key for key, source in shadows.items() if source == CELL} == set(shadows) - {CELL}


@pytest.mark.parametrize("ring", [(0.4, 0.1, 4), (0.9, 0.02, 9)])
def test_a_part_that_changes_more_is_named_and_blur_is_not(ring) -> None:
    shadows = found(
        mean_intensity__cell=(0.8, 0.15, 12),
        mean_intensity__nucleus=(1.0, 0.4, 11),
        mean_intensity__ring=ring,
    )
    assert shadows == {CELL: NUCLEUS, NUCLEUS: "", RING: NUCLEUS}


def test_signal_that_moves_is_named_by_the_ratio() -> None:
    shadows = found(
        mean_intensity__cell=(0.2, 0.05, 3),
        mean_intensity__nucleus=(0.8, 0.3, 10),
        mean_intensity__ring=(-0.3, -0.1, -6),
        log2_ratio__nucleus_ring=(1.1, 1.1, 40),
    )
    assert shadows == {CELL: RATIO, NUCLEUS: RATIO, RING: RATIO, RATIO: ""}


def test_a_larger_nucleus_explains_its_channel() -> None:
    shadows = found(
        area__nucleus=(0.6, 110.0, 9),
        mean_intensity__cell=(0.5, 0.1, 8),
        granularity__nucleus=(-0.2, -0.01, -5),
    )
    assert shadows["area:nucleus"] == ""
    assert shadows["mean_intensity:cell"] == "area:nucleus"
    assert shadows["granularity:nucleus"] == "area:nucleus"


def test_a_brighter_nucleus_is_not_explained_by_a_side_effect_on_its_area() -> None:
    shadows = found(area__nucleus=(0.1, 9.0, 2), mean_intensity__nucleus=(1.0, 0.4, 12))
    assert shadows["mean_intensity:nucleus"] == ""


def test_nothing_is_explained_by_what_is_no_finding_or_another_channel() -> None:
    table = {
        "mean_intensity:cell:GFP": Change(1.0, 0.2, 9, False),
        "mean_intensity:cell:DNA": Change(1.0, 0.2, 9, True),
        "sd:cell:GFP": Change(1.0, 0.1, 9, True),
    }
    assert set(find_shadows(table).values()) == {""}


def test_texture_of_the_cell_goes_before_that_of_its_nucleus() -> None:
    shadows = found(
        texture_scale__cell=(-0.3, -0.3, -14), texture_scale__nucleus=(-0.25, -0.2, -15)
    )
    assert shadows == {"texture_scale:cell": "", "texture_scale:nucleus": "texture_scale:cell"}
    opposite = found(granularity__cell=(-0.7, -0.1, -25), granularity__nucleus=(0.3, 0.1, 2))
    assert set(opposite.values()) == {""}
