"""``counterstain demo``: the main job on the embedded plate."""

from __future__ import annotations

from pathlib import Path

from counterstain.cli.progress import TerminalListener

__all__ = ["demo"]


def demo(out: Path = Path("demo"), /, *, seed: int = 0, resume: bool = False) -> None:
    """Simulate a plate with a known truth, run it, and write the report.

    Parameters
    ----------
    out
        A new or empty folder; gets plate/ and run/.
    seed
        Draws another plate, and trains with another seed.
    resume
        Go on with a demo that was stopped.
    """
    from counterstain.pipeline import run
    from counterstain.plates import simulate_plate

    with TerminalListener() as listener:
        screen = out / "plate" / "screen.toml"
        if not (resume and screen.is_file()):
            listener.say("Drawing a simulated 96-well plate.")
            screen = simulate_plate(out / "plate", seed=seed)
        folder = run(screen, out / "run", resume=resume, listener=listener)
        listener.say(f"Report: {folder.report}")
