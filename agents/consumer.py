"""For downstream services: read our triggers without acting late or twice.

    settings = load()
    with TriggerConsumer(settings, group="coupon-service") as triggers:
        for trigger in triggers:
            match trigger:
                case CouponTrigger():
                    coupons.grant(trigger.viewer_id, trigger.offer_id, key=trigger.trigger_id)

A trigger counts as handled when the next one is asked for. One at which a loop ends, by ``break``
or an error, is the first of the next loop. What was not handled when the consumer closes, or not
yet committed when it crashes, comes again. So hand ``trigger_id`` on as the idempotency key, as
above.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any, Self

import msgspec

from agents import admin
from agents.interrupts import held
from agents.settings import Settings
from schemas.results import CouponTrigger, RecommendationTrigger

AnyTrigger = CouponTrigger | RecommendationTrigger

#: A signal waits for one attempt to commit, the service for all of them.
_ATTEMPT_MS = 500
_ATTEMPTS_S = 30.0

_coupons = msgspec.json.Decoder(CouponTrigger)
_recommendations = msgspec.json.Decoder(RecommendationTrigger)


def decode(value: bytes) -> AnyTrigger:
    """Decode a trigger of either type: the fields that each must have tell them apart.

    Raises msgspec.ValidationError or msgspec.DecodeError when it is neither.
    """
    try:
        return _coupons.decode(value)
    except msgspec.ValidationError:
        return _recommendations.decode(value)


class Sieve:
    """Lets a trigger through until it was handled, and only while it is valid.

    ``expired`` and ``repeated`` count what it has held back.
    """

    def __init__(self, *, clock: Callable[[], float], remember: int) -> None:
        self._clock = clock
        self._remember = remember
        self._handled: dict[str, None] = {}
        self.expired = 0
        self.repeated = 0

    def admits(self, trigger: AnyTrigger) -> bool:
        """Say whether to act on this trigger now."""
        if trigger.trigger_id in self._handled:
            self.repeated += 1
            return False
        if trigger.expires_at <= self._clock() * 1000:
            self.expired += 1
            return False
        return True

    def note(self, trigger: AnyTrigger) -> None:
        """Remember that this trigger was handled."""
        self._handled[trigger.trigger_id] = None
        if len(self._handled) > self._remember:
            del self._handled[next(iter(self._handled))]  # the oldest: dicts keep their order


class TriggerConsumer:
    """Iterates over committed triggers that are valid and were not handled before.

    ``group`` is the consumer group of your service; ``clock`` returns epoch seconds;
    ``remember`` is how many trigger ids are kept to tell repeats. ``sieve`` and ``unreadable``
    count what was held back; a signal waits for a poll, ``poll_ms`` at most, or for an attempt to
    commit, half a second. Raises agents.admin.Unreachable when no broker answers,
    agents.admin.Refused when a trigger topic is not there or not for this user.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        group: str,
        clock: Callable[[], float] = time.time,  # noqa: TID251 - agents own the clock
        remember: int = 100_000,
        poll_ms: int = 500,
    ) -> None:
        self.sieve = Sieve(clock=clock, remember=remember)
        self.unreadable = 0
        self._poll_ms = poll_ms
        self._closed = False
        self._waiting: deque[Any] = deque()  # fetched and not handled, for every loop
        self._handled: dict[tuple[str, int], int] = {}  # and not committed: the next offsets
        self._consumer = _connect(settings, group=group)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[AnyTrigger]:
        """Yield triggers without end, or until `close` is called in the loop."""
        while (record := self._head()) is not None:
            trigger = self._read(record.value or b"")
            if trigger is not None:
                yield trigger
            self._done(record, trigger)

    def _head(self) -> Any:
        """Return the record to be handled next, fetching if need be; None once closed."""
        while not self._closed:
            if self._waiting and self._is_member():
                return self._waiting[0]
            self._fetch()
        return None

    def _is_member(self) -> bool:
        """Tell whether what waits is still ours. kafka-python rejoins a group in polls only."""
        return bool(self._consumer.group_metadata().generation_id >= 0)

    def _fetch(self) -> None:
        """Commit what was handled, and wait for more in place of what waits.

        At a rebalance, which is in a poll, nothing of ours waits and nothing is uncommitted.
        """
        self._waiting.clear()
        self._commit()
        with held():  # for both: a signal must not lose what was fetched
            batches = self._consumer.poll(timeout_ms=self._poll_ms)
            self._waiting.extend(chain.from_iterable(batches.values()))

    def _read(self, value: bytes) -> AnyTrigger | None:
        try:
            trigger = decode(value)
        except msgspec.MsgspecError:
            self.unreadable += 1  # a newer contract, perhaps: the others still count
            return None
        return trigger if self.sieve.admits(trigger) else None

    def _done(self, record: Any, trigger: AnyTrigger | None) -> None:
        if self._waiting and self._waiting[0] is record:  # not closed, and no other loop went on
            self._waiting.popleft()
            self._handled[record.topic, record.partition] = record.offset + 1
            if trigger is not None:
                self.sieve.note(trigger)

    def _commit(self) -> None:
        """Commit what was handled. Raises KafkaTimeoutError when no attempt came through."""
        from kafka.errors import KafkaTimeoutError  # noqa: PLC0415 - already loaded

        until_s = time.monotonic() + _ATTEMPTS_S
        while self._handled:
            try:
                self._attempt_commit()
                self._handled.clear()
            except KafkaTimeoutError:
                if time.monotonic() >= until_s:
                    raise

    def _attempt_commit(self) -> None:
        from kafka import OffsetAndMetadata, TopicPartition  # noqa: PLC0415 - already loaded
        from kafka.errors import CommitFailedError  # noqa: PLC0415 - as above

        offsets = {
            TopicPartition(*place): OffsetAndMetadata(offset, "", -1)
            for place, offset in self._handled.items()
        }
        # When the group has moved on without us, the new owner gets these triggers again.
        with suppress(CommitFailedError), held():
            self._consumer.commit(offsets, timeout_ms=_ATTEMPT_MS)

    def close(self) -> None:
        """Commit what was handled and leave the group; the rest goes to the next consumer."""
        if not self._closed:
            self._closed = True
            self._waiting.clear()
            try:
                self._commit()
            finally:
                self._consumer.close(autocommit=False)


def _connect(settings: Settings, *, group: str) -> Any:
    import kafka  # noqa: PLC0415 - loaded when a consumer is made, not with the module

    admin.knock(settings)
    consumer = kafka.KafkaConsumer(
        **settings.kafka_python_config(),
        group_id=group,
        client_id=f"{group}-triggers",
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        allow_auto_create_topics=False,
    )
    names = ("CouponTrigger", "RecommendationTrigger")
    topics = sorted({settings.topic_of(name) for name in names})
    for topic in topics:
        if not consumer.partitions_for_topic(topic):
            consumer.close()
            raise admin.Refused(
                f"there is no topic {topic}, or this user may not read it; make it with: livepulse"
                " topics create; what a user needs says: livepulse topics acls"
            )
    consumer.subscribe(topics=topics)
    return consumer
