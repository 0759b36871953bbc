"""``counterstain simulate``: draw a plate with a planted truth."""

from __future__ import annotations

from pathlib import Path

from counterstain.cli.progress import TerminalListener

__all__ = ["simulate"]


def simulate(
    out: Path,
    /,
    *,
    seed: int = 0,
    phenotype: str = "mitochondria_down",
    fields: int = 2,
    size: int = 320,
    plates: int = 1,
    plate_format: int = 96,
    control_wells: int = 12,
    compounds: int = 12,
    doses: int = 6,
    faulty_fields: int | None = None,
    plate_gradient: float = 0.05,
    background_tilt: float = 0.2,
) -> None:
    """Draw a plate of diseased, healthy and treated cells, with the truth beside it.

    Parameters
    ----------
    out : Path
        Folder to make.
    seed : int
        Seed of everything random.
    phenotype : str
        What is wrong with diseased cells, e.g. mitochondria_down, nuclei_larger, none.
    fields : int
        Fields a well.
    size : int
        Edge of a field in pixels.
    plates : int
        Number of plates.
    plate_format : int
        Wells of a plate.
    control_wells : int
        Wells of each of the two classes on a plate.
    compounds : int
        Number of compounds.
    doses : int
        Doses of each compound.
    faulty_fields : int
        Fields of a plate that go wrong; about 3 % where not given.
    plate_gradient : float
        Relative change of intensity across the plate.
    background_tilt : float
        Relative change of the background across a field.
    """
    from counterstain.plates import simulate_plate

    with TerminalListener() as listener:
        screen = simulate_plate(
            out,
            seed=seed,
            phenotype=phenotype,
            fields_per_well=fields,
            field_size=size,
            plates=plates,
            plate_format=plate_format,
            control_wells=control_wells,
            compounds=compounds,
            doses=doses,
            faulty_fields=faulty_fields,
            plate_gradient=plate_gradient,
            background_tilt=background_tilt,
            progress=listener.track("drawing fields"),
        )
        listener.say(f"Plate: {screen}")
        listener.say(f"Truth: {screen.with_name('truth.json')}")
