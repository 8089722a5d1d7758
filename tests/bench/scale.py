"""A million viewers in state: what they cost, and how fast a worker is back after a crash.

Usage: python -m tests.bench.scale [--viewers N] [--json]. Needs Java and Maven (a real Kafka: the
embedded one keeps 5 MB) and redis-server. Takes about ten minutes and 4 GB.
"""

import argparse
import asyncio
import gc
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from agents.engine.changelog import read_changelog
from agents.recording import Record
from agents.settings import Settings
from schemas import events as ev
from schemas.results import RecommendationTrigger
from streams.partitioner import partition_of
from streams.policy import Policy
from streams.store import State
from tests.bench import crowd
from tests.bench.steal import Steal
from tests.integration.cluster import Site, new_site
from tests.integration.kafka import running_kafka
from tests.redis_server import newest, running

TASKS = 4
SESSION_TIMEOUT_S = 10
_PAGE = 4096
_PATIENCE_S = 120.0
#: Kafka's log cleaner looks every 15 s for something to do.
_CLEANER_S = 40.0


class Built(NamedTuple):
    """What making the states has shown."""

    events: int
    bytes_per_viewer: int
    changelog_records: int
    changelog_bytes_per_event: float


def resident() -> int:
    """Return the process's resident bytes (Linux)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE


def build(settings: Settings, viewers: int) -> Built:
    """Make all tasks' states in this process, and write their changelogs to Kafka."""
    producer = Producer(settings.confluent_config() | {"linger.ms": 50, "compression.type": "zstd"})
    gc.disable()  # as in the worker, which frees by reference counts
    before, events, puts_in_all, written = resident(), 0, 0, 0
    states = [State(p, TASKS, Policy()) for p in range(TASKS)]
    for state in states:
        for count, puts in crowd.fill(state, viewers):
            events += count
            puts_in_all += len(puts)
            for key, value in puts:
                written += len(key) + len(value or b"")
                producer.produce(
                    settings.topic_of("state"), key=key, value=value, partition=state.partition
                )
                producer.poll(0)
        producer.flush()
    per_viewer = (resident() - before) / viewers
    return Built(events, round(per_viewer), puts_in_all, round(written / events, 1))


async def restore(settings: Settings, tasks: int) -> dict[str, float]:
    """Read the changelogs of so many tasks at once back into maps."""
    began = time.perf_counter()

    async def one(partition: int) -> int:
        state = State(partition, TASKS, Policy())
        changelog = await read_changelog(settings, partition)
        state.restore(changelog)
        return len(changelog)

    keys = sum(await asyncio.gather(*(one(p) for p in range(tasks))))
    seconds = time.perf_counter() - began
    records = sum(_length(settings, p) for p in range(tasks))
    return {"records": records, "keys": keys, "seconds": round(seconds, 2),
            "records_per_s": round(records / seconds)}  # fmt: skip


def _length(settings: Settings, partition: int) -> int:
    """Return how many records of a changelog were read: it is not compacted yet."""
    consumer = Consumer(settings.confluent_config() | {"group.id": "length"})
    begin, end = consumer.get_watermark_offsets(
        TopicPartition(settings.topic_of("state"), partition)
    )
    consumer.close()
    return int(end - begin)


def compact(site: Site, directory: Path) -> float:
    """Let the broker compact the changelogs, as it does while a job runs; returns what is left.

    Waits until it finds no more to do; the result is a share of the bytes on disk.
    """
    topic = site.settings.topic_of("state")
    at_once = {"min.compaction.lag.ms": "0"}  # rather than a minute later
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in at_once.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    client = AdminClient(site.settings.confluent_config())
    client.incremental_alter_configs([resource])[resource].result()

    def size() -> int:
        return sum(file.stat().st_size for file in directory.rglob(f"{topic}-*/*.log"))

    before = smallest = size()
    until_s = time.monotonic() + _CLEANER_S
    while time.monotonic() < until_s:
        time.sleep(1.0)
        if (now := size()) < smallest:
            smallest, until_s = now, time.monotonic() + _CLEANER_S
    return round(smallest / before, 2)


