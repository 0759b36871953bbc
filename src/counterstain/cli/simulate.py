"""``counterstain simulate``: draw a plate with a planted truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from counterstain.cli.progress import TerminalListener
from counterstain.errors import InvalidInputError

__all__ = ["simulate"]

# What the options are called in `simulate_plate` and `simulate_coculture`.
_ARGUMENTS = {"fields": "fields_per_well", "size": "field_size"}
_ONLY_PLATE = ("phenotype",)
_ONLY_COCULTURE = ("replicates", "faulty_patches", "crowding_sd", "gathering")


def simulate(
    out: Path,
    /,
    *,
    kind: Literal["plate", "coculture"] = "plate",
    seed: int = 0,
    phenotype: str | None = None,
    fields: int | None = None,
    size: int | None = None,
    plates: int | None = None,
    plate_format: int | None = None,
    control_wells: int | None = None,
    compounds: int | None = None,
    doses: int | None = None,
    replicates: int | None = None,
    faulty_fields: int | None = None,
    faulty_patches: float | None = None,
    crowding_sd: float | None = None,
    gathering: float | None = None,
    plate_gradient: float | None = None,
    background_tilt: float | None = None,
) -> None:
    """Draw a plate with the truth beside it: diseased, healthy and treated cells, or a co-culture.

    Parameters
    ----------
    out : Path
        Folder to make.
    kind : str
        plate: diseased, healthy and treated cells. coculture: T cells and dendritic cells that
        touch as their stimulation has it, with IN Cell file names.
    seed : int
        Seed of everything random.
    phenotype : str
        What is wrong with diseased cells, e.g. mitochondria_down, nuclei_larger, none (plate).
    fields : int
        Fields a well: 2.
    size : int
        Edge of a field in pixels: 320 (plate), 512 (coculture).
    plates : int
        Number of plates: 1.
    plate_format : int
        Wells of a plate: 96 (plate), 384 (coculture).
    control_wells : int
        Wells of each class on a plate: 12 (plate), 32 of each stimulation (coculture).
    compounds : int
        Number of compounds: 12 (plate), 8 (coculture).
    doses : int
        Doses of each compound: 6 (plate), 4 (coculture).
    replicates : int
        Wells of each dose under each stimulation: 3 (coculture).
    faulty_fields : int
        Fields of a plate that go wrong; about 3 % (plate) or 2 % (coculture) where not given.
    faulty_patches : float
        Share of the other fields of which a part is bare or shows debris: 0.08 (coculture).
    crowding_sd : float
        How much the logarithm of the number of cells varies by well: 0.4 (coculture).
    gathering : float
        How much denser cells lie in one part of a field than in another: 0.3 (coculture).
    plate_gradient : float
        Relative change of intensity across the plate: 0.05.
    background_tilt : float
        Relative change of the background across a field: 0.2 (plate), 0.4 (coculture).
    """
    options = {key: value for key, value in locals().items() if key not in ("out", "kind")}
    given = {key: value for key, value in options.items() if value is not None}
    _check_options(kind, given)
    with TerminalListener() as listener:
        screen = _draw(out, kind, given, listener)
        listener.say(f"Plate: {screen}")
        listener.say(f"Truth: {screen.with_name('truth.json')}")


def _check_options(kind: str, given: dict[str, Any]) -> None:
    """Refuse what the other kind only would heed."""
    other = _ONLY_COCULTURE if kind == "plate" else _ONLY_PLATE
    wrong = [f"--{name.replace('_', '-')}" for name in given if name in other]
    if wrong:
        raise InvalidInputError(
            f"`--kind {kind}` takes no {', '.join(wrong)}: leave it out, or choose the other kind."
        )


def _draw(out: Path, kind: str, given: dict[str, Any], listener: TerminalListener) -> Path:
    arguments = {_ARGUMENTS.get(name, name): value for name, value in given.items()}
    arguments["progress"] = listener.track("drawing fields")
    if kind == "plate":
        from counterstain.plates import simulate_plate

        return simulate_plate(out, **arguments)
    from counterstain.plates.simulate.coculture import simulate_coculture

    if "compounds" in arguments:
        arguments["drugs"] = arguments.pop("compounds")
    return simulate_coculture(out, **arguments)
