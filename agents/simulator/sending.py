"""Records to Kafka, as fast as the broker takes them or at their own pace."""

import time
from collections.abc import Callable, Iterable, Mapping
from threading import Event
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from agents.recording import Record

#: The partitioner is the one of Java clients: the worker checks that keys are where they belong.
PRODUCER_DEFAULTS: dict[str, Any] = {
    "partitioner": "murmur2_random",
    "enable.idempotence": True,
    "linger.ms": 20,
    "compression.type": "lz4",
    "message.timeout.ms": 30_000,
}
PROGRESS_EVERY = 500
FLUSH_S = 35.0
#: Waiting for less than this costs more than it is worth: a record may go so much too early.
PACE_SLACK_S = 0.005


class SendingError(RuntimeError):
    """The broker did not take a record; the message names the topic and the reason."""


def send(
    records: Iterable[Record],
    *,
    producer_config: Mapping[str, Any],
    rate: float,
    on_progress: Callable[[int], None],
    stop: Event | None,
) -> int:
    """Produce ``records`` and return how many the broker has acknowledged.

    With ``rate`` 0 they go as fast as the broker takes them. Above 0 each goes at its own
    timestamp, counted from the first one's: they were made for that rate, so what was made
    for now arrives now. ``on_progress`` hears how many were handed over so far, ``stop`` ends
    the sending after the current record. Raises ``SendingError`` on the first record that
    fails; nothing is left unflushed on return.
    """
    sending = _Sending(Producer(PRODUCER_DEFAULTS | dict(producer_config)))
    try:
        _produce_all(
            sending, records, paced=rate > 0, on_progress=on_progress, stop=stop or Event()
        )
    finally:
        unsent = sending.producer.flush(FLUSH_S)
    sending.raise_failure()
    if unsent:
        raise SendingError(f"{unsent} records were not acknowledged: is the broker reachable?")
    on_progress(sending.handed_over)
    return sending.acknowledged


def _produce_all(
    sending: "_Sending",
    records: Iterable[Record],
    *,
    paced: bool,
    on_progress: Callable[[int], None],
    stop: Event,
) -> None:
    """Pull a record only when the last one is gone, so that what was pulled was sent."""
    source, pace = iter(records), _Pace()
    while not stop.is_set() and (record := next(source, None)) is not None:
        if paced and (wait_s := pace.wait_s(record.timestamp)) > PACE_SLACK_S:
            sending.producer.poll(0)
            stop.wait(wait_s)
        sending.produce(record)
        if sending.handed_over % PROGRESS_EVERY == 0:
            sending.raise_failure()
            on_progress(sending.handed_over)


class _Pace:
    """How long to wait until a timestamp is due on the wall clock."""

    def __init__(self) -> None:
        self._ahead_s: float | None = None

    def wait_s(self, timestamp_ms: int) -> float:
        due_s, now_s = timestamp_ms / 1_000, time.monotonic()
        if self._ahead_s is None:
            self._ahead_s = due_s - now_s
        return due_s - self._ahead_s - now_s


class _Sending:
    """A producer with its counts and its first failure."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.handed_over = 0
        self.acknowledged = 0
        self._failure: str | None = None

    def produce(self, record: Record) -> None:
        """Hand the record over, waiting while the producer's own queue is full."""
        while True:
            try:
                self.producer.produce(
                    record.topic, record.value, record.key,
                    timestamp=record.timestamp, on_delivery=self._on_delivery,
                )  # fmt: skip
            except KafkaException as error:
                raise SendingError(f"topic {record.topic}: {error.args[0].str()}") from error
            except BufferError:
                self.producer.poll(0.1)
                self.raise_failure()
            else:
                break
        self.handed_over += 1
        self.producer.poll(0)

    def raise_failure(self) -> None:
        """Raise the first failure that the broker reported, if there is one."""
        if self._failure:
            raise SendingError(self._failure)

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.acknowledged += 1
        elif self._failure is None:
            self._failure = f"topic {message.topic()}: a record was not delivered: {error.str()}"
