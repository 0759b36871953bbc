"""Figures of the latent space: reconstructions, maps, and whether they mean much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.figures.overlap_latents import LatentColouring, draw_latent_maps
from counterstain.figures.overlap_reconstructions import draw_patch_reconstructions
from counterstain.files import read_arrays
from counterstain.report.chapter import Table
from counterstain.report.figure_book import FigureBook, PageFigure
from counterstain.report.numbers import as_estimate, count, decimal, plain_percent
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.answer import GAMMA
from counterstain.report.sections.overlap_network_words import (
    IMAGE_WORDS,
    parts_of,
    structure_words,
)
from counterstain.report.sections.overlap_pictures import patch_pixels
from counterstain.report.sections.overlap_words import probability

__all__ = ["map_figures", "reconstruction_figures", "reconstruction_table", "separation_table"]

_LABELS = {"stimulation": "Metadata_Stimulation", "drug": "Metadata_Compound",
           "plate": "Metadata_Plate", "faulty": "faulty"}  # fmt: skip
_PLACES = ("umap1", "umap2", "pc1", "pc2")


def _arrays(overlap: OverlapData) -> Mapping[str, NDArray[Any]]:
    try:
        return read_arrays(overlap.data.folder.reconstructions)
    except InvalidInputError:
        return {}


def reconstruction_figures(overlap: OverlapData, book: FigureBook) -> list[PageFigure]:
    """Draw originals beside reconstructions for each kind of image."""
    arrays, latents = _arrays(overlap), overlap.data.table("overlap_latents")
    store = patch_pixels(overlap)
    size = store.pixel_size_um if store is not None else None
    figures = []
    for kind, words in IMAGE_WORDS.items():
        names = ("original", "reconstruction", "row", "rmse")
        parts = [arrays.get(f"{kind}_{name}") for name in names]
        if any(part is None or not len(part) for part in parts):
            continue
        original, again, rows, rmse = (np.asarray(part) for part in parts)
        under = [
            f"{_well(latents, int(row))}RMSE {e:.3f}" for row, e in zip(rows, rmse, strict=True)
        ]
        figure = draw_patch_reconstructions(
            original, again, under, overlap.kinds, overlap.colours, size, GAMMA
        )
        caption = (
            f"{words.capitalize()} of wells that the autoencoder never saw, from the best "
            "reconstruction (left) to the worst (right), evenly spread between them. The error is "
            "reconstruction − original on the scale of the plate’s negative controls; all on "
            f"one scale, that of the median patch; composites with gamma {GAMMA:g}."
        )
        alt = f"{words.capitalize()} and their reconstructions, RMSE {rmse.min():.3f} to "
        alt += f"{rmse.max():.3f}."
        figures.append(
            book.add(
                f"overlap_reconstructions_{kind}",
                figure,
                caption=caption,
                alt=alt,
                table=pd.DataFrame({"row": rows, "rmse": rmse}),
            )
        )
    return figures


def _well(latents: pd.DataFrame | None, row: int) -> str:
    if latents is None or row >= len(latents):
        return ""
    return f"{latents['Metadata_Well'].iloc[row]} · "


def reconstruction_table(overlap: OverlapData) -> Table | None:
    """Return errors of the autoencoders by part."""
    rows = []
    for kind, found in parts_of(overlap, "latent_space").items():
        for part, errors in (found.get("reconstruction") or {}).items():
            rmse, mae, explained = (
                as_estimate(errors.get(k)).value for k in ("rmse", "mae", "explained_variance")
            )
            rows.append((
                IMAGE_WORDS[kind], f"{part} wells", count(errors.get("n_patches") or 0),
                decimal(rmse, 4), decimal(mae, 4), plain_percent(explained),
            ))  # fmt: skip
    if not rows:
        return None
    header = ("images", "part", "patches", "RMSE", "mean error", "variance explained")
    caption = (
        "Error of the reconstructions (asinh scale), on wells that were learnt from and others"
    )
    return Table(caption, header, rows, frozenset(range(2, 6)))


def map_figures(overlap: OverlapData, book: FigureBook) -> list[PageFigure]:
    """Draw UMAP and principal components of each kind of image."""
    latents = overlap.data.table("overlap_latents")
    if latents is None:
        return []
    figures = []
    for kind, found in parts_of(overlap, "latent_space").items():
        columns = [f"{name}_{kind}" for name in _PLACES]
        if not set(columns) <= set(latents.columns):
            continue
        points = latents[columns].set_axis(list(_PLACES), axis=1).assign(overlap=latents["iou"])
        separations = (found.get("separation") or {}).get("pooled") or {}
        colourings = [
            LatentColouring(label, words, labels.tolist(), _order(overlap, labels))
            for label, labels, words in _labelled(latents, separations)
        ]
        if not colourings:
            continue
        shares = [float(v) for v in (found.get("pca") or {}).get("explained") or []][:2]
        explained = (shares[0], shares[1]) if len(shares) == 2 else None
        seed = int(overlap.data.run.get("seed") or 0)
        laid_out = int(points["umap1"].notna().sum())
        caption = (
            f"Latent space of {IMAGE_WORDS[kind]}: UMAP (left) keeps neighbours, not distances; "
            "principal components (right) keep distances. Each latent map is averaged over its "
            "patch. Whether colours lie together was tested with labels shuffled between wells; "
            "what is not beyond chance is no structure, however it looks. "
            f"{count(laid_out)} patches of {count(_n_wells(latents))} wells."
        )
        figure = draw_latent_maps(points, colourings, explained, seed)
        alt = ". ".join(f"{c.title}: {c.words}" for c in colourings)
        table = points.assign(**{c.title: list(c.labels) for c in colourings})
        figures.append(
            book.add(f"overlap_latents_{kind}", figure, caption=caption, alt=alt, table=table)
        )
    return figures


def _n_wells(table: pd.DataFrame) -> int:
    return len(table[["Metadata_Plate", "Metadata_Well"]].drop_duplicates())


def _labelled(
    latents: pd.DataFrame, separations: Mapping[str, Any]
) -> list[tuple[str, pd.Series, str]]:
    """Return the labels that have two values or more, and what was found of each."""
    found = []
    for label, column in _LABELS.items():
        if column not in latents:
            continue
        labels = latents[column].astype(object).where(latents[column].notna(), "").astype(str)
        if label == "faulty":
            labels = labels.map({"True": "faulty", "False": "good"}).fillna(labels)
        if labels.nunique() < 2:
            continue
        words = structure_words(separations[label], label) if label in separations else "not judged"
        found.append((label, labels, words))
    return found


def _order(overlap: OverlapData, labels: pd.Series) -> list[str]:
    """Return groups in their order; of other labels the commonest, then the rest by name."""
    counts = labels.value_counts()
    first = [name for name in (*overlap.groups, "faulty") if name in counts.index]
    rest = sorted(set(map(str, counts.index)) - set(first))
    if not first and rest:
        first = [max(rest, key=lambda name: int(counts[name]))]
    return [*first, *(name for name in rest if name not in first)]


def separation_table(overlap: OverlapData) -> Table | None:
    """Return silhouette and neighbours of every label, in all latents and in averaged ones."""
    rows = []
    spaces = {"pooled": "averaged", "latents": "all, place by place"}
    for kind, found in parts_of(overlap, "latent_space").items():
        for space, words in spaces.items():
            for label, one in ((found.get("separation") or {}).get(space) or {}).items():
                v = {k: as_estimate(x).value for k, x in one.items() if k != "reason"}
                rows.append((
                    IMAGE_WORDS[kind], words, label,
                    f"{decimal(v['silhouette'])} ({decimal(v['silhouette_chance'])})",
                    probability(v["silhouette_p"]),
                    f"{plain_percent(v['purity'])} ({plain_percent(v['purity_chance'])})",
                    probability(v["purity_p"]), count(v["n_wells"]),
                ))  # fmt: skip
    if not rows:
        return None
    header = (
        "images", "latents", "label", "silhouette (shuffled)", "p", "neighbours alike (shuffled)",
        "p ", "wells",
    )  # fmt: skip
    caption = "Do patches of one label lie together? Labels were shuffled between whole wells"
    return Table(caption, header, rows, frozenset({3, 4, 5, 6, 7}))
