"""Visits sleep as bytes between commits, and nobody who looks at them can tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from streams.sleeping import Visits
from streams.state import UNSCORED, CartLine, Visit
from streams.timers import NEVER

LINE = CartLine(1, 1_000, 5, "e1")
_carts = st.one_of(st.none(), st.just({"p1": LINE}))
_visits = st.builds(
    Visit,
    due=st.one_of(st.just(NEVER), st.integers(1 << 32, 1 << 42)),
    risk=st.integers(0, UNSCORED),
    cart=_carts,
    last=st.integers(0, 1 << 42),
    recent=st.binary(max_size=64),
)


def asleep(**known: Visit) -> Visits:
    """Return visits after a commit."""
    visits = Visits()
    for viewer_id, visit in known.items():
        visits.add(viewer_id, visit)
    list(visits.sleep())
    return visits


@given(_visits)
def test_a_visit_wakes_as_it_fell_asleep(visit: Visit) -> None:
    """Equal in every field, and writing it again writes the same."""
    visits = asleep(v1=visit)
    assert visits["v1"] == visit
    assert list(visits.sleep()) == []


@given(_visits)
def test_a_restored_visit_tells_its_timer_and_its_risk(visit: Visit) -> None:
    """The head of the value is read without decoding the rest."""
    restored = Visits()
    assert restored.restore("v1", msgpack.encode(visit)) == (visit.due, visit.risk)
    assert restored == asleep(v1=visit)
    assert [viewer_id for viewer_id, _ in restored.carted()] == (["v1"] if visit.cart else [])


def test_only_what_changed_is_written() -> None:
    """Who was looked at and left alone is not written again, nor is a timer that was moved."""
    visits = asleep(v1=Visit(), v2=Visit(), v3=Visit())
    visits["v1"].last = 7
    visits["v2"].due = 1 << 41
    assert visits["v3"].last == 0
    assert [viewer_id for viewer_id, _ in visits.sleep()] == ["v1"]
    assert visits["v2"].due == 1 << 41


def test_a_cart_is_found_asleep_and_awake_and_not_once_it_is_empty() -> None:
    """Who is sold out is asked of the carts alone, never of all viewers."""
    visits = asleep(v1=Visit(cart={"p1": LINE}), v2=Visit(), v3=Visit(cart={"p1": LINE}))
    visits["v2"].cart = {"p1": LINE}
    visits["v3"].cart = None
    assert {viewer_id for viewer_id, _ in visits.carted()} == {"v1", "v2"}
    list(visits.sleep())
    assert {viewer_id for viewer_id, _ in visits.carted()} == {"v1", "v2"}


def test_a_dropped_visit_is_gone_asleep_or_awake() -> None:
    """And it is nowhere counted."""
    visits = asleep(v1=Visit(cart={"p1": LINE}))
    visits.add("v2", Visit())
    for viewer_id in ("v1", "v2"):
        visits.drop(viewer_id)
    assert (len(visits), list(visits), list(visits.glance()), list(visits.carted())) == (
        0, [], [], [],
    )  # fmt: skip


def test_a_glance_wakes_nobody() -> None:
    """Else looking at a big room would cost a write of everybody."""
    visits = asleep(v1=Visit(), v2=Visit())
    assert dict(visits.glance()) == {"v1": Visit(), "v2": Visit()}
    assert not visits.is_changed()


@pytest.mark.parametrize(
    "value",
    [b"", b"\xc0", msgpack.encode(Visit())[:-1], msgpack.encode(Visit()) + b"\0",
     msgpack.encode([1] * 20), msgpack.encode({"due": 1})],
)  # fmt: skip
def test_what_is_no_visit_is_not_restored(value: bytes) -> None:
    """Cut short, too long, or something else."""
    with pytest.raises((ValueError, IndexError)):
        Visits().restore("v1", value)
