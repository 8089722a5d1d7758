"""Two sessions whose producers' clocks are 20 s apart: neither notices the other."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs, to_builtins

from schemas import events as ev
from schemas.events import Event
from streams.policy import Policy
from tests.streams.clockwork import Site, statuses
from tests.streams.stories import Deed, deeds, logs, tell
from tests.streams.world import T0, Identity, event

APART_MS = 20_000
SLOW, RIGHT = "s1", "right"
#: One for each of two tasks.
VIEWERS = ("w0", "w2")
#: Neither events nor what is due fall into the second by which the two clocks are not apart
#: exactly 20 s: between the events of the right one.
_deeds = deeds(longest_s=35, grid_s=5, max_size=9)
#: Nobody is ever at risk: that is a matter of degrees, and of who else left a second before.
CALM = Policy(churn_on=1.0)
Told = Sequence[tuple[Event, int]]


def shop(session_id: str, ends_s: int) -> list[Event]:
    """Return what the host of a session says."""
    room = {"session_id": session_id, "currency": "CNY"}
    goods = [
        event(ev.ProductListed, 0.3, product_id=p, price=1_000, stock=9, **room)
        for p in ("p1", "p2", "p3")
    ]
    terms = {"offer_id": "off", "kind": "amount_off", "value": 100, "budget": 1_000_000}
    offer = event(ev.OfferListed, 0.4, valid_until=T0 + 3_600_000, **terms, **room)
    ended = event(ev.SessionEnded, ends_s, session_id=session_id)
    return [event(ev.SessionStarted, 0.2, **room), *goods, offer, ended]


@cache
def right(ends_s: int) -> Told:
    """Return a session whose clock is right; there is an event every second in every task."""
    beats = [
        event(ev.Heartbeat, second + 0.1, session_id=RIGHT, viewer_id=viewer)
        for second in range(-20, ends_s + 60)
        for viewer in VIEWERS
    ]
    return [(one, 0) for one in (*beats, *shop(RIGHT, ends_s + 60))]


def slow(drawn: Sequence[Deed]) -> tuple[Told, int]:
    """Return a session whose events all say 20 s less than it is, and the second of its end.

    It ends 40 s after the minute in which the last thing happens.
    """
    told = [structs.replace(one, session_id=SLOW) for one in tell(drawn, begin_s=5)]
    ends_s = 60 * ((told[-1].ts - T0) // 60_000 + 1) + 40
    return [(one, APART_MS) for one in (*told, *shop(SLOW, ends_s))], ends_s


def site_of(*told: Told, tasks: int, ends_s: int) -> Site:
    """Let sessions happen side by side, and wait until all is over; returns the site."""
    records = logs([one for session in told for one in session], tasks=tasks)
    site = Site(records, tasks=tasks, policy=CALM)
    site.run(T0 - 20_500, T0 + 1_000 * (ends_s + 80))
    for second in (85, 86, 100, 200, 400, 402, 404, 406):
        site.tick(T0 + 1_000 * (ends_s + second))
    return site


def said(site: Site, session_id: str) -> dict[str, Any]:
    """Return everything that was said of a session in the end."""
    results = site.results
    lists: tuple[list[Any], ...] = (
        results.coupons,
        results.recommendations,
        results.decisions,
        results.churn,
    )
    found: dict[str, Any] = {
        type(one).__name__ + str(i): [to_builtins(x) for x in many if x.session_id == session_id]
        for i, many in enumerate(lists)
        for one in many[:1]
    }
    found["left"] = [one for one in results.left if one[0] == session_id]
    rows: dict[Identity, Any] = {}
    for key, row in site.newest_rows().items():
        if key[0] == session_id:
            rows[key] = to_builtins(structs.replace(row, revision=0))
    return {name: sorted(many, key=str) for name, many in found.items() if many} | {"rows": rows}


@given(_deeds, st.integers(1, 2))
def test_a_slow_clock_beside_a_right_one(drawn: list[Deed], tasks: int) -> None:
    """Triggers, decisions, risks, leavers and rows of the slow session are as if it were alone."""
    told, ends_s = slow(drawn)
    both = site_of(told, right(ends_s), tasks=tasks, ends_s=ends_s)
    alone = site_of(told, tasks=tasks, ends_s=ends_s)
    assert said(both, SLOW) == said(alone, SLOW)


@given(_deeds, st.integers(1, 2))
def test_a_right_clock_beside_a_slow_one(drawn: list[Deed], tasks: int) -> None:
    """The session whose clock is right does not wait for the other."""
    told, ends_s = slow(drawn)
    both = site_of(told, right(ends_s), tasks=tasks, ends_s=ends_s)
    assert said(both, RIGHT) == right_alone(tasks, ends_s)


@cache
def right_alone(tasks: int, ends_s: int) -> dict[str, Any]:
    """Return what is said of the session whose clock is right when there is no other."""
    return said(site_of(right(ends_s), tasks=tasks, ends_s=ends_s), RIGHT)


def test_a_slow_session_is_judged_by_its_own_clock() -> None:
    """One viewer, 20 s behind: no coupon for a cart that is 20 s old, and 45 s is not gone.

    Its panes stay open for its own events, so that none of them is a correction.
    """
    second, told = 5.0, []
    for kind, pause in (
        (0, 0),
        (1, 10),
        (7, 1),
        (1, 9),
        (8, 6),
        (1, 10),
        (1, 10),
        (1, 45),
        (1, 10),
    ):
        told.append((kind, "v1", SLOW, "p1", pause))
        second += pause
    told += [(1, "v1", SLOW, "p1", 10)] * 15
    story, ends_s = slow(told)
    both = site_of(story, right(ends_s), tasks=1, ends_s=ends_s)
    assert [one for one in both.results.coupons if one.session_id == SLOW] == []
    assert both.results.left.count((SLOW, "v1")) == 1  # after its last heartbeat
    watched = both.newest_rows()[SLOW, "session", SLOW, "session", 0].rates["avg_watch_s"]
    assert watched.numerator == 1_000 * (second + 150 - 5 + 0)
    early = [key for key, said_as in statuses(both.rows).items() if "correction" in said_as]
    assert [key for key in early if key[0] == SLOW and key[3] != "session"] == []
