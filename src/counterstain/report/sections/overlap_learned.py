"""What networks make of patches: latent space, classifier and regressor of overlap."""

from __future__ import annotations

from counterstain.report.chapter import Chapter
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.overlap_latent_figures import (
    map_figures,
    reconstruction_figures,
    reconstruction_table,
    separation_table,
)
from counterstain.report.sections.overlap_network_figures import (
    classifier_figure,
    classifier_table,
    confusion_figures,
    per_class_table,
    regressor_figure,
    regressor_table,
)
from counterstain.report.sections.overlap_network_words import network_sentences

__all__ = ["overlap_learned_chapter", "was_learnt"]


def was_learnt(data: RunData) -> bool:
    """Return whether the run learnt from patches, or says why it did not."""
    numbers = OverlapData(data).numbers
    return any(numbers.get(name) for name in ("latent_space", "classifier", "regressor"))


def overlap_learned_chapter(data: RunData, book: FigureBook) -> Chapter:
    """Return reconstructions, latent space, classifier and regressor."""
    overlap = OverlapData(data)
    content = {
        "problems": [data.missing[k] for k in ("overlap_latents",) if k in data.missing],
        "sentences": network_sentences(overlap),
        "regressor": regressor_figure(overlap, book),
        "regressor_table": regressor_table(overlap),
        "classifier": classifier_figure(overlap, book),
        "confusions": confusion_figures(overlap, book),
        "per_class": per_class_table(overlap),
        "tried": classifier_table(overlap),
        "maps": map_figures(overlap, book),
        "separation": separation_table(overlap),
        "reconstructions": reconstruction_figures(overlap, book),
        "errors": reconstruction_table(overlap),
    }
    return Chapter("overlap_learned", "What networks see in the patches", "Networks", content)
