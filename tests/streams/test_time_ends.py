"""A session that ends says its last word without waiting for anybody."""

from hypothesis import example, given
from hypothesis import strategies as st

from schemas import events as ev
from streams.policy import Policy
from tests.streams.batch import batch
from tests.streams.clockwork import Site, identity, span
from tests.streams.outcome import assert_batch
from tests.streams.stories import SESSIONS, Deed, deeds, evening, punctual
from tests.streams.world import T0, World

#: While events still come, a topic that has just fallen silent is waited for.
BUSY_MS = 7_000
LIMIT_MS = Policy().grace_ms + 5_000


@given(deeds(max_size=12), st.integers(1, 3))
def test_the_row_of_an_ended_session_is_final_in_time(drawn: list[Deed], tasks: int) -> None:
    """Within grace + 5 s of its end, with no event after it, and it says the batch answer."""
    site = Site(punctual(evening(drawn), tasks=tasks), tasks=tasks)
    begin, end = span(site)
    site.run(begin, end + LIMIT_MS, every_ms=500)
    rows = {key: row for key, row in site.newest_rows().items() if key[3] == "session"}
    assert {row.status for row in rows.values()} <= {"final", "correction"}
    wanted = batch(r for log in site.logs.values() for r in log)
    assert_batch(rows, {key: told for key, told in wanted.items() if key[3] == "session"})


#: The topic that holds the watermark back falls silent while stream time stands still.
HELD_BACK: list[Deed] = [
    (0, "v5", "s1", "p1", 2.5), (0, "v5", "s1", "p1", 17.0), (8, "v1", "s1", "p1", 2.5)
]  # fmt: skip


@given(deeds(max_size=12), st.integers(1, 2))
@example(HELD_BACK, 2)
def test_every_row_of_an_ended_session_is_final_in_time(drawn: list[Deed], tasks: int) -> None:
    """Each within grace + 5 s of its own window's end; a little later where events went on."""
    site = Site(punctual(evening(drawn), tasks=tasks), tasks=tasks)
    begin, end = span(site)
    site.run(begin, end + 650_000)
    finals = {identity(row): now - row.end for now, row in site.rows if row.status == "final"}
    assert finals.keys() == site.newest_rows().keys()
    assert {key[0] for key in finals} <= set(SESSIONS)
    assert max(finals.values()) <= LIMIT_MS + BUSY_MS


def test_a_session_that_starts_again_has_the_last_word_of_its_real_end() -> None:
    """Until then its row comes as often as that of any session, as a correction."""
    world = World()
    world.says(ev.SessionStarted, 0)
    world.says(ev.LikesSent, 1)
    world.says(ev.SessionEnded, 20)
    world.wait(60)
    world.says(ev.SessionStarted, 70)
    for tenth in range(40):
        world.says(ev.LikesSent, 71 + tenth / 10)
    world.says(ev.SessionEnded, 82)
    world.wait(82 + LIMIT_MS / 1000)
    told = [row for row in world.results.rows if (row.scope, row.window) == ("session",) * 2]
    states = [row.status for row in told]
    before = states.index("final")
    assert set(states[before + 1 :]) == {"correction"}
    assert len(told) - before - 1 <= 1 + 5 + 1  # the start, five seconds of likes, the end
    assert (told[-1].counts["LikesSent"], told[-1].end) == (41, T0 + 82_000)
