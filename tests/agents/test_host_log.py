"""The broadcast topic as the tasks of a worker share it."""

import msgspec

from agents.engine.host_log import HostLog
from schemas.codec import BatchDecoder, Rejection
from schemas.events import TOPICS, SessionStarted
from streams.policy import Policy
from streams.records import Record

NOW = 1_750_000_000_000


def record(offset: int, value: bytes | None = None, *, partition: int = 0) -> Record:
    """Return a host record, a SessionStarted unless a value is given."""
    event = SessionStarted(id=f"e{offset}", ts=NOW, session_id="s1")
    value = msgspec.json.encode(event) if value is None else value
    return Record("live.host", partition, offset, NOW, b"s1", value)


def log_with(*records: Record) -> HostLog:
    """Return a log that was given the records in one batch."""
    log = HostLog(BatchDecoder(TOPICS["live.host"]), Policy())
    log.append(records)
    return log


def offsets(log: HostLog, since: int) -> list[int]:
    """Return the offsets that a task at a cursor gets."""
    return [where.offset for _, where in log.since(0, since)]


def test_each_task_reads_from_its_own_cursor() -> None:
    """A task that was restored from an older commit gets more than one that is up to date."""
    log = log_with(record(3), record(4), record(7))
    assert (offsets(log, 0), offsets(log, 5), offsets(log, 8)) == ([3, 4, 7], [7], [])
    assert log.end(0) == 8


def test_what_is_fetched_again_is_not_doubled() -> None:
    """Faust may seek back at any rebalance."""
    log = log_with(record(0), record(1))
    log.append([record(0), record(1), record(2)])
    assert offsets(log, 0) == [0, 1, 2]


def test_a_bad_record_keeps_its_place_as_a_rejection() -> None:
    """The task of that partition number makes it a dead letter."""
    log = log_with(record(0), record(1, b"{"), record(2))
    kinds = [type(event) for event, _ in log.since(0, 0)]
    assert kinds == [SessionStarted, Rejection, SessionStarted]


def test_trimming_keeps_what_a_task_still_needs_and_the_end() -> None:
    """What all cursors are past is dropped; the newest record stays to mark the end."""
    log = log_with(*(record(i) for i in range(5)))
    log.trim(0, [4, 2])
    assert offsets(log, 0) == [2, 3, 4]
    log.trim(0, [9, 9])
    assert (offsets(log, 0), log.end(0)) == ([4], 5)


def test_a_cleared_log_reads_the_topic_anew() -> None:
    """After a rebalance the partitions are read from the oldest cursor again."""
    log = log_with(record(5))
    log.clear()
    assert log.end(0) == 0
    log.append([record(2)])
    assert offsets(log, 0) == [2]
