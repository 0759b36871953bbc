"""The same image on the other side of the decision boundary, and whether that is the biology."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.counterfactual.edits import Counterfactual as Counterfactual
    from counterstain.counterfactual.edits import counterfactual as counterfactual
    from counterstain.counterfactual.oracle import Oracle as Oracle
    from counterstain.counterfactual.oracle import choose_oracle as choose_oracle

_LAZY = {
    "Counterfactual": "edits",
    "counterfactual": "edits",
    "Oracle": "oracle",
    "choose_oracle": "oracle",
}
__all__ = ["Counterfactual", "Oracle", "choose_oracle", "counterfactual"]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
