"""What bad input gets: one refusal each, and nothing else is affected."""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pytest

from agents.simulator.bad import FAULTS, Origin
from schemas import events as ev
from schemas.codec import MAX_RECORD_BYTES
from streams.records import Record
from tests.streams.world import (
    TOPIC_OF,
    World,
    event,
    order,
    record_of,
    simulated,
)

HOUR = 3_600_000
GOOD = simulated(events=600, rate=20.0, sessions=1, viewers=200, duplicate_share=0.0, seed=3)
MIDDLE = len(GOOD) // 2
NOW = GOOD[MIDDLE].timestamp
SESSION = next(r for r in GOOD if r.topic == "live.visits")
TOPIC = {kind.__name__: topic for kind, topic in TOPIC_OF.items()}

_talk = event(ev.CommentPosted, 0, text="#", ts=NOW)


def _beat(**fields: Any) -> bytes:
    return msgspec.json.encode(event(ev.Heartbeat, 0, **({"ts": NOW} | fields)))


#: Topic, value and the reason of each kind of bad record.
BAD: dict[str, tuple[str, bytes | None, str]] = {
    "invalid JSON": ("live.visits", _beat()[:-5], "invalid_json"),
    "invalid UTF-8": ("live.comments", msgspec.json.encode(_talk).replace(b"#", b"\xff"),
                      "invalid_utf8"),
    "a missing field": ("live.visits", _beat().replace(b"viewer_id", b"viewer"), "missing_field"),
    "a wrong type": ("live.visits", _beat().replace(b'"v1"', b"7"), "invalid_field"),
    "an unknown type": ("live.visits", _beat().replace(b"Heartbeat", b"Heartburn"), "unknown_type"),
    "a negative amount": ("live.purchases", msgspec.json.encode(order(ev.OrderPaid, 0, ts=NOW))
                          .replace(b'"amount":2000', b'"amount":-2000'), "invalid_field"),
    "an empty id": ("live.visits", _beat(id=""), "invalid_field"),
    "a 2 MB record": ("live.comments", b"x" * (2 * MAX_RECORD_BYTES), "too_large"),
    "a null value": ("live.carts", None, "null_value"),
    "a time 31 s ahead": ("live.visits", _beat(ts=NOW + 31_000), "future"),
    "a time 25 h old": ("live.visits", _beat(ts=NOW - 25 * HOUR), "too_old"),
    "nested too deep": ("live.visits", _beat()[:-1] + b',"x":' + b"[" * 100_000, "invalid_json"),
}  # fmt: skip


def bad_record(topic: str, value: bytes | None, offset: int = 0) -> Record:
    """Make a record of these bytes that arrives in the middle of the good ones."""
    return Record(topic, 0, 1_000_000 + offset, NOW, b"v1", value)


def run(*bad: Record, times: int = 1) -> World:
    """Run the good records with bad ones in their middle."""
    return World().run([*GOOD[:MIDDLE], *(bad * times), *GOOD[MIDDLE:]], chunk=50).close()


@cache
def undisturbed() -> World:
    """Return the world without bad records."""
    return World().run(GOOD, chunk=50).close()


def assert_not_affected(world: World) -> None:
    """Check that the good events had the results that they have without bad ones."""
    assert world.sums() == undisturbed().sums()
    assert world.triggers() == undisturbed().triggers()
    for name in ("churn", "coupons", "recommendations", "decisions", "left", "duplicates"):
        assert getattr(world.results, name) == getattr(undisturbed().results, name), name


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_record_is_one_refusal_that_says_where_and_why(kind: str) -> None:
    """Its record and its reason come out, and nothing else changes."""
    topic, value, reason = BAD[kind]
    record = bad_record(topic, value)
    world = run(record)
    ((refused, rejection),) = world.results.refused
    assert refused is record
    assert rejection.reason == reason
    assert_not_affected(world)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_the_simulator_breaks_is_one_refusal(fault: Any) -> None:
    """The demo counts its broken records against our dead letters."""
    value = fault.make(Origin("e1", NOW, "s1", "v1"))
    world = run(bad_record(TOPIC[fault.type_name], value))
    assert len(world.results.refused) == 1
    assert_not_affected(world)


@pytest.mark.parametrize("kind", ["invalid JSON", "a null value", "a time 31 s ahead"])
def test_a_thousand_bad_records_in_a_row_are_a_thousand_refusals(kind: str) -> None:
    """In order, and the good ones behind them are not lost."""
    topic, value, _ = BAD[kind]
    bad = [bad_record(topic, value, offset) for offset in range(1_000)]
    world = run(*bad)
    assert [record for record, _ in world.results.refused] == bad
    assert_not_affected(world)


