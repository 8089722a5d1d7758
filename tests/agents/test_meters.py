"""What the worker counts, and what it costs to count it."""

import gc
import time
from typing import Any

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from agents.metrics.families import histogram as family
from agents.metrics.histogram import Histogram
from agents.metrics.meters import DECISIONS, Meters, tally
from agents.metrics.task_meter import Jump, Reached, TaskMeter, Written
from schemas.codec import Rejection
from schemas.codes import REFUSALS
from schemas.events import EVENT_TYPES, Heartbeat, SessionStarted
from schemas.results import ConversionRow, Decision
from streams.policy import Policy
from streams.records import Arrival, Record
from streams.results import Results
from streams.store import State

INF = float("inf")


def _record(*, partition: int = 0, topic: str = "live.visits", at_ms: int = 0) -> Record:
    return Record(topic, partition, 0, at_ms, None, b"{}")


def _heartbeat(ts: int = 0) -> Heartbeat:
    return Heartbeat(id="e1", ts=ts, session_id="s1", viewer_id="v1")


def _row(**of: Any) -> ConversionRow:
    common: dict[str, Any] = {
        "session_id": "s", "scope_id": "s", "start": 0, "revision": 1, "announced": True,
        "currency": "CNY", "counts": {}, "people": {}, "money": {}, "rates": {},
    }  # fmt: skip
    return ConversionRow(**common, **of)


def _happened(meters: Meters) -> dict[str, int]:
    return dict(+meters.events)


def test_an_event_of_the_host_is_counted_once() -> None:
    """Every task applies it; the one whose partition it is on counts it."""
    started = SessionStarted(id="e1", ts=0, session_id="s1", title="t", host_id="h", currency="CNY")
    meters = Meters()
    for task in range(4):
        meters.stepped([(started, _record(partition=2))], Results(), task)
    assert _happened(meters) == {"SessionStarted": 1}


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
    assert _happened(meters) == {"Heartbeat": 1}
    assert +meters.dead_letters == {"wrong_partition": 1}


def test_a_repeat_is_no_event() -> None:
    """An event that was seen before is counted as a duplicate only."""
    meters = Meters()
    arrivals: list[Arrival] = [(_heartbeat(), _record()), (_heartbeat(), _record())]
    meters.stepped(arrivals, Results(duplicates=["Heartbeat"]), 0)
    assert (_happened(meters), meters.duplicates) == ({"Heartbeat": 1}, 1)


def test_closed_sets_are_there_from_the_start() -> None:
    """So that a rate sees the first of its kind."""
    meters = Meters()
    assert set(meters.events) == {kind.__name__ for kind in EVENT_TYPES}
    assert set(meters.dead_letters) == set(REFUSALS)
    assert set(meters.decisions) == set(DECISIONS)


def test_decisions_are_counted_with_their_outcome() -> None:
    """What was sent and what was held back are told apart."""
    common: dict[str, Any] = {
        "decision_id": "d", "kind": "coupon", "rule": "r", "session_id": "s", "viewer_id": "v",
        "cause_id": "c", "decided_at": 1, "policy_version": "1", "propensity": 1.0,
    }  # fmt: skip
    meters = Meters()
    held = Decision(**common, outcome="suppressed", reason="too_soon")
    meters.stepped([], Results(decisions=[held, held]), 0)
    assert +meters.decisions == {("coupon", "suppressed", "too_soon"): 2}


# --- what waits for a commit ---------------------------------------------------------------------


def _commit(meter: TaskMeter, results: Results, *, bytes_in_all: int = 0) -> None:
    written = Written(records=1, bytes_in_all=bytes_in_all, seconds=0.2, puts=[])
    reached = Reached(offsets={}, host_offsets={}, newest={})
    meter.committed_now(written, results, reached, State(0, 1, Policy()))


def test_a_final_row_is_late_by_the_time_since_its_pane() -> None:
    """Only the first final row of a 10 s pane of a session counts."""
    meters = Meters()
    end = time.time_ns() // 1_000_000 - 13_000
    rows: list[ConversionRow] = [
        _row(window="10s", scope="session", status="final", end=end),
        _row(window="10s", scope="session", status="correction", end=end),
        _row(window="10s", scope="product", status="final", end=end),
        _row(window="1m", scope="session", status="final", end=end),
    ]
    _commit(meters.begin(0), Results(rows=rows))
    assert meters.final_seconds.count == 1
    assert 13 <= meters.final_seconds.sum < 14
    assert meters.results["rows"] == 4


