"""Tasks that read logs while time passes, as those of a worker do, without broker and sockets.

A record stands in its log from its own timestamp on. ``Site.tick`` lets every task go round its
loop once, ``agents/engine/task.py`` line by line: fetch, order, step, let time pass, merge, commit.
Tasks may be down, sources may stall, reading may be slow; times are ms of the wall clock.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from msgspec import msgpack

from schemas.results import ConversionRow
from streams import pipeline
from streams.admission import admit
from streams.budget import Ledger
from streams.order import Source, StreamOrder, by_tick
from streams.partitioner import partition_of
from streams.policy import Policy
from streams.records import Record
from streams.results import Results
from streams.store import State
from streams.totals import Mark, WindowTotal
from tests.streams.world import DECODERS, HOST, VIEWER_TOPICS, Identity

_pack = msgpack.Encoder().encode
_unpack = msgpack.Decoder(WindowTotal | Mark).decode


class Site:
    """Logs, the tasks that read them, and what these have said."""

    def __init__(
        self, records: Iterable[Record], *, tasks: int = 1, policy: Policy | None = None
    ) -> None:
        self.policy = policy or Policy()
        self.partitions = tasks
        self.ledger = Ledger()
        self.logs: defaultdict[Source, list[Record]] = defaultdict(list)
        for record in sorted(records, key=lambda record: record.timestamp):
            self.logs[record.topic, record.partition].append(record)
        self.arrivals = {source: [r.timestamp for r in log] for source, log in self.logs.items()}
        self.totals: list[list[bytes]] = [[] for _ in range(tasks)]
        self.rows: list[tuple[int, ConversionRow]] = []  # when it was said
        self.results = Results()
        self.tasks = [Run(self, p) for p in range(tasks)]

    def tick(
        self,
        now_ms: int,
        *,
        down: Collection[int] = (),
        stalled: Collection[Source] = (),
        limit: int | None = None,
    ) -> None:
        """Let each task that is not down go round once; ``limit``: records of a source."""
        for task in self.tasks:
            if task.partition not in down:
                task.go_round(now_ms, stalled, limit)

    def run(self, begin_ms: int, end_ms: int, *, every_ms: int = 1_000) -> None:
        """Let time pass with nothing in the way."""
        for now_ms in range(begin_ms, end_ms + 1, every_ms):
            self.tick(now_ms)

    def end(self, source: Source, now_ms: int) -> int:
        """Return how many records a log holds by now."""
        return bisect_right(self.arrivals.get(source, ()), now_ms)

    def is_read(self, now_ms: int) -> bool:
        """Tell whether every task has read and taken all that there is."""
        return all(
            task.is_caught_up(source, now_ms) and not task.order.waiting(source)
            for task in self.tasks
            for source in task.position
        )

    def restart(self, partition: int) -> None:
        """Give a task to a new owner, who knows the changelog and the committed offsets."""
        old = self.tasks[partition]
        self.tasks[partition] = new = Run(self, partition)
        new.state.restore(old.changelog)
        new.changelog = old.changelog
        newest = {(topic, p): ts for topic, p, ts in new.state.progress.newest}
        new.order = StreamOrder({source: newest.get(source, 0) for source in new.position})
        new.position, new.totals_read = old.committed, old.totals_read

    def newest_rows(self) -> dict[Identity, ConversionRow]:
        """Return the newest row of each key; AssertionError when a revision is not the next."""
        newest: dict[Identity, ConversionRow] = {}
        for _, row in self.rows:
            before = newest.get(identity(row))
            assert row.revision == (before.revision if before else 0) + 1, (before, row)
            newest[identity(row)] = row
        return newest


class Run:
    """One task while one worker has it."""

    def __init__(self, site: Site, partition: int) -> None:
        self.site = site
        self.partition = partition
        self.state = State(partition, site.partitions, site.policy)
        mine = [(topic, partition) for topic in VIEWER_TOPICS]
        sources = [*mine, *((HOST, p) for p in range(site.partitions))]
        self.position = dict.fromkeys(sources, 0)
        self.committed = dict(self.position)
        self.order = StreamOrder(dict(self.position))
        self.changelog: dict[bytes, bytes] = {}
        self.totals_read = 0
        self.last_arrival_ms: dict[str, int] = {}

    def go_round(self, now_ms: int, stalled: Collection[Source], limit: int | None) -> None:
        """Fetch what there is, and do with it what a task does."""
        for source in self.position:
            if source not in stalled:
                self._fetch(source, now_ms, limit)
        arrivals = self.order.take(lambda source: self.is_caught_up(source, now_ms))
        results = Results()
        for run in by_tick(arrivals, self.site.policy.publish_every_ms):
            results.add(self._settled(pipeline.step(self.state, run)))
        results.add(
            self._settled(
                pipeline.advance(
                    self.state,
                    self._newest(),
                    self._quiet_ms(now_ms),
                    lagging=self._is_lagging(now_ms),
                )
            )
        )
        results.add(self._merged())
        self._commit(results, now_ms)

    def is_caught_up(self, source: Source, now_ms: int) -> bool:
        """Tell whether a log was read to its end."""
        return self.position[source] == self.site.end(source, now_ms)

    def _fetch(self, source: Source, now_ms: int, limit: int | None) -> None:
        begin, end = self.position[source], self.site.end(source, now_ms)
        if begin < end:
            batch = self.site.logs[source][
                begin : end if limit is None else min(end, begin + limit)
            ]
            decoded = DECODERS[source[0]].decode([record.value for record in batch])
            self.order.push(source, admit(decoded, batch, self.state.policy))
            self.position[source] = begin + len(batch)
            self.last_arrival_ms[source[0]] = now_ms

    def _newest(self) -> dict[str, int]:
        return {topic: ts for (topic, _), ts in self.order.newest().items() if topic != HOST}

    def _quiet_ms(self, now_ms: int) -> dict[str, int]:
        return {
            topic: now_ms - self.last_arrival_ms.setdefault(topic, now_ms)
            for topic in VIEWER_TOPICS
            if self.is_caught_up((topic, self.partition), now_ms)
        }

    def _is_lagging(self, now_ms: int) -> bool:
        """Tell whether any log was not read to its end."""
        return not all(self.is_caught_up(source, now_ms) for source in self.position)

    def _settled(self, results: Results) -> Results:
        ledger = self.site.ledger
        answers = [ledger.reserve(choice.reservation) for choice in results.choices]
        pipeline.settle(self.state, results, answers)
        for release in results.releases:
            ledger.release(release)
        return results

    def _merged(self) -> Results:
        news = self.site.totals[self.partition][self.totals_read :]
        self.totals_read += len(news)
        results = pipeline.merge(self.state, [_unpack(one) for one in news])
        results.add(pipeline.show(self.state))
        return results

    def _commit(self, results: Results, now_ms: int) -> None:
        for key, value in self.state.puts(self.order.newest()):
            if value is None:
                self.changelog.pop(key, None)
            else:
                self.changelog[key] = value
        waiting = {source: self.order.first_waiting(source) for source in self.position}
        self.committed = {
            source: read if (first := waiting[source]) is None else first
            for source, read in self.position.items()
        }
        for total in results.totals:
            to = partition_of(total.session_id, self.site.partitions)
            self.site.totals[to].append(_pack(total))
        for mark in results.marks:
            for log in self.site.totals:
                log.append(_pack(mark))
        self.site.rows += [(now_ms, row) for row in results.rows]
        results.totals, results.marks, results.rows = [], [], []
        self.site.results.add(results)


def identity(row: ConversionRow) -> Identity:
    """Return which row it is; the start of a whole session's row may still move."""
    start = 0 if row.window == "session" else row.start
    return row.session_id, row.scope, row.scope_id, row.window, start


def span(site: Site) -> tuple[int, int]:
    """Return when the first and when the last record came."""
    times = [ts for log in site.arrivals.values() for ts in log]
    return min(times), max(times)


def rest(site: Site, now_ms: int) -> Site:
    """Let time pass in silence until every window has closed."""
    for second in (0, 4, 5, 6, 20, 40, 60, 61, 120, 300, 400, 700, 702, 704, 706, 708):
        site.tick(now_ms + 1_000 * second)
    return site


def provisional(site: Site) -> list[Identity]:
    """Return the rows that are still open."""
    rows = site.newest_rows().items()
    return [key for key, row in rows if row.status == "provisional"]


def statuses(rows: Sequence[tuple[int, ConversionRow]]) -> dict[Identity, list[str]]:
    """Return what each row was published as, in order."""
    said: defaultdict[Identity, list[str]] = defaultdict(list)
    for _, row in rows:
        said[identity(row)].append(row.status)
    return dict(said)
