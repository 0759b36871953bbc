"""The live page over a finished run: reads the run folder, and nothing else.

FastAPI is loaded at first use only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.explorer.application import create_app as create_app
    from counterstain.explorer.run_reading import ExplorerRun as ExplorerRun
    from counterstain.explorer.run_reading import read_explorer_run as read_explorer_run

_LAZY = {
    "ExplorerRun": "run_reading",
    "create_app": "application",
    "read_explorer_run": "run_reading",
}
__all__ = ["ExplorerRun", "create_app", "read_explorer_run"]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
