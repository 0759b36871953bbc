"""The reference names every package with public names, and every page of it has names to show."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

from page_blocks import DOCS

import counterstain

NOT_SHOWN = {"cli", "config", "stages"}
"""Behind the command line and screen.toml, which have pages of their own."""


def documented() -> set[str]:
    texts = [p.read_text("utf-8") for p in (DOCS / "reference").glob("counterstain*.rst")]
    return {found[1] for text in texts if (found := re.search(r"automodule:: (\S+)", text))}


def test_every_package_has_its_page() -> None:
    packages = {m.name for m in pkgutil.iter_modules(counterstain.__path__) if m.ispkg}
    wanted = {f"counterstain.{name}" for name in packages - NOT_SHOWN} | {"counterstain"}
    assert wanted <= documented()


def test_every_page_is_of_a_module_with_documented_public_names() -> None:
    assert len(documented()) > 10
    for name in documented():
        module = importlib.import_module(name)
        assert module.__all__
        for public in module.__all__:
            if public != "__version__" and callable(getattr(module, public)):
                assert getattr(module, public).__doc__, f"{name}.{public}"


def test_every_page_is_in_the_list() -> None:
    listed = (DOCS / "reference" / "python.md").read_text("utf-8")
    for page in (DOCS / "reference").glob("counterstain*.rst"):
        assert f"\n{page.stem}\n" in listed


def test_no_formula_needs_a_script_from_elsewhere() -> None:
    sources = [*DOCS.rglob("*.md"), *DOCS.rglob("*.rst")]
    sources += Path(counterstain.__path__[0]).rglob("*.py")
    marks = (":math:`", ".. math::", "```{math}", "{math}`")
    assert [path for path in sources if any(m in path.read_text("utf-8") for m in marks)] == []
