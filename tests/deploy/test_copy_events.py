"""Events move to topics with another prefix, each key to the partition where it belongs."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import kafka
import msgspec
import pytest
from confluent_kafka import Producer

from agents.demo.broker import PARTITIONS
from agents.recording import Record
from agents.settings import Settings, load
from agents.topics import topics
from deploy.copy_events import copy
from streams.partitioner import partition_of
from tests.bench.embedded import load as produce

VIEWERS = [f"v{i}" for i in range(20)]


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    """Run the embedded broker with events of twenty viewers, five of each."""
    broker = Producer({"bootstrap.servers": "ignored", "test.mock.num.brokers": 1})
    for prefix in ("live.", "green.", "later."):
        for spec in topics(Settings(topic_prefix=prefix)):
            broker.list_topics(spec.name, timeout=30)  # being asked for makes it
    server = next(iter(broker.list_topics(timeout=30).brokers.values()))
    address = f"{server.host}:{server.port}"
    records = [
        Record("live.carts", viewer.encode(), f"{viewer} {n}".encode(), 1)
        for n in range(5)
        for viewer in VIEWERS
    ]
    produce(address, [*records, Record("live.host", b"s1", b"host", 1)])
    yield address
    broker.flush(1)


def settings(bootstrap: str, prefix: str) -> Settings:
    """Return settings for the embedded broker."""
    return Settings(kafka_bootstrap=bootstrap, topic_prefix=prefix, kafka_check_crcs=False)


def copy_all(source: Settings, target: Settings) -> int:
    """Copy what is there."""
    return copy(source, target, follow=False, stop=Event())


def read(settings: Settings, count: int) -> dict[str, list[Any]]:
    """Return the records of the input topics, which are so many."""
    consumer = kafka.KafkaConsumer(
        **settings.kafka_python_config(), auto_offset_reset="earliest", consumer_timeout_ms=60_000
    )
    names = [settings.topic_of(kind) for kind in ("CartAdded", "SessionStarted")]
    consumer.assign([kafka.TopicPartition(n, p) for n in names for p in range(PARTITIONS)])
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for seen, record in enumerate(consumer, start=1):
        found[record.topic].append(record)
        if seen == count:
            break
    consumer.close()
    return found


def test_every_event_arrives_where_it_belongs(bootstrap: str) -> None:
    """All of them, once, on the partition of their key, in the order of each key."""
    blue, green = settings(bootstrap, "live."), settings(bootstrap, "green.")
    assert copy_all(blue, green) == 101
    found = read(green, 101)
    assert [record.value for record in found["green.host"]] == [b"host"]
    for viewer in VIEWERS:
        mine = [record for record in found["green.carts"] if record.key == viewer.encode()]
        assert [record.value.decode() for record in mine] == [f"{viewer} {n}" for n in range(5)]
        assert {record.partition for record in mine} == {partition_of(viewer, PARTITIONS)}


def test_following_ends_when_it_is_told_to(bootstrap: str) -> None:
    """What came until then is there, and nothing is left half sent."""
    blue, green = settings(bootstrap, "live."), settings(bootstrap, "later.")
    stop, seen = Event(), []

    def copy_on() -> None:
        seen.append(copy(blue, green, follow=True, stop=stop))

    thread = Thread(target=copy_on)
    thread.start()
    assert sum(map(len, read(green, 101).values())) == 101
    stop.set()
    thread.join(60)
    assert seen == [101]


def test_topics_are_never_copied_into_themselves(bootstrap: str) -> None:
    """That would never end."""
    with pytest.raises(ValueError, match=r"live\.carts"):
        copy_all(settings(bootstrap, "live."), settings(bootstrap, "live."))


def test_the_settings_files_of_the_guide_are_right(tmp_path: Path) -> None:
    """The two files that upgrades.md shows differ in everything that must not be shared."""
    page = (Path(__file__).parents[2] / "deploy" / "upgrades.md").read_text(encoding="utf-8")
    files = [part.partition("```")[0] for part in page.split("```toml\n")[1:]]
    loaded = []
    for number, text in enumerate(files):
        file = tmp_path / f"{number}.toml"
        file.write_text(text)
        loaded.append(msgspec.structs.asdict(load(toml=file, env={})))
    blue, green = loaded
    for name in ("app_id", "topic_prefix", "partitions", "redis_prefix"):
        assert blue[name] != green[name], name
