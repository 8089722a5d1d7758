"""Recommendations: the chain of sources, the cap, and what is never recommended."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, msgpack

from schemas.results import Suggestion
from streams import affinity, decide
from streams.choices import Refusal
from streams.policy import Policy
from streams.session import Session
from streams.state import Affinity, Shelf, Visit
from streams.totals import CARTED, CLICKED, ORDERED, PANE_MS, UNITS, product_row
from tests.streams.builders import NOW, did, recommendation_proposal, session, shop, visit

POLICY = Policy()


def recommend(
    room: Session, one: Visit, *seeds: str, now: int = NOW, avoid: tuple[str, ...] = ()
) -> tuple[Suggestion, ...] | Refusal:
    """Decide on a recommendation."""
    proposal = recommendation_proposal(*seeds, avoid=avoid, at=now)
    return decide.recommendation(room, one, proposal, now, POLICY)


def sell(room: Session, product_id: str, units: int, at: int = NOW) -> None:
    """Note that so many pieces were sold."""
    product_row(room.pane(at // PANE_MS), product_id)[UNITS] += units


def click_together(room: Session, *products: str) -> None:
    """Let one viewer click the products."""
    one = Visit()
    for product_id in products:
        affinity.learn(room, one, product_id, affinity.CLICK)
        did(one, product_id, CLICKED)


def test_the_chain_is_similar_then_best_sellers_then_the_pin() -> None:
    """Each source fills what the one before has left, and is named."""
    room = session(a=1, b=1, c=1, d=1, e=1)
    click_together(room, "a", "b")
    sell(room, "c", 3)
    sell(room, "b", 9)
    room.shelf.pinned = "d"
    found = recommend(room, visit(), "a", avoid=("a",))
    assert isinstance(found, tuple)
    assert [(one.product_id, one.source) for one in found] == [
        ("b", "co_click"),
        ("c", "best_seller"),
        ("d", "pinned"),
    ]
    assert found[1].score == 0.25


def test_best_sellers_are_those_of_the_last_five_minutes() -> None:
    """A pane that is 30 panes old is out, the one after it is in."""
    room = session(a=1, b=1)
    sell(room, "a", 100, NOW - 300_000)
    sell(room, "b", 1, NOW - 290_000)
    found = recommend(room, visit())
    assert isinstance(found, tuple)
    assert [one.product_id for one in found] == ["b"]


def test_nothing_to_recommend_is_a_reason() -> None:
    """An empty shelf refuses and does not count for the cap."""
    one = visit()
    assert recommend(session(), one) == Refusal("no_candidate")
    assert one.recommended is None


def _ended(room: Session, _one: Visit) -> None:
    room.shelf.ended = NOW


def _gone(_room: Session, one: Visit) -> None:
    one.present = False


@pytest.mark.parametrize(
    ("spoil", "reason"), [(_ended, "session_ended"), (_gone, "not_present")], ids=["ended", "gone"]
)
def test_nobody_to_recommend_to(spoil: Callable[[Session, Visit], None], reason: str) -> None:
    """After the broadcast, or to an absent viewer, nothing is recommended."""
    room, one = shop(), visit()
    room.shelf.pinned = "a"
    spoil(room, one)
    assert recommend(room, one) == Refusal(reason)


@given(st.lists(st.integers(0, 200_000), max_size=40))
def test_at_most_six_recommendations_in_any_ten_minutes(gaps: list[int]) -> None:
    """The cap holds for every window, and what is refused does not count."""
    room, one, now = shop(), visit(), NOW
    room.shelf.pinned = "a"
    times: list[int] = []
    for gap in gaps:
        now += gap
        within = [at for at in times if at > now - POLICY.recommendation_window_ms]
        if isinstance(recommend(room, one, now=now), tuple):
            times.append(now)
            assert len(within) < POLICY.recommendations_per_window
        else:
            assert len(within) == POLICY.recommendations_per_window


def test_the_cap_forgets_after_exactly_ten_minutes() -> None:
    """The seventh has to wait until the first is ten minutes old."""
    room, one = shop(), visit()
    room.shelf.pinned = "a"
    one.recommended = [NOW] * POLICY.recommendations_per_window
    end = NOW + POLICY.recommendation_window_ms
    assert recommend(room, one, now=end - 1) == Refusal("window_cap")
    assert isinstance(recommend(room, one, now=end), tuple)
    assert one.recommended == [end]


products = st.sampled_from("abcdefgh")


class Situation(Struct):
    """All that a recommendation depends on."""

    stock: dict[str, int]
    walks: list[list[str]]
    sold: dict[str, int]
    pinned: str | None
    carted: list[str]
    ordered: list[str]
    avoid: list[str]
    seeds: list[str]


some = st.lists(products, unique=True)
situations = st.builds(
    Situation,
    stock=st.dictionaries(products, st.integers(0, 2)),
    walks=st.lists(some, max_size=6),
    sold=st.dictionaries(products, st.integers(0, 5)),
    pinned=st.none() | products,
    carted=some,
    ordered=some,
    avoid=some,
    seeds=some,
)


def build(now: Situation) -> tuple[Session, Visit]:
    """Return the session and the visit that are in this situation."""
    room, one = session(**now.stock), visit(carted=tuple(now.carted))
    for walk in now.walks:
        click_together(room, *walk)
    for product_id, units in now.sold.items():
        sell(room, product_id, units)
    room.shelf.pinned = now.pinned
    for product_id in now.ordered:
        did(one, product_id, ORDERED)
    return room, one


@given(situations)
def test_recommended_is_only_what_can_and_should_be_bought(now: Situation) -> None:
    """Never sold out, unlisted, bought, carted, avoided or twice; nothing if that is all."""
    found = recommend(*build(now), *now.seeds, avoid=tuple(now.avoid))
    taboo = {*now.carted, *now.ordered, *now.avoid}
    if isinstance(found, Refusal):
        assert found.reason == "no_candidate"
        assert now.pinned in taboo | {None} or not now.stock.get(now.pinned or "", 0)
        return
    names = [suggestion.product_id for suggestion in found]
    assert 1 <= len(names) == len(set(names)) <= POLICY.suggestions
    assert all(now.stock.get(name, 0) > 0 for name in names)
    assert not taboo & set(names)


@given(situations)
def test_a_restored_state_recommends_the_same(now: Situation) -> None:
    """Same input, same output, also after a way through the changelog."""
    room, one = build(now)
    restored_room, restored = Session("s1"), msgpack.decode(msgpack.encode(one), type=Visit)
    restored_room.shelf = msgpack.decode(msgpack.encode(room.shelf), type=Shelf)
    restored_room.panes = dict(reversed(room.panes.items()))
    restored_room.affinity = {
        p: msgpack.decode(msgpack.encode(known), type=Affinity)
        for p, known in reversed(room.affinity.items())
    }
    assert recommend(room, one, *now.seeds) == recommend(restored_room, restored, *now.seeds)
    assert restored == one


def test_a_product_that_was_carted_once_may_be_recommended_again() -> None:
    """Only what is in the cart now, or was ordered, is left out."""
    room, one = session(a=1), visit()
    room.shelf.pinned = "a"
    did(one, "a", CARTED)
    assert isinstance(recommend(room, one), tuple)
