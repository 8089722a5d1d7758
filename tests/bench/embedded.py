"""The embedded broker and Redis, and the benchmark's records on them."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from agents.demo import broker, redis_process
from agents.recording import Record
from agents.settings import Settings
from agents.simulator.sending import send
from agents.topics import topics


@contextmanager
def embedded_broker() -> Iterator[str]:
    """Run a broker with all topics; yields its address."""
    names = [spec.name for spec in topics(Settings())]
    process = subprocess.Popen(
        broker.command(names), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        address = broker.address(process.stdout.readline())
        assert address is not None, "the embedded broker did not start"
        yield address
    finally:
        process.kill()
        process.wait()


@contextmanager
def embedded_redis() -> Iterator[str]:
    """Run a Redis; yields its URL."""
    port = redis_process.free_port()
    process = subprocess.Popen(redis_process.command(port), stdout=subprocess.DEVNULL)
    try:
        while not redis_process.answers(port):
            process.poll()
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


def load(bootstrap: str, records: Iterable[Record]) -> int:
    """Produce the records; returns how many."""
    return send(
        records,
        # The mock cluster keeps about 5 MB a partition: large, compressed batches go further.
        producer_config={
            "bootstrap.servers": bootstrap,
            "linger.ms": 100,
            "batch.size": 1_000_000,
            "batch.num.messages": 10_000,
            "queue.buffering.max.messages": 1_000_000,
        },
        rate=0,
        on_progress=lambda _: None,
        stop=None,
    )


def run_module(name: str, *arguments: str, env: dict[str, str]) -> str:
    """Run a module of the benchmark in a fresh process; returns the last line it prints."""
    done = subprocess.run(
        [sys.executable, "-m", name, *arguments],
        env=env, check=True, text=True, stdout=subprocess.PIPE, timeout=300,
    )  # fmt: skip
    return done.stdout.strip().splitlines()[-1]
