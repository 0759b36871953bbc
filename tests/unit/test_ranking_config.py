"""The section [ranking]: what it refuses, and which classes it takes for the ends of the scale."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterstain.config import RankingConfig, read_config
from counterstain.errors import InvalidInputError

SCREEN = """
[images]
pattern = "{well}_{channel}.tif"
channels = ["DNA"]
[classes]
DS = { kind = "a" }
WT = { kind = "b" }
TT = { kind = "c" }
[ranking]
"""


def read(tmp_path: Path, lines: str) -> RankingConfig:
    path = tmp_path / "screen.toml"
    path.write_text(SCREEN + lines, encoding="utf-8")
    return read_config(path).ranking


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('diseased = "sick"', "`ranking.diseased` must be one of the classes"),
        ('diseased = "DS"\nhealthy = "DS"', "must be two classes; got 'DS' twice"),
        ("partial_rescue = 0.8", "`partial_rescue` must be at most `hit_rescue`; got 0.8 and 0.5"),
        ("min_wells = 1", "ranking.min_wells"),
        ("confidence = 95", "ranking.confidence"),
        ('position = "b_score"', "ranking.position"),
        ("min_zprime = 0.4", "did you mean `min_z_prime`?"),
    ],
)
def test_what_is_refused(tmp_path: Path, lines: str, words: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        read(tmp_path, lines)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("given", "classes", "pair"),
    [
        ({}, ["a", "b"], ("a", "b")),
        ({}, ["healthy", "sick"], ("sick", "healthy")),
        ({"healthy": "a"}, ["a", "b"], ("b", "a")),
        ({}, ["x", "healthy", "diseased"], ("diseased", "healthy")),
        ({"diseased": "DS"}, ["DS", "WT", "TT"], None),
        ({"diseased": "DS", "healthy": "WT"}, ["DS", "WT", "TT"], ("DS", "WT")),
    ],
)
def test_the_ends_of_the_scale(given, classes, pair) -> None:
    assert RankingConfig(**given).pair(classes) == pair


def test_three_classes_may_name_two(tmp_path: Path) -> None:
    assert read(tmp_path, 'diseased = "DS"\nhealthy = "WT"').healthy == "WT"
