"""A world whose viewers and comments carry a marker, and a search for it in all that we hold."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import redis
from confluent_kafka import Producer
from msgspec import structs

from agents.recording import Record
from streams.partitioner import partition_of
from tests.integration.cluster import Said, Site

MARKER = b"canary"
MISPLACED = "canary-misplaced"


def marked(records: Iterable[Record]) -> Iterator[Record]:
    """Put the marker into every viewer id, record key and comment, of bad records, too."""
    for record in records:
        value, key = record.value, record.key
        if value is not None:
            value = value.replace(b'"viewer_id":"', b'"viewer_id":"canary-')
            value = value.replace(b'"text":"', b'"text":"canary ')
        if key is not None and record.topic != "live.host":
            key = b"canary-" + key
        yield structs.replace(record, key=key, value=value)


def misplace(site: Site, ts: int) -> None:
    """Send a comment to a partition where its viewer does not belong."""
    partitions = site.settings.partitions
    wrong = (partition_of(MISPLACED, partitions) + 1) % partitions
    value = (
        f'{{"type":"CommentPosted","id":"m","ts":{ts},"session_id":"s",'
        f'"viewer_id":"{MISPLACED}","text":"canary misplaced"}}'
    )
    producer = Producer(site.settings.confluent_config())
    topic = site.settings.topic_of("CommentPosted")
    producer.produce(topic, value, MISPLACED, partition=wrong, timestamp=ts)
    producer.flush(30)


def in_records(said: Iterable[Said], marker: bytes = MARKER) -> set[str]:
    """Return the topics in which a record names the marker, in key, value or headers."""
    return {
        one.topic
        for one in said
        if marker in b"\n".join([one.key or b"", one.value or b"", *one.headers.values()])
    }


def in_redis(client: redis.Redis, prefix: str, marker: bytes = MARKER) -> set[bytes]:
    """Return the keys of a prefix whose name or value holds the marker."""
    return {
        key
        for key in client.scan_iter(f"{prefix}:*", count=1_000)
        if marker in key or marker in repr(_value(client, key)).encode()
    }


def _value(client: redis.Redis, key: bytes) -> Any:
    kind = client.type(key)
    assert isinstance(kind, bytes)
    read: dict[bytes, Callable[[], Any]] = {
        b"string": lambda: client.get(key),
        b"hash": lambda: client.hgetall(key),
        b"zset": lambda: client.zrange(key, 0, -1),
        b"set": lambda: client.smembers(key),
        b"none": lambda: None,  # it has expired since it was listed
    }
    return read[kind]()
