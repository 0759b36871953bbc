"""One run that is served: its parts, made once and shared by all requests."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from counterstain.explorer.attribution_maps import AttributionMaps
from counterstain.explorer.boundary_strips import BoundaryStrips
from counterstain.explorer.embeddings import Embeddings
from counterstain.explorer.networks import RunNetworks
from counterstain.explorer.run_cache import RunCache
from counterstain.explorer.run_reading import ExplorerRun
from counterstain.explorer.selections import Selections
from counterstain.explorer.sheets import Sheets

__all__ = ["Session", "open_session"]


@dataclass(frozen=True)
class Session:
    """What requests share.

    Parameters
    ----------
    run : ExplorerRun
        The run.
    networks, strips, maps, sheets, embeddings, selections
        What is made of it on demand.
    writing : threading.Lock
        Held while a mark is written.
    """

    run: ExplorerRun
    networks: RunNetworks
    strips: BoundaryStrips
    maps: AttributionMaps
    sheets: Sheets
    embeddings: Embeddings
    selections: Selections
    writing: threading.Lock = field(default_factory=threading.Lock)


def open_session(run: ExplorerRun) -> Session:
    """Put the parts together; nothing is computed yet."""
    networks, cache = RunNetworks(run), RunCache(run)
    return Session(
        run,
        networks,
        BoundaryStrips(run, networks),
        AttributionMaps(run, networks),
        Sheets(run, cache),
        Embeddings(run, networks, cache),
        Selections(run, cache),
    )
