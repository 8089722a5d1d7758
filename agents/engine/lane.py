"""The lane: Faust's Kafka transport, with whole record batches instead of single events.

Plain Faust spends 90 us on carrying one event to an agent. Here an agent gets all records that
were fetched of a topic-partition at once. Three more things are ours: a partition is held back
until its task is ready (and while it has too much waiting), input offsets are committed by the
task's transaction and not by Faust, and only committed records are read.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiokafka
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message

from agents.engine.assignor import TaskAssignor
from agents.settings import Settings

#: A fetch must come back soon: the next one for a busy partition waits for it.
FETCH_WAIT_MS = 50
FETCH_BYTES = 2 << 20
#: In a session timeout: the pause until one hears of a rebalance adds to every recovery.
HEARTBEATS = 10
#: aiokafka asks a broker that leads no more for a partition's beginning until the metadata are
#: old: five minutes by default, in which no task of the worker starts.
METADATA_AGE_MS = 5_000
#: Nothing is fetched while all partitions are held back, as when a large state is restored; who
#: is stuck for another reason is found by ``/healthz``.
MAX_IDLE_MS = 3_600_000
#: Who has not looked for so long stood still. The first answers after that are as old as its halt.
STOOD_STILL_S = 1.0


class LaneThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc] # faust is untyped
    """Runs the aiokafka consumer, made from our settings rather than from Faust's."""

    def _create_worker_consumer(self, transport: "LaneTransport") -> aiokafka.AIOKafkaConsumer:
        settings = transport.settings
        name = settings.kafka_group_instance_id
        self._assignor = TaskAssignor(settings.topic_of("SessionStarted"), is_static=bool(name))
        return aiokafka.AIOKafkaConsumer(
            **settings.aiokafka_config(),
            group_id=settings.app_id,
            group_instance_id=name,
            client_id=settings.app_id,
            partition_assignment_strategy=[self._assignor],
            isolation_level="read_committed",
            check_crcs=settings.kafka_check_crcs,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
            session_timeout_ms=settings.session_timeout_s * 1000,
            heartbeat_interval_ms=settings.session_timeout_s * 1000 // HEARTBEATS,
            rebalance_timeout_ms=60_000,
            max_poll_interval_ms=MAX_IDLE_MS,
            metadata_max_age_ms=METADATA_AGE_MS,
        )


