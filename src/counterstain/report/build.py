"""Put the report together."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from counterstain.files import write_text
from counterstain.report.chapter import Chapter
from counterstain.report.data import RunData, read_run
from counterstain.report.figure_book import FigureBook
from counterstain.report.numbers import tidy
from counterstain.report.overlap_explorer import write_explorer
from counterstain.report.sections.answer import answer
from counterstain.report.sections.attribution import attribution_chapter
from counterstain.report.sections.audits import audits_chapter
from counterstain.report.sections.boundary import boundary_chapter
from counterstain.report.sections.difference import difference_chapter
from counterstain.report.sections.doses import doses_chapter
from counterstain.report.sections.faulty import faulty_chapter
from counterstain.report.sections.generated import generated_chapter
from counterstain.report.sections.limits import limits_chapter
from counterstain.report.sections.methods import methods_chapter
from counterstain.report.sections.overlap import overlap_chapter
from counterstain.report.sections.overlap_answer import overlap_answer
from counterstain.report.sections.overlap_learned import overlap_learned_chapter, was_learnt
from counterstain.report.sections.plate import plate_chapter
from counterstain.report.sections.ranking import ranking_chapter
from counterstain.report.sections.run_chapter import run_chapter
from counterstain.report.sections.separation import separation_chapter
from counterstain.run_folder import RunFolder

__all__ = ["build_chapters", "build_report"]


def build_report(folder: RunFolder, *, palette: str = "run", single_file: bool = False) -> Path:
    """Write the report of a run: one page that opens from disk with no network.

    Reads nothing but the run folder (and, for pictures of faulty fields, the image files it names).
    Figures go to ``figures`` as PNG, SVG and PDF with their tables as CSV, the page to
    ``report/index.html`` with its pictures inside. What the run does not hold is said in words.
    Thumbnails of the patches of a co-culture go to ``explorer``, for a live page.

    Parameters
    ----------
    folder : RunFolder
        A run, finished or not.
    palette : str
        Colours of channels, a key of :data:`counterstain.figures.composite.PALETTES`.
    single_file : bool
        Whether to write ``report/report.html`` as well: the same page with nothing beside it that
        it links to, to be mailed.

    Returns
    -------
    Path
        The page; the one for mail where that was asked for.

    Raises
    ------
    MissingFileError
        If the folder holds no run.
    InvalidInputError
        If the palette is unknown, the disk is full, or cannot be written to.
    """
    data = replace(read_run(folder), palette=palette)
    if data.has_overlap:
        write_explorer(data)
    parts = {
        "title": data.title,
        "answer": answer(data) if data.has_classes else None,
        "overlap": overlap_answer(data),
        "chapters": build_chapters(data, FigureBook(folder.figures)),
        "style": _style(),
        "version": data.run.get("version") or "?",
        "digest": data.run.get("config_digest") or "",
    }
    template = _environment().get_template("index.html.j2")
    write_text(folder.report, template.render(**parts, alone=False))
    if not single_file:
        return folder.report
    write_text(folder.report_file, template.render(**parts, alone=True))
    return folder.report_file


def build_chapters(data: RunData, book: FigureBook) -> list[Chapter]:
    """Return the chapters that the run has something to say in, in the order of the page."""
    chapters = [run_chapter(data)] if data.has_classes else []
    if data.has_classes:
        chapters += [
            plate_chapter(data, book),
            separation_chapter(data, book),
            difference_chapter(data, book),
            boundary_chapter(data, book),
            attribution_chapter(data, book),
            audits_chapter(data, book),
            ranking_chapter(data, book),
            doses_chapter(data, book),
            generated_chapter(data, book),
            faulty_chapter(data, book),
        ]
    if data.has_overlap:
        chapters.append(overlap_chapter(data, book))
        if was_learnt(data):
            chapters.append(overlap_learned_chapter(data, book))
    if not data.has_classes:
        chapters.append(run_chapter(data))
    return [*chapters, limits_chapter(data), methods_chapter(data)]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("counterstain.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["tidy"] = tidy
    return environment


def _style() -> str:
    return (resources.files("counterstain.report") / "static" / "report.css").read_text("utf-8")
