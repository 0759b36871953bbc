"""The reference pages name what is there: no key is missing, none is invented."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from counterstain.config import ScreenConfig, read_config
from counterstain.plates.conventions import READY_MADE, compile_pattern
from counterstain.run_folder import OVERLAP_TABLES, TABLES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "screen_toml.md").read_text(encoding="utf-8")
FILES = ("json", "parquet", "zarr")  # `run.json` is a file, not a key of [run]
BOUNDS = ("ge", "gt", "le", "lt", "min_length", "max_length")


def sections() -> dict[str, type[BaseModel] | None]:
    """Return the schema of each section; None for [classes], whose keys are free."""
    found: dict[str, type[BaseModel] | None] = {}
    for name, field in ScreenConfig.model_fields.items():
        kind = field.annotation
        is_section = isinstance(kind, type) and issubclass(kind, BaseModel)
        found[name] = kind if is_section else None
    return found


def documented() -> dict[str, dict[str, list[str]]]:
    """Return the cells of each row of the page's tables, by section and key."""
    found: dict[str, dict[str, list[str]]] = {}
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        heading = re.match(r"\[(\w+)\]\n", part)
        assert heading, f"a heading of screen_toml.md is no section: {part[:30]!r}"
        rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", part, flags=re.MULTILINE)
        assert len(rows) == len(dict(rows)), f"a key of [{heading[1]}] stands twice"
        found[heading[1]] = {key: [c.strip() for c in rest.split("|")] for key, rest in rows}
    return found


def fields() -> list[tuple[str, str, FieldInfo]]:
    return [
        (section, key, field)
        for section, model in sections().items()
        if model is not None
        for key, field in model.model_fields.items()
    ]


def test_page_and_schema_have_the_same_keys() -> None:
    schema = {name: set(model.model_fields if model else ()) for name, model in sections().items()}
    page = {name: set(rows) for name, rows in documented().items()}
    assert page == schema


@pytest.mark.parametrize(
    ("section", "key", "field"), fields(), ids=[f"{section}.{key}" for section, key, _ in fields()]
)
def test_defaults_and_ranges_are_those_of_the_schema(
    section: str, key: str, field: FieldInfo
) -> None:
    _, default, limits, meaning = documented()[section][key]
    assert meaning
    if field.is_required():
        assert default == "required"
    elif field.default is None:
        assert default == "–"
    else:
        assert default.startswith("`")
        assert default.endswith("`")
        written = tomllib.loads(f"x = {default.strip('`')}")["x"]
        expected: Any = field.default
        if isinstance(expected, Path):
            expected = str(expected)
        assert written == (list(expected) if isinstance(expected, tuple) else expected)
    for bound in (getattr(m, name, None) for m in field.metadata for name in BOUNDS):
        if bound is not None:
            assert re.search(rf"(?<![\d.]){re.escape(f'{bound:g}')}(?![\d.])", limits), limits


@pytest.mark.parametrize(
    "page", sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
)
def test_pages_name_no_key_that_does_not_exist(page: str) -> None:
    text, known = (DOCS / page).read_text(encoding="utf-8"), sections()
    for section, key in re.findall(r"`(\w+)\.(\w+)(?: = [^`]*)?`", text):
        model = known.get(section)
        if model is not None and key not in FILES:
            assert key in model.model_fields, f"{page}: `{section}.{key}` is not a key"


def test_the_example_is_valid() -> None:
    example = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)[0]
    config = ScreenConfig.model_validate(tomllib.loads(example))
    assert config.run.budget == 600


def test_example_file_names_fit_their_patterns() -> None:
    text = (DOCS / "plates.md").read_text(encoding="utf-8")
    ready_made = re.findall(r'^\| `"(\w+)"` \|.*\| `([^`]+)` \|$', text, flags=re.MULTILINE)
    own = re.findall(r"^\| `([^`]*\{[^`]+\.\w+)` \| `([^`]+)`.*\|$", text, flags=re.MULTILINE)
    assert {name for name, _ in ready_made} == set(READY_MADE)
    assert len(own) >= 5
    for pattern, name in ready_made + own:
        assert compile_pattern(pattern).match(name) is not None, (pattern, name)


def test_every_table_of_a_run_has_its_chapter() -> None:
    text = (DOCS / "run_folder.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## `tables/(\w+)\.parquet`", text, flags=re.MULTILINE)) == {
        *TABLES,
        *OVERLAP_TABLES,
    }


@pytest.mark.parametrize("name", ["bbbc013", "three_way"])
def test_examples_of_screens_are_valid(name: str) -> None:
    assert len(read_config(DOCS.parent / "examples" / f"{name}.toml").classes) >= 2
