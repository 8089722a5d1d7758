"""Fenced blocks and tables of a Markdown page."""

import re
from pathlib import Path
from typing import NamedTuple

_FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")


class Block(NamedTuple):
    """A fenced block: its language and its lines, without the indent of a list."""

    language: str
    lines: list[str]


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    found = _FENCE.findall(page.read_text(encoding="utf-8"))
    return [
        Block(language, [line.strip() for line in text.splitlines()]) for language, text in found
    ]


def inline(page: Path) -> list[str]:
    """Return what stands between single backticks, outside of blocks."""
    return _CODE.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row, headings and rulers left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    ruler = [i for i, row in enumerate(cells) if set("".join(row)) <= set("-:")]
    headings = {i - 1 for i in ruler}
    return [row for i, row in enumerate(cells) if i not in headings and i not in ruler]