def test_bytes_are_those_since_the_last_commit() -> None:
    """The producer counts on; a new owner's begins at nothing."""
    meters = Meters()
    for _ in range(2):
        meter = meters.begin(0)
        _commit(meter, Results(), bytes_in_all=100)
        _commit(meter, Results(), bytes_in_all=150)
    assert meters.bytes_written == 300


def test_the_age_of_a_step_is_that_of_its_oldest_event() -> None:
    """One observation a step, made when it is committed."""
    meters = Meters()
    meter = meters.begin(0)
    now = time.time_ns() // 1_000_000
    meter.stepped([(_heartbeat(now - 9_000), _record()), (_heartbeat(now), _record())], Results())
    assert meters.age_seconds.count == 0
    _commit(meter, Results())
    assert meters.age_seconds.count == 1
    assert 9 <= meters.age_seconds.sum < 10


def test_what_was_refused_has_no_age() -> None:
    """It has no time of its own."""
    broken: Arrival = (Rejection("invalid_json", ""), _record())
    assert tally([broken]) == ({}, None)
    assert tally([broken, (_heartbeat(7), _record())]) == ({Heartbeat: 1}, 7)


def test_the_first_assignment_is_no_rebalance() -> None:
    """Afterwards each loss of an assignment is one, until the next is ready."""
    meters = Meters()
    meters.released()
    meters.assigned()
    assert meters.rebalance_seconds.count == 0
    meters.released()
    assert not meters.is_assigned
    meters.assigned()
    assert meters.rebalance_seconds.count == 1


def test_only_so_many_jumps_are_remembered() -> None:
    """Each transaction of a producer leaves one; they are looked at every ten seconds."""
    meter = Meters().begin(0)
    for _ in range(5_000):
        meter.jumps.append(Jump(TP("t", 0), 1, 2))
    assert len(meter.jumps) == 1_000


# --- histograms ----------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 100)))
def test_buckets_are_cumulative(values: list[float]) -> None:
    """Each bucket has all values up to its edge, and the last one has all."""
    histogram = Histogram((1.0, 2.5))
    for value in values:
        histogram.observe(value)
    counts = {edge: count for edge, count, _ in histogram.buckets()}
    assert counts == {
        "1.0": sum(v <= 1 for v in values),
        "2.5": sum(v <= 2.5 for v in values),
        "+Inf": len(values),
    }
    assert histogram.sum == pytest.approx(sum(values))


def test_a_bucket_keeps_its_newest_example() -> None:
    """An example stands at the bucket that its value is in, and nowhere else."""
    histogram = Histogram((1.0, 2.0))
    histogram.observe_example(1.5, {"trigger_id": "a"}, 10.0)
    histogram.observe_example(1.6, {"trigger_id": "b"}, 11.0)
    samples = family("x_seconds", "x", {"": histogram}).samples
    examples = {s.labels.get("le"): s.exemplar for s in samples if s.exemplar}
    assert list(examples) == ["2.0"]
    assert examples["2.0"].labels == {"trigger_id": "b"}


# --- what it costs -------------------------------------------------------------------------------


def test_counting_costs_less_than_a_third_of_a_microsecond_an_event() -> None:
    """Steps of 500 events, committed one by one: the best of several tries, as a clock allows."""
    arrivals: list[Arrival] = [(_heartbeat(1_000 + i), _record(at_ms=i)) for i in range(500)]
    meters = Meters()
    meter = meters.begin(0)
    best = INF
    gc.disable()
    for _ in range(200):
        began = time.process_time_ns()
        meter.stepped(arrivals, Results())
        meter._meters.committed(500, 0.1, Results())
        meter._observe(5_000, [])
        best = min(best, (time.process_time_ns() - began) / len(arrivals))
    gc.enable()
    assert best < 300, f"{best:.0f} ns an event"
