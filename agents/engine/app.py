"""The Faust app: one agent per input topic, each handing whole batches to the tasks."""

import asyncio
import gc
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

import faust
from faust.types import TP
from yarl import URL

from agents import redis_client
from agents.engine.budget import RedisBudget
from agents.engine.decoders import decoders
from agents.engine.exposition import Connected, Exposition
from agents.engine.host_log import HostLog
from agents.engine.lag import Lags
from agents.engine.lane import LaneTransport
from agents.engine.parts import Parts
from agents.engine.tasks import TaskSet
from agents.metrics.log_ends import LogEnds
from agents.metrics.meters import Meters
from agents.metrics.redis_meter import RedisMeter
from agents.metrics.vitals import Vitals
from agents.settings import Settings, SettingsError
from agents.views.keys import Keys
from agents.views.writer import Views

if TYPE_CHECKING:  # an optional dependency
    from opentelemetry.trace import Tracer

log = logging.getLogger(__name__)

Batches = AsyncIterator[Any]

COLLECT_EVERY_S = 5.0
STOP_WITHIN_S = 6.0


class Boot(faust.App.BootStrategy):  # type: ignore[misc] # faust is untyped
    """What Faust starts: not its producer, which nobody uses and which knows no credentials."""

    enable_kafka_producer = False


class App(faust.App):  # type: ignore[misc] # faust is untyped
    """Faust's app on our lane."""

    BootStrategy = Boot
    settings: Settings
    #: Called once the event loop runs, before anything is connected.
    on_alive: Callable[[], None] = staticmethod(lambda: None)

    async def on_start(self) -> None:
        """Start."""
        self.on_alive()
        await super().on_start()

    def _create_directories(self) -> None:
        """Make none: we keep nothing on disk, and the directory that we run in may be read-only."""

    def _new_transport(self) -> LaneTransport:
        transport = LaneTransport(broker_urls(self.settings), self)
        transport.settings = self.settings
        return transport

    async def on_stop(self) -> None:
        """Stop, and end the process hard if that takes too long.

        The consumer's thread waits for ever when it is stopped in the middle of a rebalance.
        What is not committed then is done by the next owner.
        """
        deadline = threading.Timer(STOP_WITHIN_S, _end_hard, [1 if self.crashed else 0])
        deadline.daemon = True
        deadline.start()
        await super().on_stop()


