"""One Kafka transaction per commit: changelog, results and input offsets, all or nothing.

The producer of task p has the transactional id ``<app>-<p>``: starting it fences whoever had
the task before, at the broker.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder

from agents.acls import RESULTS, STATE, TOTALS
from agents.settings import Settings

#: A broker must allow as much; ``doctor`` asks.
BATCH_BYTES = 512 << 10
TIMEOUT_MS = 60_000
_REQUEST_BYTES = 8 << 20

Headers = list[tuple[str, bytes]]


class Out(NamedTuple):
    """A record to be written."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers | None = None


class Transactions:
    """The transactional producer of one task."""

    def __init__(self, settings: Settings, partition: int) -> None:
        self.bytes_written = 0  # of keys and values, in all
        self._group = settings.app_id
        self._topics = set(map(settings.topic_of, (STATE, TOTALS, *RESULTS)))
        self._producer = AIOKafkaProducer(
            **settings.aiokafka_config(),
            transactional_id=f"{settings.app_id}-{partition}",
            transaction_timeout_ms=TIMEOUT_MS,
            max_batch_size=BATCH_BYTES,
            max_request_size=_REQUEST_BYTES,
            linger_ms=0,
            key_serializer=None,
        )

    async def start(self) -> None:
        """Fence the task's former owner.

        The producer is told its topics at once. Else the first one that it misses narrows what it
        asks of the brokers to this one; when it asks again with others under way, as after a
        broker's death, it believes them to have no leader, and gives them up after 40 s.
        """
        await self._producer.start()
        await self._producer.client.set_topics(self._topics)

    async def stop(self) -> None:
        """Close the connection; an open transaction is aborted by the broker."""
        await self._producer.stop()

    async def commit(
        self, records: Iterable[Out], offsets: Mapping[TopicPartition, int], now_ms: int
    ) -> int:
        """Write the records and the offsets; returns how many records. Any error is fatal."""
        await self._producer.begin_transaction()
        futures = []
        count = 0
        for (topic, partition), batch in self._batches(records, now_ms):
            count += batch.record_count()
            futures.append(await self._producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*futures)
        await self._producer.send_offsets_to_transaction(dict(offsets), self._group)
        await self._producer.commit_transaction()
        return count

    def _batches(
        self, records: Iterable[Out], now_ms: int
    ) -> Iterable[tuple[tuple[str, int], BatchBuilder]]:
        """Pack the records into batches, keeping their order within a partition."""
        filling: dict[tuple[str, int], BatchBuilder] = {}
        for record in records:
            place = record[:2]
            self.bytes_written += len(record[2] or b"") + len(record[3] or b"")
            batch = filling.get(place) or filling.setdefault(place, self._producer.create_batch())
            if not _append(batch, record, now_ms):
                yield place, batch
                batch = filling[place] = self._producer.create_batch()
                _append(batch, record, now_ms)  # which takes a first record of any size
        yield from filling.items()


def _append(batch: BatchBuilder, record: Out, now_ms: int) -> bool:
    headers = record.headers or []
    added = batch.append(key=record.key, value=record.value, timestamp=now_ms, headers=headers)
    return added is not None
