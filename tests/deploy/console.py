"""Blocks on a page that show a command and what it prints, kept up to date.

``python -m tests.deploy.console deploy/capacity.md`` runs the commands anew and writes the page.
"""

import re
import subprocess
import sys
from pathlib import Path

_BLOCK = re.compile(r"```console\n\$ livepulse ([^\n]*)\n(.*?)```", re.DOTALL)


def renewed(text: str) -> str:
    """Return the page with what each command prints now."""
    return _BLOCK.sub(lambda m: f"```console\n$ livepulse {m[1]}\n{printed(m[1])}```", text)


def printed(arguments: str) -> str:
    """Return what a command of livepulse prints."""
    command = [sys.executable, "-m", "agents.cli", *arguments.split()]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(renewed(Path(name).read_text()))
