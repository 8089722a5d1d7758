"""A Dockerfile as its instructions: enough to ask which stage does what."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction, its lines joined."""

    name: str
    text: str


class Stage(NamedTuple):
    """From one FROM to the next; ``name`` is empty for a stage that has none."""

    base: str
    name: str
    instructions: list[Instruction]

    def all(self, name: str) -> list[str]:
        """Return the texts of the instructions of a kind."""
        return [one.text for one in self.instructions if one.name == name]


def stages(file: Path) -> list[Stage]:
    """Return the stages of a Dockerfile, in order."""
    lines = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n", " ", "\n".join(lines))
    found: list[Stage] = []
    for line in filter(str.strip, text.splitlines()):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            base, *alias = rest.split()
            found.append(Stage(base, alias[-1] if alias else "", []))
        else:
            found[-1].instructions.append(Instruction(name, rest.strip()))
    return found


def copied(text: str) -> tuple[str, list[str]]:
    """Return from which stage a COPY takes (empty: the build's context), and what."""
    words = shlex.split(text)
    source = next((w.removeprefix("--from=") for w in words if w.startswith("--from=")), "")
    return source, [w for w in words if not w.startswith("--")][:-1]
