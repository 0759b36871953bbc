"""What figures are tested with: small tables, and a search for labels that meet."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text


def _colliding(figure: Figure) -> list[tuple[str, str]]:
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    texts = [t for t in figure.findobj(Text) if t.get_visible() and str(t.get_text()).strip()]
    boxes = [(t.get_text(), t.get_window_extent().padded(-1.0)) for t in texts]
    page = figure.bbox
    inside = [(s, b) for s, b in boxes if b.width > 0 and page.overlaps(b)]
    return [(s, u) for (s, a), (u, b) in combinations(inside, 2) if a.overlaps(b)]


@pytest.fixture
def colliding() -> Callable[[Figure], list[tuple[str, str]]]:
    """Return a function that lists pairs of labels that cover each other."""
    return _colliding


@pytest.fixture
def make_wells() -> Callable[..., pd.DataFrame]:
    """Return a function that makes up the wells of one plate."""

    def make(
        rows: int = 8, columns: int = 12, classes: tuple[str, ...] = ("sick", "well")
    ) -> pd.DataFrame:
        rng = np.random.default_rng(1)
        names = [f"{chr(65 + r)}{c + 1:02d}" for r in range(rows) for c in range(columns)]
        labels = [classes[i % len(classes)] if i % columns < 4 else "" for i in range(len(names))]
        table = pd.DataFrame({"Metadata_Plate": "P", "Metadata_Well": names, "class_name": labels})
        table["n_fields"], table["n_crops"] = 2, 40
        table["logit"] = rng.normal(0, 3, len(table))
        probability = rng.dirichlet(np.ones(len(classes)), len(table))
        for k, name in enumerate(classes):
            table[f"prob_{name}"] = probability[:, k]
        table["predicted"] = np.array(classes)[probability.argmax(axis=1)]
        return table

    return make
