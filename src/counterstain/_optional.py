"""The only door to optional packages."""

from __future__ import annotations

import importlib
from types import ModuleType

from counterstain.errors import OptionalDependencyError

__all__ = ["import_optional"]


def import_optional(name: str, extra: str, purpose: str) -> ModuleType:
    """Import a package of an optional extra, or say how to install it.

    Parameters
    ----------
    name : str
        Module to import.
    extra : str
        Extra of ``pyproject.toml`` that holds it.
    purpose : str
        What it is needed for, as the end of "is needed to ...".

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    OptionalDependencyError
        If the package is not installed.

    Examples
    --------
    >>> import_optional("json", "excel", "read numbers").__name__
    'json'
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise OptionalDependencyError(
            f"`{name}` is needed to {purpose}, and it is not installed: "
            f"run `pip install 'counterstain[{extra}]'`."
        ) from error