class LaneConsumer(driver.Consumer):  # type: ignore[misc]
    """Hands over whole batches, of partitions that are not held back."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open: set[TP] = set()
        self._places: dict[TP, tuple[int, int]] = {}  # position, end
        self._handed: dict[TP, int] = {}  # the offset after the newest record handed over
        self._fetch: asyncio.Future[Any] | None = None
        self._looked_s = 0.0  # when the places were noted last
        self._trusted_s = 0.0  # from when on what they say is news

    def _new_consumer_thread(self) -> LaneThread:
        return LaneThread(self, loop=self.loop, beacon=self.beacon)

    def open(self, tp: TP) -> None:
        """Let a partition's batches through."""
        self._open.add(tp)

    def hold(self, tp: TP) -> None:
        """Hold a partition back; it does not count as caught up before it is read again."""
        self._open.discard(tp)
        self._places.pop(tp, None)

    def hold_all(self) -> None:
        """Hold every partition back."""
        self._open.clear()

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ASYNC109 - Faust's signature
        """Yield one message per fetched topic-partition; its value is the list of records."""
        records, _ = await self._wait_next_records(timeout)
        self._note_places()
        self._handed.update({tp: batch[-1].offset + 1 for tp, batch in (records or {}).items()})
        generation = self.app.consumer_generation_id
        for tp, batch in (records or {}).items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            message = self._to_message(tp, batch[-1])
            message.value = batch
            yield tp, message

    async def _getmany(self, active_partitions: set[TP], timeout: float) -> Any:  # noqa: ASYNC109 - Faust's signature
        wanted = active_partitions & self._open
        if not wanted:  # an empty set would mean all of them
            await self.sleep(0.01)
            return {}
        self._fetch = asyncio.ensure_future(
            super()._getmany(active_partitions=wanted, timeout=min(timeout, 0.1))
        )
        return await asyncio.shield(self._fetch)

    async def _end_fetch(self) -> None:
        """Wait for the fetch that goes on in the thread when its caller was cancelled.

        Nobody gets what it brings. If it ended after a rewind, these records would be skipped.
        """
        if self._fetch is not None:
            await asyncio.wait([self._fetch])

    async def _commit(self, offsets: dict[TP, int]) -> bool:
        """Commit nothing: offsets go with the task's transaction."""
        return bool(offsets)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Look for no livelock: Faust's search ends the worker when it falls into a rebalance.

        It also knows nothing of our commits. A task that is stuck shows in its lag and in
        ``/healthz``.
        """

    def is_caught_up(self, tp: TP, received: int) -> bool:
        """Tell whether everything up to the partition's end, as last fetched, was received."""
        now_s = time.monotonic()
        if now_s < self._trusted_s or now_s - self._looked_s > STOOD_STILL_S:
            return False
        position, end = self._places.get(tp, (0, None))
        return end is not None and position >= end and received >= self._handed.get(tp, 0)

    @property
    def member_id(self) -> str:
        """Who this is in the group; it changes when the group has gone on without us."""
        return str(self._thread._consumer._coordinator.member_id)  # noqa: SLF001

    def position(self, tp: TP) -> int | None:
        """Return how far a partition was read, markers included; None while it is held back."""
        return self._places.get(tp, (None, 0))[0]

    def _note_places(self) -> None:
        """Note the positions while no fetch is under way: all before them was handed over.

        Transaction markers are read over without being handed over, so what was handed over
        does not tell alone how far a partition was read.
        """
        now_s = time.monotonic()
        if now_s - self._looked_s > STOOD_STILL_S:
            self._trusted_s = now_s + STOOD_STILL_S
        self._looked_s = now_s
        for tp in self._open:
            place = self._place(tp)
            if place is not None:
                self._places[tp] = place

    def _place(self, tp: TP) -> tuple[int, int] | None:
        """Return the position and the end (last stable offset) of a partition, if known."""
        consumer = self._thread._consumer  # noqa: SLF001 - there is no public way to ask
        subscription = consumer._subscription.subscription  # noqa: SLF001
        assignment = subscription and subscription.assignment
        if not assignment or TopicPartition(*tp) not in assignment.tps:
            return None
        state = assignment.state_value(TopicPartition(*tp))
        if not state.has_valid_position or state.lso is None:
            return None
        return state.position, state.lso

    async def committed(self, tp: TP) -> int | None:
        """Return the group's committed offset of a partition."""
        consumer = self._thread._consumer  # noqa: SLF001
        offset = await self._thread.call_thread(consumer.committed, TopicPartition(*tp))
        return None if offset is None else int(offset)

    async def ends(self, tps: Iterable[TP]) -> dict[TP, int]:
        """Return the offset after the newest record of each partition, in one request a broker."""
        places = [TopicPartition(*tp) for tp in tps]
        ends = await self._thread.call_thread(self._thread._consumer.end_offsets, places)  # noqa: SLF001
        return {TP(*place): int(end) for place, end in ends.items()}

    async def rewind(self, tp: TP, offset: int | None) -> None:
        """Read a partition from an offset on; ``None``: from its beginning."""
        await self._end_fetch()
        self._places.pop(tp, None)
        self._handed.pop(tp, None)
        if offset is None:
            await self._thread.seek_to_beginning(TopicPartition(*tp))
        else:
            await self.seek_wait({tp: offset})
        self._read_offset[tp] = offset


class LaneTransport(driver.Transport):  # type: ignore[misc]
    """The transport that the app uses; Faust's own producer is never started."""

    Consumer = LaneConsumer
    settings: Settings
