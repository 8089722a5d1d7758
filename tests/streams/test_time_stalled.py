"""A partition that stalls closes nothing early: what waits in it is not late when it comes."""

from hypothesis import example, given
from hypothesis import strategies as st

from streams.order import Source
from tests.streams.batch import batch
from tests.streams.clockwork import Site, provisional, rest, span
from tests.streams.outcome import assert_batch
from tests.streams.stories import Deed, deeds, evening, punctual
from tests.streams.world import HOST, VIEWER_TOPICS

TASKS = 2
LAST_STALL_S = 210
_SOURCES = [(topic, p) for topic in (*VIEWER_TOPICS, HOST) for p in range(TASKS)]
#: A source that brings nothing, or a task that does nothing, from a second on, for so long.
_stalls = st.lists(
    st.tuples(st.sampled_from([*_SOURCES, *range(TASKS)]), st.integers(0, 120), st.integers(1, 90)),
    max_size=4,
)
Stall = tuple[Source | int, int, int]


@given(deeds(), _stalls)
@example([(0, "v0", "s1", "p1", 0.0), (0, "v1", "s1", "p1", 0.0)], [(("live.visits", 0), 0, 60)])
@example([(0, "v0", "s1", "p1", 0.0), (0, "v1", "s1", "p1", 0.0)], [(("live.visits", 1), 0, 60)])
@example([(0, v, "s1", "p1", 5.0) for v in ("v0", "v1", "v0", "v1")], [(("live.host", 0), 12, 60)])
def test_stalls_make_no_corrections(drawn: list[Deed], stalls: list[Stall]) -> None:
    """All events come in time, so no row that was final changes, and none says too little."""
    site = Site(punctual(evening(drawn, ends_after_s=400), tasks=TASKS), tasks=TASKS)
    play(site, stalls)
    assert [row for _, row in site.rows if row.status == "correction"] == []
    assert provisional(site) == []
    assert_batch(site.newest_rows(), batch(r for log in site.logs.values() for r in log))


def play(site: Site, stalls: list[Stall]) -> None:
    """Let the tasks work, with stalls in the first three and a half minutes, until all is over."""
    begin, end = span(site)
    for second in range(0, LAST_STALL_S + 1, 2):
        stuck = {what for what, since, length in stalls if since <= second < since + length}
        site.tick(
            begin + 1_000 * second,
            down={what for what in stuck if isinstance(what, int)},
            stalled={what for what in stuck if not isinstance(what, int)},
        )
    rest(site, max(end, begin + 1_000 * LAST_STALL_S))
