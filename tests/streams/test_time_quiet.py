"""A quiet room: its panes become final in time, although no event comes any more."""

from hypothesis import example, given
from hypothesis import strategies as st

from schemas import events as ev
from streams.policy import Policy
from streams.watermark import Watermark
from tests.streams.clockwork import Site, identity, span
from tests.streams.stories import Deed, deeds, punctual, tell
from tests.streams.world import T0, event

LIMIT_MS = Policy().grace_ms + 5_000
TICK_MS = 250
QUIET_MS = 90_000
OWNER_MS = Policy().idle_ms + 1_000
#: Task p gets a new owner so many seconds after the last event.
_restarts = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60)), max_size=3)


@given(deeds(max_size=8), _restarts, st.integers(1, 3), st.sampled_from([0, 1]))
def test_panes_of_a_quiet_room_are_final_in_time(
    drawn: list[Deed], restarts: list[tuple[int, int]], tasks: int, hosts: int
) -> None:
    """Within grace + 5 s of their end, announced or not.

    A new owner waits 5 s before it trusts the silence.
    """
    events = tell(drawn)
    events[:0] = [event(ev.SessionStarted, 0)] * hosts
    site = Site(punctual(events, tasks=tasks), tasks=tasks)
    begin, end = span(site)
    handed_over = {end + 1_000 * second: p for p, second in restarts if p < tasks}
    for now_ms in range(begin, end + QUIET_MS, TICK_MS):
        if now_ms in handed_over:
            site.restart(handed_over[now_ms])
        site.tick(now_ms)
    took = LIMIT_MS + OWNER_MS * len(handed_over)
    closed = {identity(row): now for now, row in site.rows if row.status == "final"}
    for key, row in site.newest_rows().items():
        if row.window != "session" and end <= row.end <= end + QUIET_MS - took:
            assert closed[key] <= row.end + took


#: Time that passes, in ms, and what happens then: nothing, an event, or a moment of lag.
_moments = st.lists(
    st.tuples(
        st.integers(1, 9_000), st.sampled_from(["", "visits", "likes"]),
        st.sets(st.sampled_from(["visits", "likes"])),
    ),
    max_size=40,
)  # fmt: skip


@given(_moments)
@example([(1, "visits", set()), (60_000, "", set()), (50, "", {"visits"}), (50, "", set())])
def test_the_watermark_never_overtakes_time(moments: list[tuple[int, str, set[str]]]) -> None:
    """However events, silence and moments of lag follow each other, no time counts twice."""
    watermark, now_ms = Watermark(Policy()), T0
    newest: dict[str, int] = {}
    for passed_ms, topic, lagging in moments:
        now_ms += passed_ms
        if topic:
            newest[topic] = now_ms
        quiet_ms = {one: now_ms - ts for one, ts in newest.items() if one not in lagging}
        reached = watermark.advance(newest, quiet_ms, lagging=bool(lagging))
        assert reached is None or reached <= now_ms - Policy().watermark_bound_ms
