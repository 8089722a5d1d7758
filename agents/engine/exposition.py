"""The worker's metrics as Prometheus wants them, built at the scrape from what was counted.

The contract is ``deploy/prometheus/metrics.md``: names, labels, help texts and edges.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from agents.engine.lag import Lags
from agents.engine.parts import Parts
from agents.metrics.families import by, counter, gauge, histogram, level, per_partition, total
from agents.metrics.log_ends import LogEnds
from agents.metrics.meters import Meters
from agents.metrics.redis_meter import RedisMeter
from agents.metrics.task_meter import TaskMeter


class Connected(NamedTuple):
    """What a worker has once it was assigned its first tasks."""

    parts: Parts
    lags: Lags
    ends: LogEnds


#: What each task tells: name, help text, and the value, None while there is none.
_OF_A_TASK: tuple[tuple[str, str, Callable[[TaskMeter], float | None]], ...] = (
    (
        "watermark_timestamp_seconds",
        "The task's watermark: no older event is expected",
        lambda one: _seconds(one.watermark_ms),
    ),
    (
        "last_commit_timestamp_seconds",
        "When the task last committed",
        lambda one: _seconds(one.committed_at_ms),
    ),
    (
        "restore_remaining_records",
        "Changelog offsets still to be read; 0 when the task is ready",
        lambda one: one.restore_left,
    ),
    (
        "restored_records",
        "Keys read back in the current or last restore",
        lambda one: one.restored,
    ),
    (
        "restore_seconds",
        "Duration of the current or last restore",
        lambda one: one.restoring_s,
    ),
)


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


class Exposition(Collector):
    """Collects from a worker; ``connected`` is None before the first assignment."""

    def __init__(self, meters: Meters, redis: RedisMeter, topics: Iterable[str]) -> None:
        self.connected: Connected | None = None
        self._meters = meters
        self._redis = redis
        self._topics = tuple(topics)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics for a scrape."""
        yield from self._flow()
        yield from self._latencies()
        yield from self._logs()
        yield from self._tasks()
        yield from self._state()
        yield from self._surroundings()

    def _flow(self) -> Iterator[Metric]:
        meters = self._meters
        yield counter("events", "Events applied", by("type", meters.events))
        yield total("duplicates", "Events seen before, ignored", meters.duplicates)
        yield total(
            "unannounced_events", "Events of sessions without SessionStarted", meters.unannounced
        )
        yield counter("dead_letters", "Records refused", by("reason", meters.dead_letters))
        lost = {topic: meters.lost[topic] for topic in self._topics}
        yield counter(
            "lost_records", "Records that the broker deleted before they were read",
            by("topic", lost),
        )  # fmt: skip
        yield total(
            "late_totals", "Running totals that came too late for their window", meters.late_totals
        )
        yield counter("results", "Results published", by("kind", meters.results))
        yield counter(
            "decisions",
            "Decisions: coupon or recommendation, sent or suppressed, and why",
            (("kind", "outcome", "reason"), dict(meters.decisions).items()),
        )
        yield counter(
            "budget_answers", "Reservations by answer: granted, exhausted or unavailable",
            by("answer", meters.answers),
        )  # fmt: skip

    def _latencies(self) -> Iterator[Metric]:
        meters = self._meters
        for name, text, one in (
            (
                "event_to_trigger",
                "From the arrival of the record that made a trigger to its commit",
                meters.trigger_seconds,
            ),
            (
                "event_time_lag",
                (
                    "From an event's own time to the commit that holds it;"
                    " the oldest event of each step"
                ),
                meters.age_seconds,
            ),
            (
                "final_row_delay",
                "From the end of a 10 s pane to the commit of its session's final row",
                meters.final_seconds,
            ),
            ("commit", "Duration of a commit", meters.commit_seconds),
            (
                "rebalance",
                "From the loss of the old assignment to the readiness of the new one",
                meters.rebalance_seconds,
            ),
        ):
            yield histogram(f"{name}_seconds", text, {"": one})
        yield total("records_written", "Records committed", meters.records_written)
        yield total("bytes_written", "Bytes of keys and values committed", meters.bytes_written)
        yield total(
            "transactions_aborted", "Transactions given up; the process ends after one",
            meters.aborted,
        )  # fmt: skip
        yield total(
            "producers_fenced",
            "Producers that another owner of the task has fenced; the process ends after one",
            meters.fenced,
        )

    def _logs(self) -> Iterator[Metric]:
        end, committed, behind = (
            gauge(name, text, "topic", "partition")
            for name, text in (
                ("end_offset", "End of the log, asked from the broker every 10 s"),
                ("committed_offset", "The next offset to be read after a restart"),
                (
                    "lag_records",
                    "Records between the two; transaction markers at the end do not count",
                ),
            )
        )
        asked = gauge("offsets_timestamp_seconds", "When the broker last told the ends")
        if self.connected is not None:
            for lag in self.connected.lags.of(self.connected.ends.spans):
                place = (lag.tp.topic, str(lag.tp.partition))
                end.add_metric(place, lag.end)
                committed.add_metric(place, lag.committed)
                behind.add_metric(place, lag.records)
            if self.connected.ends.at_s is not None:
                asked.add_metric((), self.connected.ends.at_s)
        newest: dict[str, int] = {}
        for meter in list(self._meters.tasks.values()):
            for (topic, _), ts in meter.committed.newest.items():
                newest[topic] = max(ts, newest.get(topic, 0))
        event = gauge(
            "last_event_timestamp_seconds", "Event time of the newest event applied", "topic"
        )
        for topic, ts in newest.items():
            event.add_metric((topic,), ts / 1000)
        yield from (end, committed, behind, asked, event)

    def _tasks(self) -> Iterator[Metric]:
        tasks = list(self._meters.tasks.items())
        ready = sum(meter.is_ready for _, meter in tasks)
        yield level(
            "partitions", "Tasks that there must be, over all workers", self._meters.partitions
        )
        yield level("tasks", "Tasks that run here", ready)
        yield level(
            "tasks_starting", "Tasks that are being fenced and restored here", len(tasks) - ready
        )
        for name, text, value in _OF_A_TASK:
            known = [(p, found) for p, one in tasks if (found := value(one)) is not None]
            yield per_partition(name, text, known)

    def _state(self) -> Iterator[Metric]:
        tasks = list(self._meters.tasks.items())
        records = gauge("state_records", "Keys in memory", "partition", "kind")
        for p, one in tasks:
            for kind, count in one.sizes.records.items():
                records.add_metric((str(p), kind), count)
        yield records
        yield per_partition(
            "state_bytes",
            "Bytes of the values of these keys as the changelog holds them",
            [(p, one.sizes.bytes) for p, one in tasks],
        )
        yield per_partition(
            "timers", "Timers that wait", [(p, one.sizes.timers) for p, one in tasks]
        )
        yield level(
            "sessions",
            "Sessions that were announced and have not ended",
            sum(one.sizes.sessions for _, one in tasks),
        )

    def _surroundings(self) -> Iterator[Metric]:
        parts = None if self.connected is None else self.connected.parts
        views, budget = (None, None) if parts is None else (parts.views, parts.budget)
        yield level(
            "redis_up", "1 when the last call or ping was answered", int(self._redis.is_up)
        )  # fmt: skip
        yield histogram(
            "redis_seconds", "Duration of a call; views or budget",
            self._redis.seconds, "call",
        )  # fmt: skip
        failures = {
            "views": views.failures if views else 0, "budget": budget.failures if budget else 0,
        }  # fmt: skip
        yield counter("redis_errors", "Calls that failed", by("call", failures))
        yield total(
            "view_values_dropped",
            "Values that fell out of the full buffer while Redis was away",
            views.dropped if views else 0,
        )
