"""Every kind of bad input on a real broker: one dead letter each, and the worker goes on."""

import base64
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from agents.recording import Record
from agents.simulator.bad import FAULTS, Fault, Origin
from schemas.results import DeadLetter
from tests.integration.cluster import PARTITIONS, Site, decoded, new_site
from tests.integration.kafka import Kafka
from tests.integration.world import one_viewer_each

pytestmark = pytest.mark.kafka

#: The reason that each of the simulator's faults is refused for.
REASONS = {
    "invalid_json": "invalid_json", "invalid_utf8": "invalid_utf8",
    "missing_field": "missing_field", "wrong_type": "invalid_field",
    "unknown_type": "unknown_type", "negative_amount": "invalid_field",
    "empty_id": "invalid_field", "null_value": "null_value",
    "future_time": "future", "old_time": "too_old",
}  # fmt: skip
START_MS = 1_795_000_000_000
ROW = 1_000
VIEWERS = one_viewer_each(PARTITIONS)
KEY = VIEWERS[0].encode()


def test_each_kind_costs_one_dead_letter(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """The whole list, one after another, with good events before, between and after."""
    site = new_site(kafka, redis_url, tmp_path)
    site.create_topics(arrival_time=False)
    good = [like(number) for number in range(len(FAULTS) + 4)]
    with site.worker() as worker:
        worker.ready()
        for number, fault in enumerate(FAULTS):
            site.feed([good[number], broken(fault)])
        site.feed([good[-4], oversized(), good[-3], good[-3]])
        misplace(site, good[-2])
        site.feed([good[-2], *[Record("live.likes", KEY, b"{", START_MS)] * ROW, good[-1]])
        site.settle()
        applied = worker.total("livepulse_events_total")
        duplicates = worker.total("livepulse_duplicates_total")
        assert worker.stop() == 0
    letters = decoded(site.read(site.settings.topic_of("DeadLetter")), DeadLetter)
    assert applied == len(good)
    assert duplicates == 1
    wanted = Counter(REASONS.values()) + Counter(
        {"too_large": 1, "wrong_partition": 1, "invalid_json": ROW}
    )
    assert Counter(one.reason for one in letters) == wanted
    assert_each_points_at_its_record(site, letters)


def assert_each_points_at_its_record(site: Site, letters: list[DeadLetter]) -> None:
    """Compare each letter with what stands at the place that it names."""
    records = {(r.topic, r.partition, r.offset): r for r in site.read(*site.input_topics)}
    places = [(one.topic, one.partition, one.offset) for one in letters]
    assert len(set(places)) == len(places)
    for place, letter in zip(places, letters, strict=True):
        value = records[place].value or b""
        assert letter.size == len(value)
        assert base64.b64decode(letter.raw) == value[: 64 << 10]
        assert letter.key == (records[place].key or b"").decode()
        assert letter.detail


def like(number: int) -> Record:
    """Return a good event of the first viewer, one second after the one before."""
    ts = START_MS + number * 1_000
    event = {"id": f"like-{number}", "type": "LikesSent", "ts": ts, "count": 1}
    value = msgspec.json.encode(event | {"session_id": "room", "viewer_id": VIEWERS[0]})
    return Record("live.likes", KEY, value, ts)


def broken(fault: Fault) -> Record:
    """Return a record with this fault."""
    value = fault.make(Origin(f"bad-{fault.name}", START_MS, "room", VIEWERS[0]))
    topics = {
        "ProductClicked": "visits", "ProductExposed": "visits", "Heartbeat": "visits",
        "CommentPosted": "comments", "LikesSent": "likes", "CartAdded": "carts",
        "OrderPaid": "purchases",
    }  # fmt: skip
    return Record(f"live.{topics[fault.type_name]}", KEY, value, START_MS)


def oversized() -> Record:
    """Return an event that would be good if it had not 2 MB."""
    event = {"id": "large", "type": "LikesSent", "ts": START_MS, "padding": "x" * (2 << 20)}
    value = msgspec.json.encode(event | {"session_id": "room", "viewer_id": VIEWERS[0]})
    return Record("live.likes", KEY, value, START_MS)


def misplace(site: Site, record: Record) -> None:
    """Send an event of a new viewer of partition 0 to partition 1, as another partitioner may."""
    event = msgspec.json.decode(record.value or b"") | {"id": "stray", "session_id": "elsewhere"}
    producer = Producer(site.settings.confluent_config())
    producer.produce(
        site.settings.topic_of("LikesSent"), msgspec.json.encode(event), KEY, partition=1,
        timestamp=record.timestamp,
    )  # fmt: skip
    assert producer.flush(10) == 0
