"""Copies all input events to other topics, each key to its partition there: see upgrades.md.

Usage: python -m deploy.copy_events BLUE.toml GREEN.toml [--follow], two livepulse.toml files that
may name different prefixes, numbers of partitions, and brokers. Nothing is changed at the source.
"""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import kafka

from agents.engine.decoders import decoders
from agents.recording import Record
from agents.settings import Settings, load
from agents.simulator.sending import send
from schemas.events import EVENT_TYPES

_POLL_MS = 500


def copy(source: Settings, target: Settings, *, follow: bool, stop: Event) -> int:
    """Copy what is there, with ``follow`` also what comes until ``stop``; return how many.

    Raises ValueError when source and target share a topic, SendingError when the target's broker
    does not take a record.
    """
    renamed = {
        source.topic_of(kind.__name__): target.topic_of(kind.__name__) for kind in EVENT_TYPES
    }
    same = renamed.keys() & set(renamed.values())
    if same and source.kafka_bootstrap == target.kafka_bootstrap:
        raise ValueError(f"source and target share topics: {', '.join(sorted(same))}")
    with closing(_consumer(source)) as consumer:
        records = _read(consumer, sorted(decoders(source)), follow=follow, stop=stop)
        moved = (Record(renamed[r.topic], r.key, r.value, r.timestamp) for r in records)
        config = target.confluent_config()
        return send(moved, producer_config=config, rate=0, on_progress=lambda _: None, stop=stop)


def _consumer(settings: Settings) -> Any:
    return kafka.KafkaConsumer(
        **settings.kafka_python_config(),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        check_crcs=settings.kafka_check_crcs,
    )


def _read(consumer: Any, topics: list[str], *, follow: bool, stop: Event) -> Iterator[Any]:
    """Yield the records of the topics; every partition in its own order."""
    partitions = [
        kafka.TopicPartition(topic, number)
        for topic in topics
        for number in consumer.partitions_for_topic(topic) or ()
    ]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    ends = consumer.end_offsets(partitions)
    while not stop.is_set() and (
        follow or any(consumer.position(one) < ends[one] for one in partitions)
    ):
        for records in consumer.poll(timeout_ms=_POLL_MS).values():
            yield from records


def main() -> None:
    """Copy, and say how many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--follow", action="store_true", help="go on until Ctrl-C")
    asked = parser.parse_args()
    stop = Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    blue, green = load(toml=asked.source), load(toml=asked.target)
    count = copy(blue, green, follow=asked.follow, stop=stop)
    sys.stdout.write(f"{count} events copied\n")


if __name__ == "__main__":
    main()
