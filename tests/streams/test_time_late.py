"""Late events: corrections with rising revisions, and in the end the batch answer."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from schemas import events as ev
from tests.streams.batch import batch
from tests.streams.clockwork import Site, statuses
from tests.streams.outcome import assert_batch
from tests.streams.stories import Deed, deeds, logs, tell
from tests.streams.world import T0, event

#: How late an event is, in s: mostly not, or a little, or after its window was closed.
_delays = st.sampled_from([0, 0, 0, 0.5, 1.9, 12, 45, 130, 290])
#: Later than this, people count for the whole session only (README, limits).
_hours = st.sampled_from([0, 0, 45, 1_200, 7_200, 20_000])


def play(site: Site, end_s: float) -> None:
    """Let time pass until all is said; in wide steps where nothing comes."""
    for now_ms in sorted({t + 999 for log in site.arrivals.values() for t in log}):
        site.tick(now_ms)
    begin = max(t for log in site.arrivals.values() for t in log)
    for second in (2, 5, 6, 60, 120, 240, 400, 401, end_s):
        site.tick(begin + round(second * 1000))


@given(deeds(), st.lists(_hours, min_size=50, max_size=50), st.integers(1, 2))
def test_hours_late_still_counts(drawn: list[Deed], delays: Sequence[float], tasks: int) -> None:
    """Counts and money of every window; people of the whole session."""
    events = tell(drawn)
    late = [(one, round(1000 * s)) for one, s in zip(events, delays, strict=False)]
    site = Site(logs(late, tasks=tasks), tasks=tasks)
    play(site, 402)
    wanted = batch(r for log in site.logs.values() for r in log)
    assert_batch(site.newest_rows(), wanted, people_of_windows=False)


@given(deeds(), st.lists(_delays, min_size=50, max_size=50))
def test_a_row_is_provisional_then_final_then_corrected(
    drawn: list[Deed], delays: Sequence[float]
) -> None:
    """In this order, each publication with the next revision (``newest_rows`` looks at that)."""
    late = [(one, round(1000 * s)) for one, s in zip(tell(drawn), delays, strict=False)]
    site = Site(logs(late))
    play(site, 402)
    site.newest_rows()
    for key, said in statuses(site.rows).items():
        open_rows = said.count("provisional")
        finals = ["final"] if len(said) > open_rows else []
        assert said == ["provisional"] * open_rows + finals + ["correction"] * (
            len(said) - open_rows - len(finals)
        ), key


def test_a_like_that_is_a_minute_late_corrects_its_pane() -> None:
    """Two likes: open, final; the third comes 60 s later: a correction with the next revision."""
    likes = [(event(ev.LikesSent, second, count=2), 0) for second in (1, 30, 60, 75)]
    late = (event(ev.LikesSent, 2, count=1), 60_000)
    site = Site(logs([*likes, late]))
    play(site, 402)
    rows = [row for _, row in site.rows if row.window == "10s" and row.start == T0]
    said = [
        (row.status, row.revision, row.counts["LikesSent"])
        for row in rows
        if row.scope == "session"
    ]
    assert said[-2:] == [("final", said[-2][1], 2), ("correction", said[-2][1] + 1, 3)]


@given(deeds(), st.lists(_delays, min_size=50, max_size=50), st.integers(1, 3))
def test_whatever_comes_late_the_last_rows_are_the_batch_answer(
    drawn: list[Deed], delays: Sequence[float], tasks: int
) -> None:
    """Counts, money and people of every window, for events up to five minutes late."""
    events = tell(drawn)
    late = [(one, round(1000 * s)) for one, s in zip(events, delays, strict=False)]
    site = Site(logs(late, tasks=tasks), tasks=tasks)
    play(site, 402)
    assert_batch(site.newest_rows(), batch(r for log in site.logs.values() for r in log))
