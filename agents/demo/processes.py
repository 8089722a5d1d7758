"""Processes of the demo: started with a log each, ended together, none left behind."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

from agents.demo.keeper import FAREWELL

T = TypeVar("T")

_POLL_S = 0.05
_END_S = 2.0
LAST_LINES = 20


class ProcessDied(RuntimeError):  # noqa: N818 - it reads as what it says
    """A process ended, or did not get ready; the message ends with its last log lines."""


class Processes:
    """A group of processes, which ends when this context or this whole process does."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="livepulse-demo-"))
        self._keeper = _start_keeper(self.directory)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(self._running):
            self.end(name)
        self._keeper.communicate(FAREWELL)

    def start(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> None:
        """Start a command in the demo's own directory; ``env`` is added to the environment.

        Variables of livepulse itself do not pass: the demo does not touch the user's broker.
        """
        own = {k: v for k, v in os.environ.items() if not k.startswith("LIVEPULSE_")}
        with self._log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - commands of our own
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=own | dict(env or {}),
                process_group=self._keeper.pid,  # Ctrl-C is for the demo alone
            )

    def wait(self, name: str, ready: Callable[[], T | None], *, seconds: float) -> T:
        """Return what ``ready`` returns when it is not None. Raises ProcessDied."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            if (result := ready()) is not None:
                return result
            time.sleep(_POLL_S)
        raise ProcessDied(f"{name} was not ready after {seconds:g} s\n{self.last_lines(name)}")

    def check(self) -> None:
        """Raise ProcessDied when one of them has ended."""
        for name, process in self._running.items():
            if (code := process.poll()) is not None:
                raise ProcessDied(f"{name} ended with code {code}\n{self.last_lines(name)}")

    def end(self, name: str) -> None:
        """Ask a process to end, and after some seconds make it."""
        process = self._running[name]
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log(self, name: str) -> str:
        """Return what the process has printed so far."""
        with suppress(FileNotFoundError):
            return self._log(name).read_text(errors="replace")
        return ""

    def last_lines(self, name: str) -> str:
        """Return the end of what the process has printed."""
        return "\n".join(self.log(name).splitlines()[-LAST_LINES:])

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"


def _start_keeper(directory: Path) -> subprocess.Popen[bytes]:
    keeper = subprocess.Popen(  # noqa: S603 - a command of our own
        [sys.executable, "-m", "agents.demo.keeper", str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert keeper.stdout is not None
    keeper.stdout.readline()  # now it leads its group
    return keeper
