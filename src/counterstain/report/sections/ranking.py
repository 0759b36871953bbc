"""Which treatment heals, and at what price."""

from __future__ import annotations

from counterstain.report.chapter import Chapter
from counterstain.report.data import RunData
from counterstain.report.figure_book import FigureBook
from counterstain.report.ranking_data import read_ranking
from counterstain.report.sections.ranking_figures import (
    MOST_PANELS,
    MOST_PLATES,
    dosed_compounds,
    ranking_figures,
)
from counterstain.report.sections.ranking_remaining import (
    remaining_sentences,
    remaining_table,
)
from counterstain.report.sections.ranking_tables import (
    differing_table,
    doses_table,
    plates_table,
    treatments_table,
)
from counterstain.report.sections.ranking_words import ranking_notes, ranking_sentences

__all__ = ["ranking_chapter"]


def ranking_chapter(data: RunData, book: FigureBook) -> Chapter:
    """Return the answer in words, the figures and the tables of a ranking."""
    ranking = read_ranking(data)
    if isinstance(ranking, str):
        return Chapter("ranking", "Which treatment heals", "Treatments", {"problem": ranking})
    left_out = []
    more_panels = len(dosed_compounds(ranking)) - MOST_PANELS
    if more_panels > 0:
        left_out.append(f"{more_panels} more compounds have doses; all are in the table.")
    if len(ranking.plates) > MOST_PLATES:
        left_out.append(
            f"{len(ranking.plates) - MOST_PLATES} more plates are not drawn; all are in the table."
        )
    content = {
        "problem": "",
        "sentences": ranking_sentences(ranking),
        "remaining": remaining_sentences(data, ranking),
        "notes": ranking_notes(ranking),
        "ends": ranking.ends,
        "figures": ranking_figures(data, ranking, book),
        "left_out": left_out,
        "tables": [
            table
            for table in (
                treatments_table(ranking),
                doses_table(ranking),
                plates_table(ranking),
                remaining_table(data, ranking),
                differing_table(ranking),
            )
            if table is not None
        ],
    }
    return Chapter("ranking", "Which treatment heals", "Treatments", content)
