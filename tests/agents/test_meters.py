"""What the worker counts as an event."""

from agents.meters import Meters
from schemas.codec import Rejection
from schemas.events import Heartbeat, SessionStarted
from streams.records import Arrival, Record
from streams.results import Results


def _record(*, partition: int = 0, topic: str = "live.visits") -> Record:
    return Record(topic, partition, 0, 0, None, b"{}")


def _heartbeat() -> Heartbeat:
    return Heartbeat(id="e1", ts=0, session_id="s1", viewer_id="v1")


def test_an_event_of_the_host_is_counted_once() -> None:
    """Every task applies it; the one whose partition it is on counts it."""
    started = SessionStarted(id="e1", ts=0, session_id="s1", title="t", host_id="h", currency="CNY")
    meters = Meters()
    for task in range(4):
        meters.stepped([(started, _record(partition=2))], Results(), task)
    assert meters.events == {"SessionStarted": 1}


def test_what_was_refused_is_no_event() -> None:
    """Neither a record that could not be decoded nor one on the wrong partition is counted."""
    misplaced, fine = _record(), _record()
    broken = Rejection("invalid_json", "")
    arrivals: list[Arrival] = [
        (broken, _record()), (_heartbeat(), misplaced), (_heartbeat(), fine),
    ]  # fmt: skip
    refused = [(misplaced, Rejection("wrong_partition", ""))]
    meters = Meters()
    meters.stepped(arrivals, Results(refused=refused), 0)
    assert meters.events == {"Heartbeat": 1}
    assert meters.dead_letters == {"wrong_partition": 1}


def test_a_repeat_is_no_event() -> None:
    """An event that was seen before is counted as a duplicate only."""
    meters = Meters()
    arrivals: list[Arrival] = [(_heartbeat(), _record()), (_heartbeat(), _record())]
    meters.stepped(arrivals, Results(duplicates=["Heartbeat"]), 0)
    assert (meters.events, meters.duplicates) == ({"Heartbeat": 1}, 1)
