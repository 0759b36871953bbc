"""The recipe of a segmenter: read whole, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.training.segmenter_recipe import read_recipe

SHIPPED = Path(__file__).parents[3] / "examples" / "nuclei_unet.toml"


def test_the_shipped_recipe_is_read() -> None:
    recipe = read_recipe(SHIPPED)
    assert recipe.channels == ("nuclei", "effector")
    assert recipe.scale["coculture"] == 0.5
    assert recipe.segmenter().widths == recipe.widths
    assert sum(recipe.settings.shares.values()) == 8


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
