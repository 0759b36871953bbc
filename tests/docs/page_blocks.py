"""What a page of the documentation tells its reader to type."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text and the line it begins on."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    return [
        Block(token.info.strip(), token.content, (token.map or [0])[0] + 1)
        for token in tokens
        if token.type == "fence"
    ]


def commands(block: Block) -> list[str]:
    """Return the commands of a console block; every line must be one of counterstain's."""
    lines = [line for line in block.text.splitlines() if line.strip()]
    for line in lines:
        assert line.startswith("$ counterstain "), f"no command of counterstain: {line!r}"
    return [line.removeprefix("$ ") for line in lines]
