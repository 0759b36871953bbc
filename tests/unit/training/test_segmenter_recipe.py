"""The recipe of a segmenter: read whole, or refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.training.segmenter_recipe import read_recipe

SHIPPED = Path(__file__).parents[3] / "examples" / "nuclei_unet.toml"


def test_the_shipped_recipe_is_read() -> None:
    recipe = read_recipe(SHIPPED)
    assert recipe.channels == ("nuclei", "effector")
    made = recipe.segmenter()
    assert (made.widths, made.diameter) == (recipe.widths, recipe.diameter)
    assert sum(recipe.settings.shares.values()) == 8


def test_the_magnification_of_a_field_is_given_or_fitted(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text('[network]\nchannels = ["DNA", "x"]\n[scale]\nknown = 0.7\n', "utf-8")
    recipe = read_recipe(file)
    labels = np.zeros((60, 60), np.uint8)
    labels[np.hypot(*np.mgrid[-30:30, -30:30]) < 24] = 1
    image = np.stack([labels, np.zeros_like(labels)]).astype(float)
    assert recipe.field(image, labels, "known").scale == 0.7
    assert recipe.field(image, labels, "other").scale == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[network]\nchannels = ['DNA']\n[trainning]\nsteps = 1", "trainning"),
        ("[network]\nchannels = ['DNA']\n[training]\nstep = 1", "step"),
        ("[network]\nchannels = ['DNA']\n[augment]\nsise = 1", "sise"),
        ("[training]\nsteps = 1", "channels"),
        ("[network", "TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInputError, match=words):
        read_recipe(file)
    with pytest.raises(MissingFileError):
        read_recipe(tmp_path / "none.toml")
