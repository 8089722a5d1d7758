"""The loop of the consumer kit: what is handed out, what is committed, what a signal may break."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import pytest
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, KafkaTimeoutError

from agents import consumer as module
from agents.consumer import TriggerConsumer
from agents.settings import Settings
from tests.agents.test_consumer import recommendation

LOG = TopicPartition("triggers", 0)
POLLED = 5


class Polled(NamedTuple):
    """A record as kafka-python hands it over."""

    topic: str
    partition: int
    offset: int
    value: bytes


class Log:
    """A partition with so many triggers and its group, as kafka-python shows them to a member."""

    def __init__(self, count: int) -> None:
        self.values = [msgspec.json.encode(recommendation(n)) for n in range(count)]
        self.committed = 0
        self.generation = 0
        self.closed = False
        self.at_commit: Callable[[], None] = lambda: None
        self.at_poll: Callable[[], None] = lambda: None
        self._position = 0

    def poll(self, *, timeout_ms: int) -> dict[TopicPartition, list[Polled]]:
        """Return the next records; whoever has lost the group joins it first, and begins again."""
        assert timeout_ms >= 0
        self.at_poll()
        if self.generation < 0:
            self.generation, self._position = 1, self.committed
        begin, self._position = self._position, min(self._position + POLLED, len(self.values))
        assert begin < self._position, "all was handed over: a real poll would wait for ever"
        return {LOG: [self._record(n) for n in range(begin, self._position)]}

    def _record(self, offset: int) -> Polled:
        return Polled(LOG.topic, LOG.partition, offset, self.values[offset])

    def commit(self, offsets: dict[TopicPartition, OffsetAndMetadata], *, timeout_ms: int) -> None:
        """Commit, as a member."""
        assert 0 < timeout_ms <= 1_000
        self.at_commit()
        if self.generation < 0:
            raise CommitFailedError
        self.committed = offsets[LOG].offset

    def group_metadata(self) -> Any:
        """Return the generation, -1 when the group has gone on without us."""
        return SimpleNamespace(generation_id=self.generation)

    def lose_group(self) -> None:
        """Go on without this member."""
        self.generation = -1

    def close(self, *, autocommit: bool) -> None:
        """Close."""
        assert not autocommit
        self.closed = True


@pytest.fixture
def log() -> Log:
    """Give a log of twelve triggers, which three polls bring."""
    return Log(12)


@pytest.fixture
def triggers(log: Log, monkeypatch: pytest.MonkeyPatch) -> Iterator[TriggerConsumer]:
    """Give a consumer of this log."""
    monkeypatch.setattr(module, "_connect", lambda *_args, **_options: log)
    with TriggerConsumer(Settings(), group="crm", clock=lambda: 0.0) as triggers:
        yield triggers


def ids(first: int, after: int) -> list[str]:
    """Return the ids of triggers."""
    return [f"t{number}" for number in range(first, after)]


def handle(triggers: TriggerConsumer, until: str) -> list[str]:
    """Handle what comes before this trigger, and end the loop at it."""
    handled = []
    for trigger in triggers:
        if trigger.trigger_id == until:
            break
        handled.append(trigger.trigger_id)
    return handled


def test_an_error_comes_between_no_trigger_and_its_handler(triggers: TriggerConsumer) -> None:
    """A service that tries again handles each trigger once, in order, whichever of them fail."""
    handled: list[str] = []
    to_fail = {"t1", "t4", "t5", "t11"}
    while len(handled) < 12:
        with suppress(ConnectionError):
            for trigger in triggers:
                if trigger.trigger_id in to_fail:
                    to_fail.remove(trigger.trigger_id)
                    raise ConnectionError
                handled.append(trigger.trigger_id)
                if len(handled) == 12:
                    break
    assert handled == ids(0, 12)
    assert triggers.sieve.repeated == 0


def test_a_loop_goes_on_where_the_last_one_ended(triggers: TriggerConsumer, log: Log) -> None:
    """Also when the consumer is the same; what was handled is committed, and nothing else."""
    assert handle(triggers, "t1") == ids(0, 1)
    assert handle(triggers, "t7") == ids(1, 7)
    triggers.close()
    assert log.committed == 7


def test_two_loops_do_not_pass_each_other_by(triggers: TriggerConsumer) -> None:
    """What one asks for next does not mark as handled what the other is at."""
    one, other = iter(triggers), iter(triggers)
    assert [next(one).trigger_id, next(other).trigger_id] == ["t0", "t0"]
    assert [next(one).trigger_id, next(other).trigger_id] == ["t1", "t1"]


def test_closed_in_the_loop_the_last_trigger_is_not_handled(
    triggers: TriggerConsumer, log: Log
) -> None:
    """Nobody has asked for the next one."""
    for trigger in triggers:
        if trigger.trigger_id == "t3":
            triggers.close()
    assert (log.committed, log.closed) == (3, True)


def test_what_waits_goes_with_the_group(triggers: TriggerConsumer, log: Log) -> None:
    """Who owns the partition now has it; back in the group, each comes that was not committed."""
    assert handle(triggers, "t2") == ids(0, 2)
    log.lose_group()
    log.values[3] = msgspec.json.encode(recommendation(99))  # shows what was fetched again
    assert handle(triggers, "t7") == ["t2", "t99", *ids(4, 7)]
    assert triggers.sieve.repeated == 2
    triggers.close()
    assert log.committed == 7


def test_what_was_fetched_is_not_lost_to_a_signal(triggers: TriggerConsumer, log: Log) -> None:
    """A service may handle its interrupt and go on."""
    log.at_poll = lambda: signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        handle(triggers, "t3")
    log.at_poll = lambda: None
    assert handle(triggers, "t3") == ids(0, 3)


def test_an_interrupt_waits_for_the_commit(triggers: TriggerConsumer, log: Log) -> None:
    """kafka-python would leave a lock taken, and closing would wait for it."""

    def interrupted() -> None:
        log.at_commit = lambda: None
        signal.raise_signal(signal.SIGINT)

    log.at_commit = interrupted
    with pytest.raises(KeyboardInterrupt):
        handle(triggers, "t9")
    assert log.committed == 5


def test_an_interrupt_waits_for_one_attempt_only(triggers: TriggerConsumer, log: Log) -> None:
    """While no broker answers, a signal comes between two; what was handled stays to be told."""

    def unanswered() -> None:
        log.at_commit = lambda: None
        signal.raise_signal(signal.SIGINT)
        raise KafkaTimeoutError

    log.at_commit = unanswered
    with pytest.raises(KeyboardInterrupt):
        handle(triggers, "t9")
    assert log.committed == 0
    triggers.close()
    assert log.committed == 5


def test_attempts_to_commit_end(
    triggers: TriggerConsumer, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service hears of a broker that does not come back, and can go on when it does."""
    clock = iter(range(0, 100, 10))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    failed: list[bool] = []

    def unanswered() -> None:
        failed.append(True)
        raise KafkaTimeoutError

    log.at_commit = unanswered
    with pytest.raises(KafkaTimeoutError):
        handle(triggers, "t9")
    assert len(failed) == 3
    log.at_commit = lambda: None
    assert handle(triggers, "t9") == ids(5, 9)
