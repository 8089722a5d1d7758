"""A real Kafka for the suite: the one that LIVEPULSE_TEST_KAFKA names, or one of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port

SCRIPT = Path(__file__).parents[2] / "deploy/kafka-local/kafka.py"


@dataclass(frozen=True)
class Kafka:
    """A broker that answers. ``bootstrap`` is its address, ``host:port``."""

    bootstrap: str


@contextmanager
def running_kafka(directory: Path) -> Iterator[Kafka]:
    """Run a broker that keeps its data in ``directory`` and ends with the block or this process.

    Raises FileNotFoundError when Java or Maven is not installed, RuntimeError with the broker's
    last words when it does not start.
    """
    given = os.environ.get("LIVEPULSE_TEST_KAFKA")
    if given:
        yield Kafka(given)
        return
    port = free_port()
    with started(directory, port=port) as script:
        wait_until_it_answers(script)
        yield Kafka(f"127.0.0.1:{port}")


@contextmanager
def started(directory: Path, *, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run ``kafka.py start --foreground`` for the length of the block."""
    with subprocess.Popen(
        start_command(directory, port=port),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C goes to the tests, which still need the broker to end
    ) as script:
        try:
            yield script
        finally:
            script.terminate()


def start_command(directory: Path, *, port: int) -> list[str]:
    """Return the command line that runs a broker until the process that started it ends."""
    options = ["--foreground", "--dir", str(directory), "--port", str(port)]
    return [sys.executable, str(SCRIPT), "start", *options]


def wait_until_it_answers(script: subprocess.Popen[str]) -> None:
    """Return when the script says that clients can use the broker."""
    assert script.stdout is not None
    said: list[str] = []
    for line in script.stdout:
        if line.startswith("Kafka runs on"):
            return
        said.append(line)
    raise (FileNotFoundError if script.wait() == os.EX_UNAVAILABLE else RuntimeError)("".join(said))
