"""Runs `livepulse` inside the test's process, as `main` would be called by the shell."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


class CommandLine:
    """A shell in an empty directory, with no LIVEPULSE_* variables but those that are given."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        directory: Path,
    ) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.chdir(directory)
        for name in list(os.environ):
            if name.startswith("LIVEPULSE_"):
                monkeypatch.delenv(name)

    def set(self, **variables: str) -> None:
        """Set ``LIVEPULSE_<NAME>`` for every ``name=value``."""
        for name, value in variables.items():
            self._monkeypatch.setenv(f"LIVEPULSE_{name.upper()}", value)

    def run(self, *arguments: str) -> Outcome:
        """Run ``livepulse ARGUMENTS`` to its end."""
        self._monkeypatch.setattr(sys, "argv", ["livepulse", *arguments])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        return Outcome(int(ended.value.code or 0), out, err)
