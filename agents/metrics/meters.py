"""What a worker counts: plain integers, written on the event loop, read by any thread.

``agents.engine.exposition`` turns them into Prometheus' form at the scrape. No session, viewer or
product is a label: those numbers are in the tables.
"""

import time
from collections import Counter
from collections.abc import Sequence

from aiokafka.errors import ProducerFenced

from agents.metrics.histogram import AGE_S, FINAL_S, REBALANCE_S, Histogram
from agents.metrics.task_meter import TaskMeter
from schemas.codec import Rejection
from schemas.codes import REFUSALS, WHY_NOT
from schemas.events import EVENT_TYPES, TOPICS, Event
from streams.budget import Answer
from streams.records import Arrival
from streams.results import Results

RESULTS = ("coupons", "recommendations", "churn", "rows")
ANSWERS: tuple[Answer, ...] = ("granted", "exhausted", "unavailable")
DECISIONS = [
    *((kind, "sent", "sent") for kind in ("coupon", "recommendation")),
    *((kind, "suppressed", why) for kind in ("coupon", "recommendation") for why in WHY_NOT),
]

_NEVER = 1 << 62
_HOST_TYPES = frozenset(TOPICS["live.host"])


class Meters:
    """Everything that the tasks of one worker count."""

    def __init__(self) -> None:
        # Every value of a closed set is there from the start, so that its first increment shows.
        self.events = Counter({kind.__name__: 0 for kind in EVENT_TYPES})
        self.dead_letters = Counter(dict.fromkeys(REFUSALS, 0))
        self.results = Counter(dict.fromkeys(RESULTS, 0))
        self.decisions = Counter(dict.fromkeys(DECISIONS, 0))
        self.answers: Counter[str] = Counter(dict.fromkeys(ANSWERS, 0))
        self.lost: Counter[str] = Counter()  # records by topic
        self.duplicates = 0
        self.unannounced = 0
        self.late_totals = 0
        self.records_written = 0
        self.bytes_written = 0
        self.aborted = 0
        self.fenced = 0
        self.commit_seconds = Histogram()
        self.trigger_seconds = Histogram()
        self.age_seconds = Histogram(AGE_S)
        self.final_seconds = Histogram(FINAL_S)
        self.rebalance_seconds = Histogram(REBALANCE_S)
        self.partitions = 0  # tasks that there must be, over all workers
        self.tasks: dict[int, TaskMeter] = {}
        self.is_assigned = False  # the newest assignment is restored and runs
        self.was_assigned = False  # there was one before
        self._lost_at_s = 0.0

    # --- on the hot path ---------------------------------------------------------------------

    def stepped(self, arrivals: Sequence[Arrival], results: Results, partition: int) -> int | None:
        """Count what one step of the task of ``partition`` took in and gave out.

        Returns the time of the oldest event, None when there was none.
        """
        counts, oldest_ms = tally(arrivals)
        if results.refused or not _HOST_TYPES.isdisjoint(counts):
            self._take_back(counts, arrivals, results, partition)
        names = {kind.__name__: count for kind, count in counts.items()}
        for name in results.duplicates:
            names[name] -= 1
        for name, count in names.items():
            self.events[name] += max(count, 0)  # a host's repeat from elsewhere is taken back twice
        self.duplicates += len(results.duplicates)
        self.unannounced += results.unannounced
        for decision in results.decisions:
            self.decisions[decision.kind, decision.outcome, decision.reason] += 1
        for _, why in results.refused:
            self.dead_letters[why.reason] += 1
        return oldest_ms

    def _take_back(
        self,
        counts: dict[type[Event], int],
        arrivals: Sequence[Arrival],
        results: Results,
        partition: int,
    ) -> None:
        """Do not count events whose record was refused, nor those of the host twice.

        All tasks apply an event of the host; it counts where its own partition is.
        """
        refused = {id(record) for record, _ in results.refused}
        for event, record in arrivals:
            kind = type(event)
            if kind in counts:
                elsewhere = kind in _HOST_TYPES and record.partition != partition
                counts[kind] -= elsewhere or id(record) in refused

    def committed(self, records: int, seconds: float, results: Results) -> None:
        """Count a commit."""
        self.records_written += records
        self.commit_seconds.observe(seconds)
        for name in RESULTS:
            self.results[name] += len(getattr(results, name))

    # --- assignments ---------------------------------------------------------------------------

    def begin(self, partition: int) -> TaskMeter:
        """Note that a task starts here, and return what it counts with."""
        self.tasks[partition] = TaskMeter(self, partition)
        return self.tasks[partition]

    def released(self) -> None:
        """Note that the worker gives its tasks up: they may come again, here or elsewhere."""
        if self.is_assigned:
            self._lost_at_s = time.monotonic()
        self.is_assigned = False

    def ended(self) -> None:
        """Note that the worker has no tasks any more."""
        self.tasks = {}

    def assigned(self) -> None:
        """Note that every task of the assignment is ready; there may be none."""
        if self.was_assigned:
            self.rebalance_seconds.observe(time.monotonic() - self._lost_at_s)
        self.is_assigned = self.was_assigned = True

    def gave_up(self, error: Exception) -> None:
        """Note that a transaction failed; the process ends for it."""
        self.aborted += 1
        self.fenced += isinstance(error, ProducerFenced)


def tally(arrivals: Sequence[Arrival]) -> tuple[dict[type[Event], int], int | None]:
    """Count events by type, and find the time of the oldest; what was refused has none.

    One plain loop: the library's counters cost more to set up than a step of some events does.
    """
    counts: dict[type[Event], int] = {}
    oldest = _NEVER
    for event, _ in arrivals:
        kind = type(event)
        if kind is not Rejection:
            counts[kind] = counts.get(kind, 0) + 1  # type: ignore[index, arg-type]
            ts = event.ts
            if ts < oldest:  # noqa: PLR1730 - calling min() would cost as much as all the rest
                oldest = ts
    return counts, None if oldest == _NEVER else oldest