class Worker:
    """Wires app, tasks and connections together; ``app`` is what Faust runs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.meters = Meters()
        # Known before the first assignment: a group that cannot form shows that all is missing.
        self.meters.partitions = settings.partitions
        self.vitals = Vitals(settings, "worker")
        self.redis_meter = RedisMeter()
        self.app = new_app(settings)
        self.app.on_alive = self._on_alive
        self.host_topic = settings.topic_of("SessionStarted")
        self.totals_topic = settings.topic_of("window-totals")
        self.decoders = decoders(settings)
        self.viewer_topics = tuple(t for t in sorted(self.decoders) if t != self.host_topic)
        topics = (*self.viewer_topics, self.host_topic, self.totals_topic)
        self.exposition = Exposition(self.meters, self.redis_meter, topics)
        self._client = redis_client.connect(settings)
        self._tracer = _connect_tracer(settings) if settings.tracing else None
        self._tasks: TaskSet | None = None
        self._background: list[asyncio.Task[None]] = []
        self._views: Views | None = None
        self._add_agents()
        self.app.timer(COLLECT_EVERY_S)(self.collect_garbage)
        self.app.on_partitions_assigned.connect(self._on_assigned)
        self.app.on_partitions_revoked.connect(self._on_revoked)
        self.app.on_before_shutdown.connect(self._on_shutdown)

    def _add_agents(self) -> None:
        for topic in self.viewer_topics:
            self._agent(topic, name=f"viewers-{topic}")(self._feed)
        self._agent(self.host_topic, name="host")(self._feed_host)
        self._agent(self.totals_topic, name="conversion")(self._feed_totals)

    async def collect_garbage(self) -> None:
        """Collect what is young, and never look at what has lived for a while again.

        State is large, lives long and has no cycles: searching all of it for garbage, as Python
        does from time to time, took a quarter of a busy worker's CPU.
        """
        gc.collect(1)
        gc.freeze()

    def _on_alive(self) -> None:
        self._run_beside("the event loop's timer", self.vitals.beat())
        self._run_beside("the look at Redis", self.redis_meter.keep_asking(self._client))

    def _run_beside(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._background.append(asyncio.create_task(work, name=name))

    def dead(self) -> Iterator[str]:
        """Name what should run for ever and does not; a task's end ends the process by itself."""
        if not self.app.should_stop:
            yield from (one.get_name() for one in list(self._background) if one.done())

    def _agent(self, topic: str, *, name: str) -> Any:
        channel = self.app.topic(topic, key_type=None, value_serializer="raw", acks=False)
        return self.app.agent(channel, name=name)

    async def _feed(self, batches: Batches) -> None:
        async for records in batches:
            self.tasks.offer(records)

    async def _feed_host(self, batches: Batches) -> None:
        async for records in batches:
            self.tasks.offer_host(records)

    async def _feed_totals(self, batches: Batches) -> None:
        async for records in batches:
            self.tasks.offer_totals(records)

    @property
    def tasks(self) -> TaskSet:
        """The tasks; there are none before the first assignment."""
        assert self._tasks is not None, "a batch came before the first assignment"
        return self._tasks

    async def _on_assigned(self, _app: object, assigned: set[TP], **_: Any) -> None:
        if self._tasks is None:
            parts = self._parts()
            self._connect(parts)
            self._tasks = TaskSet(
                parts, is_ending=lambda: self.app.should_stop, on_ready=self._ask_for_ends
            )
        await self._tasks.assign(assigned)

    async def _on_revoked(self, _app: object, _revoked: set[TP], **_: Any) -> None:
        if self._tasks is not None:
            await self._tasks.revoke()

    async def _on_shutdown(self, _app: object, **_: Any) -> None:
        if self._tasks is not None:
            await self._tasks.close()
        if self._views is not None:
            await self._views.stop()

    def _ask_for_ends(self) -> None:
        if self.exposition.connected is not None:
            self.exposition.connected.ends.ask_soon()

    def _show_again(self) -> None:
        if self._tasks is not None:
            self._tasks.show_again()

    def _connect(self, parts: Parts) -> None:
        """Let the metrics see what the worker has now."""
        self.meters.partitions = parts.partitions
        lags = Lags(parts)
        ends = LogEnds(self.settings, lags.places, lags.note_lost)
        ends.start()
        self.exposition.connected = Connected(parts, lags, ends)

    def _parts(self) -> Parts:
        settings, client, meter = self.settings, self._client, self.redis_meter
        keys = Keys(settings.redis_prefix)
        self._views = Views(client, keys, on_recovered=self._show_again, meter=meter)
        self._run_beside("the writer of the views", self._views.run())
        return Parts(
            settings=settings,
            partitions=self.app.consumer.topic_partitions(self.totals_topic) or settings.partitions,
            viewer_topics=self.viewer_topics,
            host_topic=self.host_topic,
            totals_topic=self.totals_topic,
            decoders=self.decoders,
            lane=self.app.consumer,
            host_log=HostLog(self.decoders[self.host_topic], settings.policy),
            budget=RedisBudget(client, keys, meter=meter),
            views=self._views,
            meters=self.meters,
            tracer=self._tracer,
        )


def _connect_tracer(settings: Settings) -> "Tracer":
    try:
        from agents import tracing  # noqa: PLC0415 - an optional dependency, loaded when it is used
    except ModuleNotFoundError as error:
        raise SettingsError(
            "LIVEPULSE_TRACING", f"needs OpenTelemetry: {error}",
            source="settings", fix="pip install 'livepulse[tracing]', or leave it off",
        ) from error  # fmt: skip
    return tracing.connect(settings)


def _end_hard(code: int) -> None:
    log.warning("not stopped after %.0f s: the process ends as it is", STOP_WITHIN_S)
    logging.shutdown()
    os._exit(code)


def broker_urls(settings: Settings) -> list[URL]:
    """Return the brokers as Faust names them; our clients take them from the settings."""
    return [URL(f"kafka://{one.strip()}") for one in settings.kafka_bootstrap.split(",")]


def new_app(settings: Settings) -> App:
    """Return a Faust app that does group membership, agents and lifecycle, and nothing else."""
    App.settings = settings
    return App(
        settings.app_id,
        broker=broker_urls(settings),
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        stream_buffer_maxsize=256,
        broker_session_timeout=settings.session_timeout_s,
        broker_request_timeout=90,
        processing_guarantee="at_least_once",
    )
