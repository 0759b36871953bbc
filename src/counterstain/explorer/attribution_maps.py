"""Maps of what speaks for a call: those of the run, and others made when somebody asks."""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterstain.errors import InvalidInputError
from counterstain.explorer.networks import RunNetworks
from counterstain.explorer.run_reading import ExplorerRun
from counterstain.figures.overlap_pixels import PatchPixels
from counterstain.stages.map_crops import empty_places, mapped
from counterstain.stages.map_methods import MapMethod, map_methods

__all__ = ["AttributionMap", "AttributionMaps"]

_KEPT = 128


@dataclass(frozen=True, slots=True)
class AttributionMap:
    """A map of one crop.

    Parameters
    ----------
    values : ndarray of float32, shape (C, H, W)
        Signed; above 0 speaks for the class.
    stored : bool
        Whether the run had it, or it was made now by the same method.
    """

    values: NDArray[np.float32]
    stored: bool


@dataclass(frozen=True)
class _Store:
    """Pixels as the stages ask for them, read crop by crop."""

    pixels: PatchPixels

    def scaled(self, ids: ArrayLike, /) -> NDArray[np.float32]:
        return self.pixels.read(ids)[0]

    def nuclei(self, ids: ArrayLike, /) -> NDArray[np.uint8]:
        return self.pixels.read(ids)[1]


class AttributionMaps:
    """Maps by crop, method and class.

    Parameters
    ----------
    run : ExplorerRun
        The run.
    networks : RunNetworks
        Its networks.
    """

    def __init__(self, run: ExplorerRun, networks: RunNetworks) -> None:
        self._run, self._networks = run, networks
        self._methods: dict[str, MapMethod] | None = None
        self._kept: OrderedDict[tuple[int, str, int], AttributionMap] = OrderedDict()

    @property
    def names(self) -> tuple[str, ...]:
        """Methods of the run's configuration; none where no network can be asked."""
        if self._run.config is None or self._networks.why_none():
            return ()
        if self._run.metrics.get("nothing_to_explain", True):
            return ()
        return tuple(self._run.config.attribution.methods)

    def map(self, item: int, method: str, target: int) -> AttributionMap:
        """Return the map of a crop for a class.

        Raises
        ------
        InvalidInputError
            If the method or class is none of the run's, or the run has no maps.
        """
        if method not in self.names:
            raise InvalidInputError(
                f"`method` must be one of {list(self.names)}; got {method!r}: choose one of them."
                if self.names
                else "This run has no maps: its classes are not told apart, or it has no network."
            )
        key = (item, method, target)
        with self._networks.lock:
            if key not in self._kept:
                self._kept[key] = self._stored(*key) or self._make(*key)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]

    def _stored(self, item: int, method: str, target: int) -> AttributionMap | None:
        try:
            with np.load(self._run.folder.attributions, allow_pickle=False) as kept:
                at = np.flatnonzero((kept["crop"] == item) & (kept["target"] == target))
                if len(at):
                    return AttributionMap(kept[f"map_{method}"][at[0]].astype(np.float32), True)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile):
            return None  # absent or damaged: made anew
        return None

    def _make(self, item: int, method: str, target: int) -> AttributionMap:
        network = self._networks.get(self._networks.fold_of(item))
        image: NDArray[Any] = self._networks.pixels_of([item]).numpy()
        made = mapped(network, image, np.array([target]), self._made_methods()[method])
        return AttributionMap(made[0], False)

    def _made_methods(self) -> dict[str, MapMethod]:
        """Return the methods with the level of empty places that the run's own maps use."""
        run = self._run
        if self._methods is None:
            if run.config is None or run.pixels is None:
                raise InvalidInputError(self._networks.why_none())
            items = run.catalogue.items
            table = items[items["usable"].astype(bool) & (items["class_name"] != "")]
            places = empty_places(table, _Store(run.pixels), run.config)
            self._methods = map_methods(
                run.config, int(run.pixels.pixels.shape[2]), places.background
            )
        return self._methods
