"""What was run."""

from __future__ import annotations

from counterstain.report.chapter import Chapter, Table
from counterstain.report.data import RunData
from counterstain.report.numbers import as_estimate, count, decimal, duration, plain_percent
from counterstain.report.overlap_data import OverlapData
from counterstain.report.sections.overlap_methods import overlap_settings

__all__ = ["run_chapter"]

_NOT = "not recorded"
_UNKNOWN = {_NOT, "–", "–, ?", "?, ?"}


def run_chapter(data: RunData) -> Chapter:
    """Return settings, versions and timings."""
    names = ["run", "metrics", *(["crops"] if data.has_classes else [])]
    content = {
        "settings": _settings(data),
        "timings": _timings(data),
        "versions": _versions(data),
        "problems": [data.missing[k] for k in names if k in data.missing],
    }
    return Chapter("run", "What was run", "Run", content)


def _settings(data: RunData) -> Table:
    rows = _class_settings(data) if data.has_classes else _plain_settings(data)
    if data.has_overlap:
        rows[-1:-1] = overlap_settings(OverlapData(data))
    known = [row for row in rows if row[1] not in _UNKNOWN]
    return Table("Settings of the run", ("setting", "value"), known)


def _plain_settings(data: RunData) -> list[tuple[str, str]]:
    """Return what every run has."""
    inputs = data.run.get("inputs") or {}
    digest = str(inputs.get("digest", "?"))[:16]
    return [
        ("configuration (digest)", str(data.run.get("config_digest") or _NOT)[:16]),
        ("input files", f"{inputs.get('n_files', '?')} (digest {digest})"),
        ("channels", ", ".join(data.channels) or _NOT),
        ("classes", ", ".join(data.classes) or _NOT),
        ("pixel size", f"{data.pixel_size_um:g} µm" if data.pixel_size_um else
         "unknown: scale bars are left out"),
        ("seed", str(data.run.get("seed", _NOT))),
    ]  # fmt: skip


def _class_settings(data: RunData) -> list[tuple[str, str]]:
    training, crops = data.metrics.get("training") or {}, data.section("crops")
    throughput = as_estimate(training.get("crops_per_s"))
    bits = as_estimate(training.get("bits_per_dim"))
    fitted = as_estimate(training.get("accuracy_train"))
    *first, size, seed = _plain_settings(data)
    return [
        *first,
        ("crops", f"{data.noun}, {crops.get('size') or data.crops.get('size') or '?'} px"),
        size,
        ("network", str(training.get("network") or _NOT)),
        ("parameters", count(as_estimate(training.get("parameters")).value)),
        ("start", str(training.get("pretrained") or _NOT)),
        ("folds", str(training.get("folds") or _NOT)),
        ("steps a fold, minibatch",
         f"{count(as_estimate(training.get('steps')).value)}, {training.get('minibatch') or '?'}"),
        ("precision, device",
         f"{training.get('precision') or '?'}, {training.get('device') or '?'}"),
        ("accuracy on training crops",
         plain_percent(fitted.value) if fitted.is_defined else _NOT),
        ("bits per dimension", decimal(bits.value) if bits.is_defined else
         "none: this network has no likelihood"),
        ("throughput", f"{count(throughput.value)} crops/s" if throughput.is_defined else _NOT),
        seed,
    ]  # fmt: skip


def _timings(data: RunData) -> Table | None:
    stages = data.run.get("stages") or {}
    rows, total = [], 0.0
    for name, stage in stages.items():
        seconds = as_estimate((stage or {}).get("seconds")).value
        total += seconds if seconds == seconds else 0.0
        rows.append((str(name), str((stage or {}).get("state", "?")), duration(seconds)))
    if not rows:
        return None
    rows.append(("all stages", "", duration(total)))
    return Table("Time of each stage", ("stage", "state", "time"), rows, frozenset({2}))


def _versions(data: RunData) -> Table | None:
    versions = data.run.get("versions") or {}
    rows = [(str(name), str(version)) for name, version in versions.items()]
    return Table("Software", ("package", "version"), rows) if rows else None
