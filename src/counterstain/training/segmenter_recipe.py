"""A segmenter's recipe on disk: all that is needed to train it again, as TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.masks.instances import InstanceSettings
from counterstain.masks.unet import DIAMETER, UNetSegmenter
from counterstain.masks.unet_magnification import median_diameter, scale_for
from counterstain.masks.unet_network import WIDTHS
from counterstain.training.recipe_tables import (
    NetworkTable,
    as_table,
    check_keys,
    checked_seed,
    checked_table,
    scale_table,
)
from counterstain.training.segmenter import SegmenterSettings, fit_segmenter, labelled_field
from counterstain.training.segmenter_augment import AugmentSettings, LabelledField

__all__ = ["SegmenterRecipe", "read_recipe"]

_TABLES = {"seed", "network", "training", "augment", "refine", "scale", "instances"}


@dataclass(frozen=True, slots=True)
class SegmenterRecipe:
    """What a segmenter is and how it is trained.

    Parameters
    ----------
    channels : tuple of str
        Image channels.
    widths : tuple of int
        Channels a level of the network.
    diameter : float
        Pixels of the network: fields are magnified until their median cell is as large, or shrunk
        until it is twice as large.
    settings : SegmenterSettings
        Training, augmentation and seed.
    refinements : tuple of SegmenterSettings
        Further cycles that go on from there, each with its own rates and augmentation.
    scale : dict of str to float
        Magnification of groups of fields; that of other fields is fitted to their cells.
    instances : InstanceSettings
        How maps become objects.
    """

    channels: tuple[str, ...]
    widths: tuple[int, ...] = WIDTHS
    diameter: float = DIAMETER
    settings: SegmenterSettings = field(default_factory=SegmenterSettings)
    refinements: tuple[SegmenterSettings, ...] = ()
    scale: dict[str, float] = field(default_factory=dict)
    instances: InstanceSettings = field(default_factory=InstanceSettings)

    def segmenter(self) -> UNetSegmenter:
        """Make the segmenter, with fresh weights."""
        return UNetSegmenter(
            self.channels,
            widths=self.widths,
            diameter=self.diameter,
            instances=self.instances,
            seed=self.settings.seed,
        )

    def field(self, image: NDArray[Any], labels: NDArray[Any], group: str) -> LabelledField:
        """Make a field for training; arguments as for `labelled_field`.

        Where the recipe gives its group no magnification, its labels tell it.
        """
        made = labelled_field(image, labels, group=group)
        fitting = scale_for(median_diameter(made.labels), self.diameter)
        return replace(made, scale=self.scale.get(group, fitting))

    @property
    def steps(self) -> int:
        """Training steps of all cycles."""
        return sum(cycle.steps for cycle in self._cycles)

    def fit(
        self,
        segmenter: UNetSegmenter,
        fields: Sequence[LabelledField],
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[dict[str, Any]]:
        """Train a segmenter in place through all cycles; arguments as for `fit_segmenter`.

        Returns
        -------
        list of dict
            As of `fit_segmenter`, and which `cycle`, from 0 on; steps and seconds are counted
            within each.
        """
        history: list[dict[str, Any]] = []
        before = 0
        for number, cycle in enumerate(self._cycles):
            told = _told(progress, before, self.steps)
            rows = fit_segmenter(segmenter, fields, cycle, progress=told)
            history += [{"cycle": number, **row} for row in rows]
            before += cycle.steps
        return history

    @property
    def _cycles(self) -> tuple[SegmenterSettings, ...]:
        return (self.settings, *self.refinements)


def _told(
    progress: Callable[[int, int], None] | None, before: int, steps: int
) -> Callable[[int, int], None] | None:
    """Count the steps of a cycle on from those before."""
    if progress is None:
        return None
    return lambda done, _: progress(before + done, steps)


def read_recipe(path: Path | str) -> SegmenterRecipe:
    r"""Read a recipe.

    Parameters
    ----------
    path : Path or str
        TOML with the tables ``network``, ``training``, ``augment``, ``scale`` and ``instances``;
        what is left out keeps its default, but for ``network.channels``. Each ``refine`` is a
        further cycle of training: it and its ``augment`` hold what differs from the cycle before,
        and its seed is one higher.

    Raises
    ------
    MissingFileError
        If there is no such file.
    InvalidInputError
        If it is no TOML, a table is none, a key is unknown or holds a value out of range, or the
        channels are missing.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "recipe.toml"
    >>> _ = file.write_text('[network]\nchannels = ["DNA"]\n[training]\nsteps = 5\n')
    >>> read_recipe(file).settings.steps
    5
    """
    file = Path(path)
    if not file.is_file():
        raise MissingFileError(f"{file} must be a recipe; there is no such file: correct the path.")
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{file} must be TOML; {error}: correct it there.") from error
    check_keys(file, "", content, _TABLES)
    network = checked_table(file, "network", content.get("network", {}), NetworkTable)
    settings = replace(
        checked_table(file, "training", content.get("training", {}), SegmenterSettings),
        augment=checked_table(file, "augment", content.get("augment", {}), AugmentSettings),
        seed=checked_seed(file, content.get("seed", 0)),
    )
    return SegmenterRecipe(
        channels=network.channels,
        widths=network.widths,
        diameter=network.diameter,
        settings=settings,
        refinements=_refinements(file, content.get("refine", []), settings),
        scale=scale_table(file, content.get("scale", {})),
        instances=checked_table(file, "instances", content.get("instances", {}), InstanceSettings),
    )


def _refinements(file: Path, given: Any, first: SegmenterSettings) -> tuple[SegmenterSettings, ...]:
    cycles = [first]
    for table in given if isinstance(given, list) else [given]:
        before = cycles[-1]
        training = dict(as_table(file, "refine", table))
        changed = training.pop("augment", {})
        augment = checked_table(
            file, "refine.augment", changed, AugmentSettings, before=before.augment
        )
        cycle = checked_table(file, "refine", training, SegmenterSettings, before=before)
        cycles.append(replace(cycle, augment=augment, seed=before.seed + 1))
    return tuple(cycles[1:])
