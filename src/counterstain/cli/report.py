"""``counterstain report``: the page of a run, as one file, or its figures for print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from counterstain.errors import InvalidInputError

__all__ = ["report"]


def report(
    folder: Path,
    /,
    *,
    figures: str | None = None,
    formats: Annotated[str, Parameter(name="--format")] = "pdf",
    width: Literal["single", "double"] = "double",
    palette: Literal["run", "cmy"] = "run",
    to: Path | None = None,
    single_file: bool = False,
) -> None:
    """Write the report of a run again, or chosen figures of it for print.

    Parameters
    ----------
    folder
        The run folder.
    figures
        Names of figures, with commas between them, as in RUN/figures: they are made for print, and
        no report is written. "counterfactuals" stands for all whose names begin so.
    formats
        Of figures for print: pdf, svg or png (300 dpi), with commas between them.
    width
        Of figures for print: a column of 87 mm, or two of 178 mm together.
    palette
        Colours of channels: those of the run, or cyan, magenta and yellow.
    to
        Folder for figures for print; RUN/figures where not given.
    single_file
        Write report/report.html as well: the report as one file to be mailed.
    """
    from counterstain.run_folder import RunFolder

    run = RunFolder(folder)
    if figures is not None:
        if single_file:
            raise InvalidInputError(
                "`--figures` and `--single-file` must not be given together; got both: one makes "
                "figures, the other a report. Leave one."
            )
        from counterstain.report.print_figures import write_print_figures

        written = write_print_figures(
            run, _words(figures), formats=_words(formats), width=width, palette=palette, to=to
        )
        for path, letters in written.items():
            small = f" (letters from {letters:.1f} pt: small for print)" if letters < 4.95 else ""
            print(f"Figure: {path}{small}")
        return
    if to is not None:
        raise InvalidInputError(
            "`--to` is the folder for figures for print; got no `--figures`: name some, or leave "
            "`--to`. The report is written into the run."
        )
    from counterstain.report import build_report

    page = build_report(run, palette=palette, single_file=single_file)
    size = f" ({page.stat().st_size / 1e6:.1f} MB, nothing beside it is needed)"
    print(f"Report: {page}{size if single_file else ''}")


def _words(text: str) -> list[str]:
    """Split at commas.

    Examples
    --------
    >>> _words("boundary, effects,")
    ['boundary', 'effects']
    """
    return [word for part in text.split(",") if (word := part.strip())]
