"""The changelog read back: one partition of ``live.state`` straight into a map.

By librdkafka rather than aiokafka: it reads ahead in threads of its own and makes a record for a
third of the time, and the event loop goes on meanwhile.
"""

import asyncio
from collections.abc import Callable
from threading import Event

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from agents.settings import Settings

_BATCH = 10_000
_POLL_S = 0.05
_FETCH_WAIT_MS = 10  # all that there will be is there already
_FETCH_BYTES = 8 << 20
_READ_AHEAD_KB = 32 << 10
#: A broker that was just elected leader may not know the end yet; librdkafka asks again so long.
_END_S = 60.0

#: Is told how many offsets are left, and how many keys were read.
Progress = Callable[[int, int], None]


async def read_changelog(
    settings: Settings, partition: int, on_progress: Progress = lambda _left, _keys: None
) -> dict[bytes, bytes]:
    """Return the newest value of each key, up to the end as it stands now.

    To be called when the partition's writer is fenced. Ends by the position rather than by a
    last record, so transaction markers and compacted tails do not matter. Raises KafkaException
    when the partition cannot be read; brokers that are away are waited for. ``on_progress`` is
    called in another thread, which ends soon after a cancellation.
    """
    place = TopicPartition(settings.topic_of("state"), partition, OFFSET_BEGINNING)
    given_up = Event()
    try:
        return await asyncio.to_thread(_read, settings, place, on_progress, given_up)
    finally:
        given_up.set()


def _read(
    settings: Settings, place: TopicPartition, on_progress: Progress, given_up: Event
) -> dict[bytes, bytes]:
    consumer = Consumer(
        settings.confluent_config()
        | {
            "group.id": settings.app_id,  # librdkafka wants one; nothing is joined or committed
            "isolation.level": "read_committed",
            "check.crcs": settings.kafka_check_crcs,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": _FETCH_WAIT_MS,
            "max.partition.fetch.bytes": _FETCH_BYTES,
            "queued.max.messages.kbytes": _READ_AHEAD_KB,
        }
    )
    try:
        return _newest(consumer, place, on_progress, given_up)
    finally:
        consumer.close()


def _newest(
    consumer: Consumer, place: TopicPartition, on_progress: Progress, given_up: Event
) -> dict[bytes, bytes]:
    _, end = consumer.get_watermark_offsets(place, timeout=_END_S)
    consumer.assign([place])
    newest: dict[bytes, bytes | None] = {}
    reached = 0
    while reached < end and not given_up.is_set():
        messages = consumer.consume(_BATCH, timeout=_POLL_S)
        for message in messages:
            error = message.error()
            if error is None:
                newest[message.key()] = message.value()
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                reached = message.offset()
            elif not error.retriable():
                raise KafkaException(error)
        if messages:
            on_progress(max(end - messages[-1].offset(), 0), len(newest))
    return {key: value for key, value in newest.items() if value is not None}
