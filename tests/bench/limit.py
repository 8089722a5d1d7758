"""The limit: the same records read and decoded, with no state, no output, no commit.

Usage: python -m tests.bench.limit RECORDS; prints events per second.
"""

import asyncio
import sys
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.settings import Settings, load
from schemas.codec import BatchDecoder
from schemas.events import TOPICS

PASSES = 3
FETCH_BYTES = 4 << 20


async def read(settings: Settings, records: int) -> float:
    """Read all input topics several times over; returns records per second."""
    consumer = AIOKafkaConsumer(
        **settings.aiokafka_config(),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        check_crcs=False,
    )
    await consumer.start()
    partitions = [TopicPartition(t, p) for t in TOPICS for p in range(settings.partitions)]
    consumer.assign(partitions)
    began, total = 0.0, 0
    for _ in range(PASSES):
        await consumer.seek_to_beginning(*partitions)
        count = 0
        while count < records:
            count += await _read_some(consumer)
            began = began or time.perf_counter()
        total += count
    await consumer.stop()
    return total / (time.perf_counter() - began)


async def _read_some(consumer: AIOKafkaConsumer) -> int:
    batches = await consumer.getmany(timeout_ms=200)
    for tp, batch in batches.items():
        _DECODERS[tp.topic].decode([record.value for record in batch])
    return sum(map(len, batches.values()))


_DECODERS = {topic: BatchDecoder(types) for topic, types in TOPICS.items()}

if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(read(load(), int(sys.argv[1]))):.0f}\n")
