"""The table of fields: one row per plate, well and site, and whether it can be used."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd

from counterstain.plates.images import ImageHeader, probe_image
from counterstain.plates.sources import Found, Plane
from counterstain.plates.wells import well_position

__all__ = ["Progress", "build_fields"]

Progress = Callable[[int, int], None]
"""Called with the number of files probed so far, and of all files."""

_MINORITY = 0.1  # share of fields below which another size or dtype is the field's fault
_THREADS = 16
_FIRST = 32  # files that show how fast the disk is
_SLOW_S = 0.004  # seconds a file from which on threads pay
_Key = tuple[str, str, int]


def _group(found: Found) -> tuple[dict[_Key, dict[int, Plane]], list[str]]:
    """Sort planes into fields; two images of one channel of a field are a problem."""
    fields: defaultdict[_Key, dict[int, Plane]] = defaultdict(dict)
    twice: list[tuple[Plane, Plane]] = []
    for plane in found.planes:
        field = fields[plane.plate, plane.well, plane.site]
        first = field.setdefault(plane.channel, plane)
        if first is not plane:
            twice.append((first, plane))
    planes = [(a, b) for a, b in twice if a.extra != b.extra]
    same = [(a, b) for a, b in twice if a.extra == b.extra]
    errors = []
    if planes:
        a, b = planes[0]
        errors.append(
            f"{len(planes) + 1} or more images share plate, well, site and channel, such as "
            f"{a.path} ({a.extra}) and {b.path} ({b.extra}), and one plane and time point can be "
            f"used: {found.plane_hint}."
        )
    if same:
        a, b = same[0]
        errors.append(
            f"{len(same)} image(s) come twice, such as plate {a.plate}, well {a.well}, site "
            f"{a.site}: {a.path} and {b.path}: remove one of them, or let `pattern` tell them "
            "apart, such as by a folder: '{plate}/...'."
        )
    return dict(sorted(fields.items(), key=lambda item: _order(item[0]))), errors


def _order(key: _Key) -> tuple[str, tuple[int, int], int]:
    plate, well, site = key
    return plate, well_position(well), site


def _probe_all(paths: Sequence[str], progress: Progress | None) -> dict[str, ImageHeader]:
    """Read all headers, in threads where files wait for the disk.

    From a local disk a header takes half a millisecond of Python, which threads only slow down.
    """
    headers: dict[str, ImageHeader] = {}

    def collect(results: Iterable[ImageHeader]) -> None:
        for path, header in zip(paths[len(headers) :], results, strict=False):
            headers[path] = header
            if progress is not None:
                progress(len(headers), len(paths))

    start = time.perf_counter()
    collect(map(probe_image, paths[:_FIRST]))
    slow = time.perf_counter() - start > _SLOW_S * len(headers)
    rest = paths[_FIRST:]
    if slow and rest:
        with ThreadPoolExecutor(_THREADS) as pool:
            collect(pool.map(probe_image, rest))
    else:
        collect(map(probe_image, rest))
    return headers


def _planes_problem(plane: Plane, header: ImageHeader, n_channels: int) -> str:
    """Say whether the file holds another number of planes than it must."""
    wanted, got = plane.planes_in_file, header.n_planes
    if wanted is None or wanted == got:
        if plane.page < got:
            return ""
        return f"{plane.path} holds {got} plane(s), and frame {plane.page} is wanted: correct it."
    if wanted == 1:
        return (
            f"{plane.path} must hold one grey plane; got {got}: export one file a channel in grey "
            "levels, or leave {channel} out of the pattern and name all channels."
        )
    remedy = "write {channel} into the pattern" if got == 1 else "name all of them in `channels`"
    return f"{plane.path} must hold {n_channels} channels; got {got}: {remedy}."


def _field_problem(
    field: dict[int, Plane], headers: dict[str, ImageHeader], channels: Sequence[str], name: str
) -> str:
    """Say why a field cannot be used; empty where it can."""
    problems = []
    lacking = [channel for index, channel in enumerate(channels) if index not in field]
    if lacking:
        problems.append(
            f"{name} has no image of channel {', '.join(lacking)}: bring the file back."
        )
    for plane in field.values():
        header = headers[plane.path]
        problem = header.problem or _planes_problem(plane, header, len(channels))
        if problem and problem not in problems:
            problems.append(problem)
    kinds = {
        f"{plane.path}: {h.width} × {h.height} px {h.dtype}": (h.width, h.height, h.dtype)
        for plane in field.values()
        if not (h := headers[plane.path]).problem
    }
    if len(set(kinds.values())) > 1:
        problems.append(
            f"The channels of {name} must have one size and dtype; got {'; '.join(kinds)}: export "
            "them again."
        )
    return " ".join(problems)


def _row(
    key: _Key, field: dict[int, Plane], headers: dict[str, ImageHeader], channels: Sequence[str]
) -> dict[str, Any]:
    plate, well, site = key
    row: dict[str, Any] = {
        "Metadata_Plate": plate,
        "Metadata_Well": well,
        "Metadata_Site": site,
    }
    for index in range(len(channels)):
        row[f"path_{index}"] = field[index].path if index in field else ""
        row[f"page_{index}"] = field[index].page if index in field else 0
    good = [h for p in field.values() if not (h := headers[p.path]).problem]
    header = good[0] if good else ImageHeader()
    row |= {"height": header.height, "width": header.width, "dtype": header.dtype}
    row["problem"] = _field_problem(field, headers, channels, f"Field {plate} {well} site {site}")
    return row


def _first_path(row: pd.Series[Any]) -> str:
    return next((str(row[n]) for n in row.index if str(n).startswith("path_") and row[n]), "")


def _settle_minority(
    fields: pd.DataFrame, kind: pd.Series[Any], what: str, where: str
) -> list[str]:
    """Mark fields of a rare kind as not usable; two usual kinds are an error.

    `kind` holds the readable fields of one plate (or screen) only.
    """
    counts = Counter(kind)
    if len(counts) < 2:
        return []
    usual, _ = counts.most_common(1)[0]
    firsts = {value: _first_path(fields.loc[kind.index[kind == value][0]]) for value in counts}
    odd = kind.index[kind != usual]
    if len(odd) >= _MINORITY * len(kind):
        seen = "; ".join(f"{n} of {v} such as {firsts[v]}" for v, n in counts.most_common())
        return [
            f"The fields of {where} must have one {what}; got {seen}: export them alike, or keep "
            "them in screens of their own."
        ]
    for index in odd:
        fields.loc[index, "problem"] = (
            f"{_first_path(fields.loc[index])} has the {what} {kind[index]}, and the others of "
            f"{where} have {usual}: export it like the others."
        )
    return []


def _settle_kinds(fields: pd.DataFrame) -> list[str]:
    """Hold every plate to one size and the screen to one dtype."""
    errors = []
    good = fields[fields["problem"] == ""]
    sizes = good["width"].astype(str) + " × " + good["height"].astype(str) + " px"
    for plate, kind in sizes.groupby(good["Metadata_Plate"]):
        errors += _settle_minority(fields, kind, "size", f"plate {plate}")
    good = fields[fields["problem"] == ""]
    return errors + _settle_minority(fields, good["dtype"], "dtype", "the screen")


def build_fields(
    found: Found, channels: Sequence[str], progress: Progress | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Make the table of fields from the images that a source found.

    Parameters
    ----------
    found : Found
        Planes of all fields.
    channels : sequence of str
        Names of the channels.
    progress : callable, optional
        Called with files done and files in all.

    Returns
    -------
    fields : pandas.DataFrame
        As described at `counterstain.plates.screen.Screen`.
    errors : list of str
        Images that come twice, two usual sizes or dtypes.
    """
    grouped, errors = _group(found)
    paths = list(
        dict.fromkeys(plane.path for field in grouped.values() for plane in field.values())
    )
    headers = _probe_all(paths, progress)
    rows = [_row(key, field, headers, channels) for key, field in grouped.items()]
    columns = ["Metadata_Plate", "Metadata_Well", "Metadata_Site"]
    columns += [f"{name}_{i}" for i in range(len(channels)) for name in ("path", "page")]
    fields = pd.DataFrame(rows, columns=[*columns, "height", "width", "dtype", "problem"])
    if rows:
        errors += _settle_kinds(fields)
    whole = ["Metadata_Site", "height", "width", *(c for c in columns if c.startswith("page_"))]
    fields = fields.astype(dict.fromkeys(whole, "int64"))
    fields.insert(0, "field", pd.RangeIndex(len(fields)).astype("int64"))
    fields.insert(len(fields.columns) - 1, "readable", fields["problem"] == "")
    return fields, errors
