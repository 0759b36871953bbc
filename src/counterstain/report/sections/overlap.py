"""How much two kinds of cells touch."""

from __future__ import annotations

from counterstain.report.chapter import Chapter
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.overlap_agreement import readout_figures, readout_table
from counterstain.report.sections.overlap_figures import (
    crowding_figure,
    group_figure,
    histogram_figure,
    plate_figures,
)
from counterstain.report.sections.overlap_pictures import example_figure, faulty_figure
from counterstain.report.sections.overlap_tests import (
    calls_figure,
    group_table,
    treatment_figure,
    treatment_table,
)
from counterstain.report.sections.overlap_words import (
    follows_sentences,
    interaction_sentence,
    patch_sentences,
    readout_sentence,
)

__all__ = ["overlap_chapter"]


def overlap_chapter(data: RunData, book: FigureBook) -> Chapter:
    """Return examples, groups, crowding, patches, calls, plates, treatments and readout."""
    overlap = OverlapData(data)
    names = ("overlap", "overlap_wells", "overlap_patches", "overlap_treatments")
    content = {
        "kinds": overlap.kinds,
        "problems": [data.missing[name] for name in names if name in data.missing],
        "sentences": follows_sentences(overlap),
        "examples": example_figure(overlap, book),
        "groups": group_figure(overlap, book),
        "group_table": group_table(overlap),
        "crowding": crowding_figure(overlap, book),
        "patches": histogram_figure(overlap, book),
        "interaction": interaction_sentence(overlap),
        "calls": calls_figure(overlap, book),
        "plates": plate_figures(overlap, book),
        "treatments": treatment_figure(overlap, book),
        "treatment_table": treatment_table(overlap),
        "readout": readout_sentence(overlap),
        "readout_figures": readout_figures(overlap, book),
        "readout_table": readout_table(overlap),
        "counted": patch_sentences(overlap),
        "faulty": faulty_figure(overlap, book),
    }
    return Chapter("overlap", "Cells that touch", "Touching", content)
