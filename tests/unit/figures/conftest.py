"""What figures are tested with: small tables, and a search for labels that meet."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox


def _colliding(figure: Figure) -> list[tuple[str, str]]:
    drawn: list[Text] = []
    draw = Text.draw

    def noting(text: Text, renderer: Any) -> None:
        drawn.append(text)
        draw(text, renderer)

    # What is drawn, not what there is: ticks beyond the end of an axis have labels, too.
    with mock.patch.object(Text, "draw", noting):
        FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    texts = [t for t in dict.fromkeys(drawn) if t.get_visible() and str(t.get_text()).strip()]
    inside = [t for t in texts if _box(t).width > 0 and figure.bbox.overlaps(_box(t))]
    return [(a.get_text(), b.get_text()) for a, b in combinations(inside, 2) if _meet(a, b)]


def _box(text: Text) -> Bbox:
    return text.get_window_extent().padded(-1.0)


def _meet(one: Text, other: Text) -> bool:
    if not _box(one).overlaps(_box(other)):
        return False
    angle = one.get_rotation()
    if angle % 90 == 0 or angle != other.get_rotation():
        return True
    # Slanted labels side by side: their boxes overlap where their lines do not.
    (x, y), (u, v) = (t.get_transform().transform(t.get_position()) for t in (one, other))
    across = abs((u - x) * np.sin(np.radians(angle)) - (v - y) * np.cos(np.radians(angle)))
    return bool(across < one.get_fontsize() * one.get_figure(root=True).dpi / 72)


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
