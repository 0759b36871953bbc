"""A reader who follows a tutorial, on plates small enough to wait for."""

from __future__ import annotations

import doctest
import os
import re
import shlex
from pathlib import Path

from page_blocks import ROOT, Block, commands

from counterstain.cli.app import call

DATA = Path(os.environ.get("COUNTERSTAIN_DATA") or ROOT.parent / "shared" / "data")
LESS = {
    "plate": "--fields 1 --size 192 --control-wells 6 --compounds 2 --doses 4 --faulty-fields 1",
    "coculture": "--fields 1 --size 192 --control-wells 4 --compounds 1 --doses 1 --replicates 1 "
    "--plate-format 24 --faulty-fields 0",
}
QUICK = {
    "split": {"folds": "2"},
    "model": {"hidden": "8", "blocks": "1", "steps": "25", "minibatch": "12", "symmetries": "1"},
    "counterfactual": {"crops_per_well": "3", "views": "1"},
    "attribution": {"methods": '["saliency"]'},
    "audit": {"crops": "2", "crops_per_well": "2", "null_steps": "0"},
    "ranking": {"min_cells": "4", "classical_crops": "6"},
    "run": {"counterfactual_wells": "2"},
}
QUICK_OVERLAP = {
    "overlap": {
        "patch": "64",
        "patches_per_field": "9",
        "stored_patches": "200",
        "latents": "4",
        "budget": '"6 s"',
    }
}
QUICK_BBBC013 = QUICK | {
    "crops": {"max_per_field": "6"},
    "ranking": {"classical_crops": "4"},
}


def quickened(text: str, settings: dict[str, dict[str, str]]) -> str:
    """Set keys of a screen.toml, in sections that are there or new."""
    for section, keys in settings.items():
        if f"[{section}]\n" not in text:
            text += f"\n[{section}]\n"
        for key, value in keys.items():
            head, part = text.split(f"[{section}]\n", 1)
            body, mark, rest = part.partition("\n[")
            body = re.sub(rf"(?m)^{key} = .*\n?", "", body)
            text = f"{head}[{section}]\n{key} = {value}\n{body}{mark}{rest}"
    return text


def simulate(words: list[str]) -> None:
    kind = words[words.index("--kind") + 1] if "--kind" in words else "plate"
    assert call([*words, *LESS[kind].split()]) == 0
    screen = Path(words[1]) / "screen.toml"
    settings = QUICK if kind == "plate" else QUICK_OVERLAP
    screen.write_text(quickened(screen.read_text("utf-8"), settings), encoding="utf-8")


def serve(words: list[str]) -> None:
    """Open the page that the server, which never ends, would give."""
    from fastapi.testclient import TestClient

    from counterstain.explorer import create_app

    with TestClient(create_app(Path(words[1])), base_url="http://127.0.0.1:8765") as client:
        assert client.get("/").status_code == 200


def put_bbbc013() -> None:
    """Lay the example's screen where the tutorial expects it, over the real images."""
    folder = DATA / "bbbc013"
    text = (ROOT / "examples" / "bbbc013.toml").read_text("utf-8")
    for name in ("images", "platemap.csv"):
        text = re.sub(rf'"[^"\n]*bbbc013/{name}"', f'"{(folder / name).as_posix()}"', text)
    Path("examples").mkdir()
    screen = Path("examples", "bbbc013.toml")
    screen.write_text(quickened(text, QUICK_BBBC013), encoding="utf-8")


def type_in(command: str) -> None:
    words = shlex.split(command)[1:]
    if words[0] == "simulate":
        simulate(words)
    elif words[0] == "serve":
        serve(words)
    else:
        assert call(words) == 0, command


def follow(page: list[Block], name: str) -> None:
    """Do what the blocks of a page say, in the folder that is current."""
    names: dict[str, object] = {}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for block in page:
        if block.language == "console":
            for command in commands(block):
                type_in(command)
        elif block.language == "pycon":
            test = doctest.DocTestParser().get_doctest(
                block.text, names, name, f"{name}.md", block.line
            )
            said: list[str] = []
            failed, _ = runner.run(test, out=said.append, clear_globs=False)
            assert not failed, "".join(said)
            names |= test.globs
