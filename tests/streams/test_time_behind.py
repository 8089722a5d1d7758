"""A worker that is an hour behind says in the end what one says that never was."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs, to_builtins

from tests.streams.clockwork import Site, rest, span
from tests.streams.stories import Deed, deeds, evening, punctual
from tests.streams.world import Identity

HOUR_MS = 3_600_000
#: How many records of each source a worker that catches up reads in each round.
_speeds = st.lists(st.integers(1, 30), min_size=1, max_size=8)


def follow(site: Site) -> Site:
    """Let the tasks work while it all happens, and wait until it is quiet; returns the site."""
    begin, end = span(site)
    site.run(begin, end + 1_000)
    return rest(site, end + 1_000)


def catch_up(site: Site, speeds: list[int]) -> Site:
    """Let the tasks begin an hour after the end, slowly; returns the site."""
    now_ms = span(site)[1] + HOUR_MS
    while not site.is_read(now_ms):
        for limit in speeds:
            site.tick(now_ms, limit=limit)
            now_ms += 50
    return rest(site, now_ms)


def final(site: Site) -> dict[Identity, dict[str, Any]]:
    """Return all that the newest rows say, but for how often they were said before."""
    rows = site.newest_rows().items()
    assert all(row.status != "provisional" for _, row in rows)
    return {key: to_builtins(structs.replace(row, revision=0, status="final")) for key, row in rows}


#: A cart is left alone in a task that hears nothing more: time jumps over its coupon's whole life.
LEFT_ALONE: list[Deed] = [
    (7, "v1", "s1", "p1", 0.75), *[(0, "v0", "s1", "p1", 17.0)] * 8
]  # fmt: skip


@given(deeds(), _speeds, st.integers(1, 3))
@example(LEFT_ALONE, [1], 2)
def test_an_hour_behind_gives_the_same_rows(
    drawn: list[Deed], speeds: list[int], tasks: int
) -> None:
    """Every number of every row: counts, people, money, rates, who was present, start and end."""
    records = punctual(evening(drawn), tasks=tasks)
    live, behind = Site(records, tasks=tasks), Site(records, tasks=tasks)
    assert final(catch_up(behind, speeds)) == final(follow(live))
    assert {t.trigger_id for t in behind.results.coupons} == {
        t.trigger_id for t in live.results.coupons
    }
