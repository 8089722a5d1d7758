"""Restore: a changelog partition of visits, from the broker into the map.

Usage: python -m tests.bench.restore RECORDS; prints records per second, read and decoded.
"""

import asyncio
import gc
import sys
import time

from confluent_kafka import Producer
from msgspec import msgpack

from agents.engine.changelog import read_changelog
from agents.settings import Settings, load
from streams.policy import Policy
from streams.state import Visit
from streams.store import VISIT, State

START_MS = 1_750_000_000_000


def fill(settings: Settings, records: int) -> None:
    """Write one visit per key."""
    producer = Producer(
        settings.confluent_config()
        | {"compression.type": "zstd", "linger.ms": 200, "batch.size": 4_000_000,
           "batch.num.messages": 50_000, "queue.buffering.max.messages": 1_000_000}
    )  # fmt: skip
    topic = settings.topic_of("state")
    for i in range(records):
        visit = Visit(channel="feed", present=True, first=START_MS, entered=START_MS,
                      last=START_MS + i, acted=START_MS, recent=b"12345678" * 8)  # fmt: skip
        key = msgpack.encode((VISIT, f"s{i % 40}", f"v{i}"))
        producer.produce(topic, key=key, value=msgpack.encode(visit), partition=0)
        producer.poll(0)
    producer.flush()


async def restore(settings: Settings) -> float:
    """Return records per second, from the first fetch to the last visit in its session."""
    began = time.perf_counter()
    records = await read_changelog(settings, 0)
    state = State(0, settings.partitions, Policy())
    state.restore(records)
    return len(records) / (time.perf_counter() - began)


if __name__ == "__main__":
    fill(load(), int(sys.argv[1]))
    gc.disable()  # as in the worker
    sys.stdout.write(f"{asyncio.run(restore(load())):.0f}\n")