def test_a_duplicate_is_ignored_once_and_counted() -> None:
    """The same record at a second offset, behind the first one."""
    copied = [r for r in GOOD[:MIDDLE] if r.topic == "live.likes"][-5:]
    world = run(*copied)
    assert len(world.results.duplicates) - len(undisturbed().results.duplicates) == 5
    assert world.results.refused == []
    assert world.sums() == undisturbed().sums()
    assert world.triggers() == undisturbed().triggers()


def test_a_duplicate_of_the_host_is_counted_by_one_task() -> None:
    """All tasks read it, but it is one record."""
    world = World(4)
    started = event(ev.SessionStarted, 0)
    world.feed(started)
    assert len(world.feed(started).duplicates) == 1


def test_a_bad_record_of_the_host_is_refused_by_one_task() -> None:
    """Each of the four tasks reads it; there is one dead letter."""
    world = World(4)
    world.read([Record("live.host", 2, 0, NOW, b"s1", b"{}")])
    assert len(world.results.refused) == 1


# --- the wrong partition ------------------------------------------------------------------------


def misplaced(**fields: Any) -> tuple[ev.Event, Record]:
    """Make a heartbeat that stands on another partition than its viewer's."""
    one = event(ev.Heartbeat, 1, **fields)
    record = record_of(one, tasks=4)
    return one, record._replace(partition=(record.partition + 1) % 4)


def test_a_key_on_the_wrong_partition_is_refused() -> None:
    """The rejection names the right partition and the fix."""
    world = World(4)
    one, record = misplaced()
    ((refused, rejection),) = world.arrive([(one, record)]).refused
    assert refused is record
    assert rejection.reason == "wrong_partition"
    assert f"partition {(record.partition - 1) % 4} " in rejection.detail
    assert "murmur2" in rejection.detail
    world.close()
    assert world.rows == {}


def test_sessions_of_misplaced_records_are_not_remembered() -> None:
    """A producer with the wrong partitioner does not fill the memory."""
    world = World(4)
    for number in range(200):
        world.arrive([misplaced(session_id=f"s{number}")])
    world.feed(event(ev.Heartbeat, 60, session_id="real"))
    world.wait(90)
    assert sum(len(task.state.sessions) for task in world.tasks) == 1


# --- sessions that nobody announced -------------------------------------------------------------


def test_events_of_an_unannounced_session_are_counted() -> None:
    """They are not bad; the row shows the session as unannounced."""
    world = World()
    results = world.feed(event(ev.ViewerEntered, 1), event(ev.LikesSent, 2, count=3))
    assert (results.refused, results.unannounced) == ([], 2)
    world.wait(30)
    assert world.row().announced is False
    assert world.row().counts == {"ViewerEntered": 1, "LikesSent": 3}


def test_a_session_is_announced_from_its_start_on() -> None:
    """A SessionStarted that comes late announces what was counted before it as well."""
    world = World()
    world.says(ev.ViewerEntered, 1)
    world.says(ev.SessionStarted, 2)
    assert world.says(ev.LikesSent, 3).unannounced == 0
    world.wait(30)
    assert world.row().announced is True
    assert world.row().counts == {"ViewerEntered": 1, "LikesSent": 1}


#: What must not stop the core, however strange it is: it is valid.
STRANGE: dict[str, Callable[[], ev.Event]] = {
    "long ids": lambda: event(ev.Heartbeat, 1, id="e" * 128, viewer_id="v" * 128),
    "ids of other scripts": lambda: event(ev.Heartbeat, 1, viewer_id="观众\u0000😀"),
    "the largest price": lambda: event(
        ev.CartAdded, 1, product_id="p", quantity=1_000_000, unit_price=(1 << 53) - 1,
        currency="XXX",
    ),
    "an order of nothing": lambda: order(ev.OrderPaid, 1, amount=0),
    "a refund of nothing": lambda: order(ev.OrderRefunded, 1, amount=0),
    "an outcome of no trigger of ours": lambda: event(ev.TriggerAccepted, 1, trigger_id="t"),
}  # fmt: skip


@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_but_valid_event_is_counted(kind: str) -> None:
    """It is an event like any other, and the state can be written down."""
    world = World()
    one = STRANGE[kind]()
    assert world.feed(one).refused == []
    world.close()
    assert world.row().counts[type(one).__name__] == 1
    assert list(world.state.puts({}))


def test_money_in_another_currency_is_refused() -> None:
    """Sums of two currencies mean nothing; the cart stays as it was."""
    world = World()
    world.says(ev.SessionStarted, 0, currency="USD")
    refused = world.says(
        ev.CartAdded, 1, product_id="p1", quantity=1, unit_price=500, currency="CNY"
    ).refused
    assert [(why.reason, "`currency`" in why.detail) for _, why in refused] == [
        ("wrong_currency", True)
    ]
    world.says(ev.CartAdded, 2, product_id="p1", quantity=1, unit_price=500, currency="USD")
    assert world.close().row().counts["CartAdded"] == 1
