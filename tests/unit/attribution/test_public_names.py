"""Every public name is there, and a module of the same name does not hide its function."""

from __future__ import annotations

import importlib

import pytest

from counterstain import attribution


def test_every_public_name_is_a_function_or_a_record() -> None:
    for module in set(attribution._LAZY.values()):
        importlib.import_module(f"counterstain.attribution.{module}")
    for name in attribution.__all__:
        assert callable(getattr(attribution, name)), name
    with pytest.raises(AttributeError, match="no attribute 'gradcam'"):
        _ = attribution.gradcam  # type: ignore[attr-defined]
