"""The changelog read back: one partition of ``live.state`` straight into a map."""

from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.settings import Settings

_POLL_MS = 1_000
_FETCH_BYTES = 8 << 20


async def read_changelog(settings: Settings, partition: int) -> dict[bytes, bytes]:
    """Return the newest value of each key, up to the end as it stands now.

    To be called when the partition's writer is fenced. Ends by the position rather than by a
    last record, so transaction markers and compacted tails do not matter.
    """
    consumer = AIOKafkaConsumer(
        **settings.aiokafka_config(),
        isolation_level="read_committed",
        check_crcs=settings.kafka_check_crcs,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=_FETCH_BYTES,
        fetch_max_bytes=_FETCH_BYTES,
    )
    await consumer.start()
    try:
        return await _read(consumer, TopicPartition(settings.topic_of("state"), partition))
    finally:
        await consumer.stop()


async def _read(consumer: AIOKafkaConsumer, tp: TopicPartition) -> dict[bytes, bytes]:
    consumer.assign([tp])
    end = (await consumer.end_offsets([tp]))[tp]
    await consumer.seek_to_beginning(tp)
    newest: dict[bytes, bytes] = {}
    while await consumer.position(tp) < end:
        batches = await consumer.getmany(tp, timeout_ms=_POLL_MS)
        for batch in batches.values():
            newest.update([(record.key, record.value) for record in batch])
    for key in [key for key, value in newest.items() if value is None]:
        del newest[key]
    return newest
