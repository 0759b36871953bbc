"""What this run does not show."""

from __future__ import annotations

from counterstain.report.chapter import Chapter
from counterstain.report.data import RunData
from counterstain.report.marks import read_marks
from counterstain.report.numbers import count
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.overlap_methods import overlap_limits

__all__ = ["limits_chapter"]

_FEW_WELLS = 8


def limits_chapter(data: RunData) -> Chapter:
    """Return the limits that hold for every run, and those of this one."""
    items = _general(data) if data.has_classes else []
    if data.has_overlap:
        items += overlap_limits(OverlapData(data))
    return Chapter("limits", "Limits", "Limits", {"items": items + _own(data)})


def _general(data: RunData) -> list[str]:
    return [
        "A difference between classes is not a cause. Whatever differs between their wells "
        "(position on the plate, day of staining, medium) can be what the network learnt; classes "
        "that sit in their own columns cannot be told from those columns by this run.",
        "Counterfactuals are computed images of what this network takes for the other class. They "
        "are claims, not observations; only changes that real wells confirm count as findings.",
        "The oracle is one measurement. A counterfactual can pass it and still be wrong in "
        "everything that it does not measure.",
        f"The well is the unit of every interval. Thousands of {data.noun} from a few wells are "
        "still a few wells, and one plate is one experiment.",
    ]


def _own(data: RunData) -> list[str]:
    items = []
    wells = data.metrics.get("n_wells") or {}
    few = [f"{name} ({n})" for name, n in wells.items() if n < _FEW_WELLS]
    if few:
        items.append(
            f"Few wells in a class: {', '.join(few)}. Intervals of Z′ from so few are too narrow."
        )
    if len(data.plates) == 1:
        items.append(
            "One plate was analysed: variation from plate to plate is not in any interval."
        )
    quality = data.metrics.get("quality") or {}
    if quality.get("n_faulty"):
        items.append(
            f"{count(quality['n_faulty'])} of {count(quality['n_fields'])} fields were left out as "
            "faulty; a treatment that kills or detaches cells can be hidden among them."
        )
    marks = read_marks(data)
    if data.has_classes:
        items += [*marks.sentences]
    if data.has_overlap and len(marks.standing):
        items.append(
            "Marks set by hand change nothing in the overlap of cells: it leaves none out."
        )
    if len(data.classes) > 2 and data.has_classes:
        items.append("With more than two classes, effects compare each with the first.")
    if not data.pixel_size_um:
        items.append("The pixel size is unknown, so no length is stated.")
    return items
