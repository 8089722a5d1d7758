"""Stream-time order: the events of all topics, merged by when they happened.

Inside a topic the order of the log is kept: an event that is older than one before it takes
that one's place in time. A source that still has records to be read holds back what might
come after them, so that catching up after an outage gives the order of running live.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, islice

from streams.records import Arrival

#: A topic, or a topic's partition where a task reads several of them.
Source = tuple[str, int]


class _Waiting:
    """The arrivals of one source that were not taken yet, with their place in time."""

    __slots__ = ("arrivals", "places", "taken")

    def __init__(self, newest: int) -> None:
        self.arrivals: list[Arrival] = []
        self.places: list[int] = []
        self.taken = newest

    def push(self, arrivals: Sequence[Arrival]) -> None:
        times = (event.ts for event, _ in arrivals)
        newest = self.places[-1] if self.places else self.taken
        self.places += islice(accumulate(times, max, initial=newest), 1, None)
        self.arrivals += arrivals

    def cut(self, before: int | None) -> tuple[list[Arrival], list[int]]:
        end = len(self.places) if before is None else bisect_left(self.places, before)
        taken = self.arrivals[:end], self.places[:end]
        if end:
            self.taken = self.places[end - 1]
        del self.arrivals[:end]
        del self.places[:end]
        return taken


class StreamOrder:
    """Holds what has arrived until nothing older can come from the log."""

    def __init__(self, newest: Mapping[Source, int]) -> None:
        """Begin with each source and the newest time that was already taken from it, or 0."""
        self._waiting = {source: _Waiting(newest[source]) for source in sorted(newest)}

    def push(self, source: Source, arrivals: Sequence[Arrival]) -> None:
        """Add arrivals of a source in the order of its log."""
        self._waiting[source].push(arrivals)

    def first_waiting(self, source: Source) -> int | None:
        """Return the offset of the first record that was not taken yet."""
        arrivals = self._waiting[source].arrivals
        return arrivals[0][1].offset if arrivals else None

    def waiting(self, source: Source) -> int:
        """Return how many arrivals of the source wait."""
        return len(self._waiting[source].arrivals)

    def newest(self) -> dict[Source, int]:
        """Return the newest time taken from each source that has brought an event."""
        return {source: w.taken for source, w in self._waiting.items() if w.taken}

    def take(self, caught_up: Callable[[Source], bool]) -> list[Arrival]:
        """Return, in order, all arrivals that nothing in the log can precede any more.

        At one time the sources come in their own order. So of the events at the very bound
        those of later sources wait: the lagging one may bring more of that time.
        """
        bound = self._bound(caught_up)
        places: list[int] = []
        arrivals: list[Arrival] = []
        for rank, waiting in enumerate(self._waiting.values()):
            if waiting.arrivals:
                more, at = waiting.cut(None if bound is None else bound[0] + (rank <= bound[1]))
                arrivals += more
                places += at
        # The concatenation is a few sorted runs, which timsort merges in linear time.
        return [arrivals[i] for i in sorted(range(len(places)), key=places.__getitem__)]

    def _bound(self, caught_up: Callable[[Source], bool]) -> tuple[int, int] | None:
        """Return place and rank of the last event that is known of the hindmost lagging source."""
        return min(
            (
                (w.places[-1] if w.places else w.taken, rank)
                for rank, (source, w) in enumerate(self._waiting.items())
                if not caught_up(source)
            ),
            default=None,
        )


def by_tick(arrivals: Sequence[Arrival], tick_ms: int) -> Iterator[Sequence[Arrival]]:
    """Cut ordered arrivals into runs that reach into no more than one tick of stream time.

    Budgets answer between runs: so a backlog, however it was fetched, decides what the same events
    decided when they came one by one. Totals go out after the last run.
    """
    start = tick = 0
    for i, (event, _) in enumerate(arrivals):
        if event.ts >= tick:
            if i > start:
                yield arrivals[start:i]
            start = i
            tick = event.ts - event.ts % tick_ms + tick_ms
    if start < len(arrivals):
        yield arrivals[start:]
