"""The worker's own numbers: plain integers on the hot path, Prometheus at the scrape.

No session, viewer or product is a label: those numbers are in the tables.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from schemas.codec import Rejection
from schemas.events import TOPICS, Event
from streams.records import Arrival
from streams.results import Results

#: Seconds; the objective of 2 s stands on an edge.
BUCKETS = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0, 10.0,
)  # fmt: skip


_event_of = itemgetter(0)
_HOST_TYPES = frozenset(TOPICS["live.host"])


class Histogram:
    """Counts per bucket; the last one is for all that is longer."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum += seconds

    def family(self, name: str, text: str) -> HistogramMetricFamily:
        """Return the histogram as Prometheus wants it: cumulative."""
        total, buckets = 0, []
        for edge, count in zip((*BUCKETS, float("inf")), self.counts, strict=True):
            total += count
            buckets.append((floatToGoString(edge), total))  # type: ignore[no-untyped-call]
        return HistogramMetricFamily(name, text, buckets=buckets, sum_value=self.sum)


class Meters(Collector):
    """Everything the worker counts."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.results: Counter[str] = Counter()
        self.decisions: Counter[tuple[str, str]] = Counter()
        self.duplicates = 0
        self.unannounced = 0
        self.records_written = 0
        self.tasks: set[int] = set()
        self.commit_seconds = Histogram()
        self.trigger_seconds = Histogram()
        self.restore_seconds: dict[int, float] = {}
        self.restored_records: dict[int, int] = {}

    def stepped(self, arrivals: Sequence[Arrival], results: Results, partition: int) -> None:
        """Count what one step of the task of ``partition`` took in and gave out."""
        self.events += applied(arrivals, results, partition)
        self.duplicates += len(results.duplicates)
        self.unannounced += results.unannounced
        self.dead_letters.update(why.reason for _, why in results.refused)
        self.decisions.update((d.kind, d.reason) for d in results.decisions)
        for name in ("coupons", "recommendations", "churn"):
            self.results[name] += len(getattr(results, name))

    def committed(self, records: int, seconds: float, now_ms: int, waits_ms: Iterable[int]) -> None:
        """Count a commit; ``waits_ms``: when the record arrived that made each trigger."""
        self.records_written += records
        self.commit_seconds.observe(seconds)
        for arrived_ms in waits_ms:
            self.trigger_seconds.observe(max(now_ms - arrived_ms, 0) / 1000)

    def restored(self, partition: int, records: int, seconds: float) -> None:
        """Note that a task is ready."""
        self.tasks.add(partition)
        self.restored_records[partition] = records
        self.restore_seconds[partition] = seconds

    def released(self) -> None:
        """Note that the worker has no tasks any more."""
        self.tasks.clear()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics for a scrape."""
        yield _counter("livepulse_events", "Events applied", "type", self.events)
        yield _counter("livepulse_dead_letters", "Records refused", "reason", self.dead_letters)
        yield _counter("livepulse_results", "Results published", "kind", self.results)
        decisions = CounterMetricFamily(
            "livepulse_decisions", "Decisions by kind and reason", labels=["kind", "reason"]
        )
        for labels, count in self.decisions.items():
            decisions.add_metric(labels, count)
        yield decisions
        for name, text, value in (
            ("duplicates", "Events seen before, ignored", self.duplicates),
            ("unannounced_events", "Events of sessions without SessionStarted", self.unannounced),
            ("records_written", "Records committed", self.records_written),
        ):
            yield CounterMetricFamily(f"livepulse_{name}", text, value=value)
        yield GaugeMetricFamily("livepulse_tasks", "Tasks that run here", value=len(self.tasks))
        yield self.commit_seconds.family("livepulse_commit_seconds", "Duration of a commit")
        yield self.trigger_seconds.family(
            "livepulse_event_to_trigger_seconds",
            "From the arrival of the record that made a trigger to its commit",
        )
        yield _gauge("livepulse_restore_seconds", "Last restore", self.restore_seconds)
        yield _gauge("livepulse_restored_records", "Last restore", self.restored_records)


def applied(arrivals: Sequence[Arrival], results: Results, partition: int) -> Counter[str]:
    """Count by type the events of a step: not what was refused, not what was seen before.

    All tasks apply an event of the host; it counts where its own partition is.
    """
    counts: Counter[type[Event | Rejection]] = Counter(map(type, map(_event_of, arrivals)))
    by_name = Counter({kind.__name__: n for kind, n in counts.items() if kind is not Rejection})
    if not _HOST_TYPES.isdisjoint(counts):
        by_name.subtract(
            type(event).__name__
            for event, record in arrivals
            if type(event) in _HOST_TYPES and record.partition != partition
        )
    if results.refused:  # events whose key is on the wrong partition
        refused = {id(record) for record, _ in results.refused}
        by_name.subtract(
            type(event).__name__
            for event, record in arrivals
            if type(event) is not Rejection and id(record) in refused
        )
    by_name.subtract(results.duplicates)
    return +by_name


def _counter(name: str, text: str, label: str, counts: Counter[str]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


def _gauge(name: str, text: str, values: dict[int, float] | dict[int, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["partition"])
    for partition, value in values.items():
        family.add_metric([str(partition)], value)
    return family
