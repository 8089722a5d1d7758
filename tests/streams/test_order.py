"""Stream-time order: a function of the logs alone, however they are cut into batches."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import Rejection
from schemas.events import Event, Heartbeat
from streams.order import Source, StreamOrder
from streams.records import Arrival, Record

A, B, C = ("a", 0), ("b", 0), ("b", 1)
#: Times of one log; None stands for a refused record.
Log = list[int | None]


def arrival(source: Source, offset: int, ts: int | None) -> Arrival:
    """Make an arrival; its offset tells it from all others of its source."""
    topic, partition = source
    event: Event | Rejection = Rejection("invalid_json", "byte 0")
    if ts is not None:
        event = Heartbeat(id=f"{source}-{offset}", ts=ts, session_id="s", viewer_id="v")
    return event, Record(topic, partition, offset, 0, None, b"")


class Reader:
    """Reads logs piece by piece through a StreamOrder, and knows which are read to the end."""

    def __init__(self, logs: dict[Source, Log], newest: dict[Source, int] | None = None) -> None:
        self.logs = {
            source: [arrival(source, i, ts) for i, ts in enumerate(log)]
            for source, log in logs.items()
        }
        self.read = dict.fromkeys(logs, 0)
        self.order = StreamOrder(newest or dict.fromkeys(logs, 0))
        self.taken: list[Arrival] = []

    def fetch(self, source: Source, count: int) -> None:
        """Push so many records of a log."""
        begin = self.read[source]
        batch = self.logs[source][begin : begin + count]
        self.order.push(source, batch)
        self.read[source] = begin + len(batch)

    def is_caught_up(self, source: Source) -> bool:
        """Tell whether the log has been read to its end."""
        return self.read[source] == len(self.logs[source])

    def take(self) -> None:
        """Take what may be taken."""
        self.taken += self.order.take(self.is_caught_up)

    def finish(self) -> list[Arrival]:
        """Read and take all the rest; returns everything in the order in which it was taken."""
        for source in self.logs:
            self.fetch(source, len(self.logs[source]))
        self.take()
        return self.taken


def times(arrivals: Sequence[Arrival]) -> list[int]:
    """Return the events' own times."""
    return [event.ts for event, _ in arrivals]


_log = st.lists(st.one_of(st.none(), st.integers(1, 12)), max_size=12)
_logs = st.fixed_dictionaries({A: _log, B: _log, C: _log})
_cuts = st.lists(
    st.tuples(st.sampled_from([A, B, C]), st.integers(0, 5), st.booleans()), max_size=30
)


@given(_logs, _cuts)
@settings(max_examples=80, deadline=None)
def test_the_order_does_not_depend_on_how_the_logs_were_cut(
    logs: dict[Source, Log], cuts: list[tuple[Source, int, bool]]
) -> None:
    """Any batches, taken at any moments, give the order of reading all at once."""
    piecemeal = Reader(logs)
    for source, count, takes in cuts:
        piecemeal.fetch(source, count)
        if takes:
            piecemeal.take()
    assert piecemeal.finish() == Reader(logs).finish()


@given(_logs, _cuts)
@settings(max_examples=80, deadline=None)
def test_nothing_is_lost_or_doubled_and_each_log_keeps_its_order(
    logs: dict[Source, Log], cuts: list[tuple[Source, int, bool]]
) -> None:
    """Each source's arrivals come out once, in the order of its log."""
    reader = Reader(logs)
    for source, count, _ in cuts:
        reader.fetch(source, count)
        reader.take()
    taken = reader.finish()
    for source, log in reader.logs.items():
        assert [a for a in taken if (a[1].topic, a[1].partition) == source] == log


@given(_logs, _cuts)
@settings(max_examples=80, deadline=None)
def test_a_restart_from_the_first_waiting_offsets_goes_on_in_the_same_order(
    logs: dict[Source, Log], cuts: list[tuple[Source, int, bool]]
) -> None:
    """Offsets to go back to and the newest times taken are all that must be kept."""
    before = Reader(logs)
    for source, count, _ in cuts:
        before.fetch(source, count)
        before.take()
    kept = dict.fromkeys(logs, 0) | before.order.newest()
    after = Reader(logs, kept)
    for source in logs:
        first = before.order.first_waiting(source)
        after.read[source] = before.read[source] if first is None else first
    assert before.taken + after.finish() == Reader(logs).finish()


@given(_logs, st.integers(1, 3))
@settings(max_examples=80, deadline=None)
def test_reading_what_lags_always_frees_something(logs: dict[Source, Log], count: int) -> None:
    """Nobody waits for ever: with each round of reading, the hindmost source is emptied."""
    reader = Reader(logs)
    while not all(map(reader.is_caught_up, logs)):
        for source in logs:
            reader.fetch(source, count)
        reader.take()
        assert any(not reader.order.waiting(source) for source in logs)


def test_events_come_by_their_time() -> None:
    """The merge is by event time, over topics and partitions."""
    reader = Reader({A: [10, 40], B: [20, 50], C: [30]})
    assert times(reader.finish()) == [10, 20, 30, 40, 50]


def test_a_late_event_takes_the_place_that_it_has_in_its_log() -> None:
    """It comes after the newer event that stands before it in the log."""
    reader = Reader({A: [10, 40, 5], B: [20, 41]})
    assert times(reader.finish()) == [10, 20, 40, 5, 41]


def test_a_source_that_lags_holds_back_what_it_may_precede() -> None:
    """What is newer than the newest event of a lagging source waits."""
    reader = Reader({A: [10, 20, 30], B: [15, 25]})
    reader.fetch(A, 1)
    reader.fetch(B, 2)
    reader.take()
    assert times(reader.taken) == [10]
    assert reader.order.first_waiting(B) == 0
    assert reader.order.waiting(B) == 2


def test_a_source_that_lags_and_brought_nothing_holds_back_all() -> None:
    """Its next event may be the oldest."""
    reader = Reader({A: [10], B: [5]})
    reader.fetch(A, 1)
    reader.take()
    assert reader.taken == []


def test_a_source_of_refused_records_only_frees_the_others_when_it_is_read() -> None:
    """Records without a time hold nothing back once their log has been read."""
    reader = Reader({A: [None] * 1_000, B: [10, 20]})
    reader.fetch(B, 2)
    for _ in range(10):
        reader.fetch(A, 100)
        reader.take()
        assert reader.order.waiting(A) == 0
    assert times(reader.taken) == [0] * 1_000 + [10, 20]


def test_a_source_of_one_timestamp_does_not_wait_for_its_end() -> None:
    """A long run of one time is taken as it is read."""
    reader = Reader({A: [7] * 1_000, B: [7, 8]})
    reader.fetch(B, 2)
    for round_number in range(1, 10):
        reader.fetch(A, 100)
        reader.take()
        assert len(reader.taken) == 100 * round_number


def test_no_offset_waits_when_everything_was_taken() -> None:
    """Then the position after the last record is where to go on."""
    reader = Reader({A: [10, 20]})
    reader.finish()
    assert reader.order.first_waiting(A) is None
    assert reader.order.newest() == {A: 20}
