"""A real Redis for the suite: the one that LIVEPULSE_TEST_REDIS names, or one of its own."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.ports import free_port

START_LIMIT_S = 20.0


@contextmanager
def running_redis(directory: Path) -> Iterator[str]:
    """Run a Redis that ends with the block or this process; yield its URL.

    Raises FileNotFoundError when redis-server is not installed.
    """
    given = os.environ.get("LIVEPULSE_TEST_REDIS")
    if given:
        yield given
        return
    port = free_port()
    command = server_command(directory, port=port)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            url = f"redis://127.0.0.1:{port}/0"
            wait_until_it_answers(url, server)
            yield url
        finally:
            server.terminate()


def server_command(directory: Path, *, port: int) -> list[str]:
    """Return the command line of a server on loopback; ``setpriv`` ties its life to ours."""
    program = shutil.which("redis-server")
    if program is None:
        raise FileNotFoundError("redis-server is not installed: apt install redis-server")
    where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)]
    kept = ["--save", "", "--appendonly", "yes"]  # as coupon budgets must be
    return ["setpriv", "--pdeathsig", "KILL", program, *where, *kept]


def wait_until_it_answers(url: str, server: subprocess.Popen[bytes]) -> None:
    """Return when the server answers PING."""
    deadline_s = time.monotonic() + START_LIMIT_S
    with redis.Redis.from_url(url, retry=None) as client:
        while True:
            try:
                client.ping()
            except redis.ConnectionError:
                if server.poll() is not None or time.monotonic() > deadline_s:
                    raise
                time.sleep(0.02)
            else:
                return
