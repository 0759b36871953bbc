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


def test_a_refinement_holds_what_differs_and_is_trained_after_the_first_cycle(
    tmp_path: Path,
) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(
        "seed = 4\n[network]\nchannels = ['DNA']\nwidths = [4, 4, 4, 4, 4]\n"
        "[training]\nsteps = 3\nminibatch = 2\n[augment]\nsize = 32\nblur = 2.0\n"
        "[[refine]]\nsteps = 2\nlearning_rate = 1e-4\n[refine.augment]\nblur = 0.5\n",
        "utf-8",
    )
    recipe = read_recipe(file)
    (second,) = recipe.refinements
    assert (second.steps, second.minibatch, second.learning_rate, second.seed) == (2, 2, 1e-4, 5)
    assert (second.augment.size, second.augment.blur) == (32, 0.5)
    assert (recipe.settings.augment.blur, recipe.steps) == (2.0, 5)
    labels = np.zeros((48, 48), np.uint8)
    labels[10:30, 10:30] = 1
    seen: list[tuple[int, int]] = []
    history = recipe.fit(
        recipe.segmenter(),
        [recipe.field(labels[None].astype(float), labels, "all")],
        progress=lambda done, steps: seen.append((done, steps)),
    )
    assert seen == [(done, 5) for done in range(1, 6)]
    assert [(row["cycle"], row["step"]) for row in history] == [(0, 0), (0, 2), (1, 0), (1, 1)]


def test_the_magnification_of_a_field_is_given_or_fitted(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text('[network]\nchannels = ["DNA", "x"]\n[scale]\nknown = 0.7\n', "utf-8")
    recipe = read_recipe(file)
    labels = np.zeros((60, 60), np.uint8)
    labels[np.hypot(*np.mgrid[-30:30, -30:30]) < 6] = 1
    image = np.stack([labels, np.zeros_like(labels)]).astype(float)
    assert recipe.field(image, labels, "known").scale == 0.7
    assert recipe.field(image, labels, "other").scale == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[network]\nchannels = ['DNA']\n[trainning]\nsteps = 1", "trainning"),
        ("[network]\nchannels = ['DNA']\n[training]\nstep = 1", "step"),
        ("[network]\nchannels = ['DNA']\n[augment]\nsise = 1", "sise"),
        ("[network]\nchannels = ['DNA']\n[refine]\nstep = 1", "step"),
        ("[network]\nchannels = ['DNA']\n[[refine]]\naugment = {sise = 1}", "sise"),
        ("[training]\nsteps = 1", "channels"),
        ("[network", "TOML"),
        ("network = 3", "`network` must be a table"),
        ("training = 3\n[network]\nchannels = ['DNA']", "`training` must be a table"),
        ("refine = 3\n[network]\nchannels = ['DNA']", "`refine` must be a table"),
        ("refine = ['x']\n[network]\nchannels = ['DNA']", "`refine` must be a table"),
        ("scale = 3\n[network]\nchannels = ['DNA']", "`scale` must be a table"),
        ("[network]\nchannels = ['DNA']\n[[refine]]\naugment = 3", "`refine.augment` must be a"),
        ("[network]\nchannels = 'DNA'", "network.channels"),
        ("[network]\nchannels = []", "network.channels"),
        ("[network]\nchannels = ['DNA']\nwidths = [4, 0]", "network.widths.1"),
        ("seed = -1\n[network]\nchannels = ['DNA']", "`seed` must be greater"),
        ("[network]\nchannels = ['DNA']\n[training]\nsteps = 'many'", "training.steps.*'many'"),
        ("[network]\nchannels = ['DNA']\n[training.shares]\na = -1", "training.shares.a"),
        ("[network]\nchannels = ['DNA']\n[augment]\nnear_object = 2", "augment.near_object.*got 2"),
        ("[network]\nchannels = ['DNA']\n[[refine]]\nsteps = 0", "refine.steps"),
        ("[network]\nchannels = ['DNA']\n[instances]\nsaddle = 1.5", "instances.saddle"),
        ("[network]\nchannels = ['DNA']\n[scale]\na = 0", "scale.a"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInputError, match=words):
        read_recipe(file)
    with pytest.raises(MissingFileError):
        read_recipe(tmp_path / "none.toml")
