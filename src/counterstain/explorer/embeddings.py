"""Maps of all crops in two dimensions: those the run has, and latents looked at once and kept."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.explorer.background import BackgroundWork
from counterstain.explorer.networks import RunNetworks
from counterstain.explorer.run_cache import RunCache
from counterstain.explorer.run_reading import ExplorerRun, as_finite
from counterstain.stages.overlap_embedding import principal_components, umap_of

__all__ = ["Embedding", "Embeddings"]

_BLOCK: Final = 128
_MOST_IN_UMAP: Final = 30_000


@dataclass(frozen=True, slots=True)
class Embedding:
    """Places of items.

    Parameters
    ----------
    x, y : ndarray of float32, shape (N,)
        NaN where an item has no place.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Known:
    label: str
    axes: tuple[str, str]
    note: str
    work: BackgroundWork[Embedding]


class Embeddings:
    """Maps by name.

    Parameters
    ----------
    run : ExplorerRun
        The run.
    networks : RunNetworks
        Its networks.
    cache : RunCache
        Where latents are kept.
    """

    def __init__(self, run: ExplorerRun, networks: RunNetworks, cache: RunCache) -> None:
        self._run, self._networks, self._cache = run, networks, cache
        self._known: dict[str, _Known] = {}
        if run.kind == "patches":
            self._add_patches()
        else:
            self._add_boundary()
            self._add_latents()

    def describe(self) -> list[dict[str, Any]]:
        """Return name, label, axes and note of every map, JSON-ready."""
        return [
            {"name": name, "label": k.label, "axes": list(k.axes), "note": k.note}
            for name, k in self._known.items()
        ]

    def state(self, name: str) -> dict[str, Any]:
        """Begin to make a map where it is not there yet; return how far it is."""
        return self._get(name).work.state()

    def embedding(self, name: str) -> Embedding:
        """Return a map.

        Raises
        ------
        InvalidInputError
            If there is none of that name, or it is not ready.
        """
        found = self._get(name).work
        if found.state()["status"] != "done" or found.result is None:
            raise InvalidInputError(f"The map {name!r} is not ready: ask again in a moment.")
        return found.result

    def _get(self, name: str) -> _Known:
        if name not in self._known:
            raise InvalidInputError(f"`map` must be one of {list(self._known)}; got {name!r}.")
        return self._known[name]

    def _add_patches(self) -> None:
        items = self._run.catalogue.items
        for kind, what in (("plain", "patches as imaged"), ("masked", "masked patches")):
            for method, word in (("umap", "UMAP"), ("pc", "principal components")):
                x, y = f"{method}1_{kind}", f"{method}2_{kind}"
                if x in items and y in items:
                    made = Embedding(as_finite(items[x]), as_finite(items[y]))
                    name = f"{method}_{kind}"
                    self._known[name] = _Known(
                        f"Latents of {what}, {word}",
                        (f"{word} 1", f"{word} 2"),
                        "Latents of the autoencoder, averaged over each patch.",
                        BackgroundWork(lambda report, made=made: made),  # type: ignore[misc]
                    )

    def _add_boundary(self) -> None:
        table = self._run.tables.get("boundary")
        if table is None or not len(table):
            return
        for first, second in dict.fromkeys(
            zip(table["source_class"], table["target_class"], strict=True)
        ):
            rows = table[(table["source_class"] == first) & (table["target_class"] == second)]
            name = f"boundary_{len(self._known)}"
            self._known[name] = _Known(
                f"Decision: {first} to {second}",
                (f"Log-odds of {second} against {first} (0: boundary)", "Component, SD"),
                "Each crop as the network sees it that never saw its well; at most 100 crops a "
                "well. The component is the strongest variation that leaves the call as it is.",
                BackgroundWork(lambda report, rows=rows: self._placed(rows)),  # type: ignore[misc]
            )

    def _placed(self, rows: Any) -> Embedding:
        n = len(self._run.catalogue.items)
        x, y = (np.full(n, np.nan, np.float32) for _ in range(2))
        at = rows["crop"].to_numpy(np.int64)
        inside = (at >= 0) & (at < n)
        x[at[inside]] = as_finite(rows["log_odds"])[inside]
        y[at[inside]] = as_finite(rows["component"])[inside]
        return Embedding(x, y)

    def _add_latents(self) -> None:
        if self._networks.why_none():
            return
        note = (
            f"All crops by one network (fold {self._networks.folds[0]}), so that they share axes; "
            "it was trained on the wells of the other folds. Distances are a guide, not a test."
        )
        for method, word in (("pca", "principal components"), ("umap", "UMAP")):
            axes = ("PC 1", "PC 2") if method == "pca" else ("UMAP 1", "UMAP 2")
            work = BackgroundWork(lambda report, m=method: self._latents(m, report))  # type: ignore[misc]
            self._known[f"latents_{method}"] = _Known(f"Latents, {word}", axes, note, work)

    def _latents(self, method: str, report: Callable[[float], None]) -> Embedding:
        kept = self._cache.read(f"map_{method}.npz")
        if kept is not None:
            with contextlib.suppress(OSError, ValueError, KeyError):
                arrays = np.load(io.BytesIO(kept), allow_pickle=False)
                return Embedding(arrays["x"], arrays["y"])
        components = self._components(report)
        found = components if method == "pca" else umap_of(components, most=_MOST_IN_UMAP)
        if found.shape[1] < 2:
            found = np.pad(found, ((0, 0), (0, 2 - found.shape[1])))
        made = Embedding(found[:, 0].copy(), found[:, 1].copy())
        stream = io.BytesIO()
        np.savez_compressed(stream, x=made.x, y=made.y)
        self._cache.write(f"map_{method}.npz", stream.getvalue())
        return made

    def _components(self, report: Callable[[float], None]) -> NDArray[np.float32]:
        """Return leading principal components ``(N, P)`` of the averaged latents of all items."""
        kept = self._cache.read("map_components.npz")
        if kept is not None:
            with contextlib.suppress(OSError, ValueError, KeyError):
                return np.asarray(np.load(io.BytesIO(kept))["components"], np.float32)
        network = self._networks.get(self._networks.folds[0])
        store = self._run.pixels
        if store is None:
            raise InvalidInputError(self._networks.why_none())
        n, parts = len(self._run.catalogue.items), []
        for first, pixels in store.blocks():
            images = torch.from_numpy(pixels)
            for start in range(0, len(images), _BLOCK):
                # The lock is given back after each block: a slider never waits for all.
                with self._networks.lock, torch.no_grad():
                    parts.append(network.profile(images[start : start + _BLOCK]).numpy())
                report(min(0.9, 0.9 * (first + start) / n))
        profiles = np.nan_to_num(np.concatenate(parts)[:n].astype(np.float32))
        components, _ = principal_components(profiles, n_components=20)
        stream = io.BytesIO()
        np.savez_compressed(stream, components=components)
        self._cache.write("map_components.npz", stream.getvalue())
        return components