def recovery(site: Site, orders: "Orders", *, static: bool) -> dict[str, float]:
    """Return the seconds from kill -9 of one of two workers until every task answers again.

    Dynamic membership: the other worker takes over. Static: the dead one is started again at
    once under its own name, as Kubernetes does.
    """
    names = [{"LIVEPULSE_KAFKA_GROUP_INSTANCE_ID": f"w{i}"} if static else {} for i in (0, 1)]
    with site.worker(**names[0]) as first, ExitStack() as stack:
        first.ready(TASKS)
        second = stack.enter_context(site.worker(**names[1])).ready(TASKS // 2)
        orders.wait_for_answers()
        second.kill()
        killed_s, steal = time.monotonic(), Steal()
        if static:
            stack.enter_context(site.worker(**names[1]))
        orders.wait_for_answers()
        seconds = time.monotonic() - killed_s
        return {"seconds": round(seconds, 1), "stolen": round(steal.share(), 2)}


class Orders:
    """Places orders in every partition, and watches for the recommendations that answer them.

    Stream time goes on from the crowd's last heartbeat, slowly: a million viewers who all fall
    silent are another story than a crash.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._ts = crowd.END_MS
        self._numbers = itertools.count()
        own = {"group.id": f"{site.settings.app_id}-watch", "isolation.level": "read_committed",
               "auto.offset.reset": "earliest"}  # fmt: skip
        self._consumer = Consumer(site.settings.confluent_config() | own)

    def __enter__(self) -> Self:
        topic = self._site.settings.topic_of("RecommendationTrigger")
        self._consumer.assign([TopicPartition(topic, p, 0) for p in range(TASKS)])
        self._site.feed(_shelf(self._ts))
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def wait_for_answers(self) -> None:
        """Return when every task has answered to an order placed from now on."""
        waiting: dict[str, int] = {}
        silent = set(range(TASKS))
        deadline = time.monotonic() + _PATIENCE_S
        while silent:
            assert time.monotonic() < deadline, f"partitions {sorted(silent)} do not answer"
            placed = list(self._place())
            waiting |= placed
            message = self._consumer.poll(0.2)
            while message is not None:
                trigger = msgspec.json.decode(message.value(), type=RecommendationTrigger)
                silent.discard(waiting.get(trigger.viewer_id, -1))
                message = self._consumer.poll(0)

    def _place(self) -> Iterator[tuple[str, int]]:
        """Let a new viewer of each partition order; yields who, and where."""
        self._ts += 10
        silent = set(range(TASKS))
        records = []
        while silent:
            viewer = f"buyer{next(self._numbers)}"
            partition = partition_of(viewer, TASKS)
            if partition in silent:
                silent.discard(partition)
                records += _buys(viewer, self._ts)
                yield viewer, partition
        self._site.feed(records)


def _shelf(ts: int) -> list[Record]:
    own: dict[str, Any] = {"ts": ts, "session_id": "fresh"}
    events: list[ev.Event] = [ev.SessionStarted(id="started", currency="CNY", **own)]
    events += (
        ev.ProductListed(
            id=f"listed-{p}", product_id=p, price=9_900, stock=1_000_000, currency="CNY", **own
        )
        for p in ("p1", "p2")
    )
    events.append(ev.ProductPinned(id="pinned", product_id="p2", **own))
    return [Record("live.host", b"fresh", msgspec.json.encode(e), e.ts) for e in events]


def _buys(viewer: str, ts: int) -> list[Record]:
    own: dict[str, Any] = {"ts": ts, "session_id": "fresh", "viewer_id": viewer}
    line = ev.Line("p1", 1, 9_900)
    came = ev.ViewerEntered(id=f"{viewer}-e", channel="feed", **own)
    order = ev.OrderPlaced(
        id=f"{viewer}-o", order_id=viewer, lines=(line,), amount=9_900, currency="CNY", **own
    )
    topics = ("live.visits", "live.purchases")
    return [
        Record(topic, viewer.encode(), msgspec.json.encode(e), e.ts)
        for topic, e in zip(topics, (came, order), strict=True)
    ]


def measure(viewers: int, directory: Path) -> Iterator[tuple[str, Any]]:
    """Measure everything once; yields each figure with its name as soon as it is there."""
    with running_kafka(directory) as kafka, running(newest(), directory) as redis:
        site = new_site(
            kafka, redis.url, directory, partitions=TASKS, session_timeout_s=SESSION_TIMEOUT_S
        )
        site.create_topics()
        yield "viewers", viewers
        yield from build(site.settings, viewers)._asdict().items()
        yield "restore_one_task", asyncio.run(restore(site.settings, 1))
        yield "restore_all_tasks", asyncio.run(restore(site.settings, TASKS))
        yield "compacted_to", compact(site, directory)
        with Orders(site) as orders:
            yield "kill_to_answers_dynamic", recovery(site, orders, static=False)
            yield "kill_to_answers_static", recovery(site, orders, static=True)


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        found = {}
        for name, value in measure(options.viewers, Path(directory)):
            found[name] = value
            sys.stdout.write(f"{name:28} {value}\n")
            sys.stdout.flush()
    if options.json:
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
