"""Proposals: each rule sees its moment, and no cause comes twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import CartRemoved, OfferListed, ProductClicked, StockChanged
from streams import propose
from streams.ids import trigger_id
from streams.policy import Policy
from streams.state import CartLine, Coupon, Visit
from streams.totals import CARTED, CLICKED, ORDERED
from tests.streams.builders import NOW, did, order_placed, session, visit

POLICY = Policy()
OFFER = OfferListed(
    id="h1", ts=NOW, session_id="s1", offer_id="o1", kind="amount_off", value=100, currency="CNY",
    budget=1_000, valid_until=NOW + 3_600_000,
)  # fmt: skip


def click(one: Visit, product_id: str, at: int = NOW) -> ProductClicked:
    """Let the viewer click a product; returns the event."""
    did(one, product_id, CLICKED, at)
    one.last_click = f"click-{product_id}-{at}"
    return ProductClicked(
        id=one.last_click, ts=at, session_id="s1", viewer_id="v1", product_id=product_id
    )


def removal(product_id: str) -> CartRemoved:
    """Return the event that one piece went out of the cart."""
    return CartRemoved(
        id="r1",
        ts=NOW,
        session_id="s1",
        viewer_id="v1",
        product_id=product_id,
        unit_price=1_000,
        currency="CNY",
    )


# --- cart_waiting


def test_a_cart_is_waiting_exactly_at_its_age() -> None:
    """One millisecond before cart_age nothing is proposed, then the oldest line is the cause."""
    one = visit(carted=("a", "b"), since=NOW)
    due = propose.next_due(one, POLICY)
    assert due == NOW + POLICY.cart_age_ms
    assert propose.cart_waiting(session(a=1), "v1", one, due - 1, POLICY) is None
    proposal = propose.cart_waiting(session(a=1), "v1", one, due, POLICY)
    assert proposal is not None
    assert (proposal.cause_id, proposal.seeds, proposal.at) == ("add-a", ("a", "b"), due)
    assert proposal.reasons[0].weight == 30.0


def test_every_line_is_a_cause_of_its_own_once() -> None:
    """The lines are proposed oldest first, and then never again."""
    one, now = visit(carted=("a", "b")), NOW + 60_000
    found = [propose.cart_waiting(session(), "v1", one, now, POLICY) for _ in range(4)]
    assert [p and p.cause_id for p in found] == ["add-a", "add-b", None, None]
    assert propose.next_due(one, POLICY) is None


def test_an_empty_cart_and_an_absent_viewer_wait_for_nothing() -> None:
    """No timer is asked for where nothing could be proposed."""
    absent = visit(carted=("a",))
    absent.present = False
    assert propose.next_due(visit(), POLICY) is None
    assert propose.next_due(absent, POLICY) is None
    assert propose.cart_waiting(session(), "v1", absent, NOW, POLICY) is None


def test_a_cause_that_could_not_be_decided_comes_again_a_little_later() -> None:
    """While an answer is owed the rule pauses, so that an outage is no busy loop."""
    one = visit(carted=("a",))
    first = propose.cart_waiting(session(), "v1", one, NOW, POLICY)
    assert first is not None
    one.coupons = [Coupon("t", "o", NOW, NOW + 120_000, "pending")]
    propose.forget(one, first)
    due = propose.next_due(one, POLICY)
    assert due == NOW + propose.RETRY_MS
    assert propose.cart_waiting(session(), "v1", one, due - 1, POLICY) is None
    again = propose.cart_waiting(session(), "v1", one, due, POLICY)
    assert again is not None
    assert again.cause_id == first.cause_id


def test_a_huge_cart_is_considered_up_to_the_memory_and_no_line_twice() -> None:
    """Twenty lines are more than a visit remembers: the others have to wait for a place."""
    one = visit(carted=tuple(f"p{i:02}" for i in range(20)))
    found = [propose.cart_waiting(session(), "v1", one, NOW, POLICY) for _ in range(40)]
    causes = [proposal.cause_id for proposal in found if proposal is not None]
    assert causes == [f"add-p{i:02}" for i in range(propose.MARKS)]
    assert propose.next_due(one, POLICY) is None
    assert one.cart is not None
    del one.cart["p00"]
    freed = propose.cart_waiting(session(), "v1", one, NOW, POLICY)
    assert freed is not None
    assert freed.cause_id == "add-p16"


def test_a_click_that_was_considered_stays_so_behind_a_full_cart() -> None:
    """Making room for cart lines does not forget the click that may become the cause again."""
    one = visit()
    one.at_risk = True
    click(one, "x")
    assert propose.at_risk(session(), "v1", one, NOW) is not None
    one.cart = visit(carted=tuple("abcdefghijklmnopqrst")).cart
    for _ in range(40):
        propose.cart_waiting(session(), "v1", one, NOW, POLICY)
    assert one.cart is not None
    del one.cart["b"]  # its mark is what makes room for another
    assert propose.cart_waiting(session(), "v1", one, NOW, POLICY) is not None
    one.cart = None
    assert propose.at_risk(session(), "v1", one, NOW) is None


def test_a_new_offer_asks_carts_in_turn_and_only_those_that_waited_in_vain() -> None:
    """So many a second by viewer id: the budget is not asked for a whole crowd at once."""
    room, crowd = session(), propose.CARTS_A_SECOND + 1
    for number in range(crowd):
        one = visit(carted=("a",))
        one.considered = ["cart_waiting:add-a"]
        room.visits.add(f"v{number:04}", one)
    gone, fresh = visit(carted=("a",)), visit(carted=("a",))
    gone.present, gone.considered = False, ["cart_waiting:add-a"]
    room.visits.add("gone", gone)
    room.visits.add("fresh", fresh)
    found = list(propose.offered(room, OFFER))
    assert [viewer_id for viewer_id, _ in found] == [f"v{n:04}" for n in range(crowd)]
    due = [propose.next_due(one, POLICY) for _, one in found]
    assert due == [NOW] * propose.CARTS_A_SECOND + [NOW + 1_000]


@pytest.mark.parametrize("rule", ["cart_waiting", "at_risk"])
def test_a_new_offer_passes_over_a_cart_that_had_a_coupon(rule: str) -> None:
    """For any of its lines, by whichever rule."""
    room, one = session(), visit(carted=("a", "b"))
    one.considered = ["cart_waiting:add-a", "cart_waiting:add-b"]
    this_id = trigger_id(rule, "s1", "v1", "add-b")
    one.coupons = [Coupon(this_id, "o", NOW - 99_000, NOW, "expired")]
    room.visits.add("v1", one)
    assert list(propose.offered(room, OFFER)) == []


carts = st.dictionaries(st.integers(0, 40), st.integers(0, 60_000), max_size=40)
asks = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(0, 20_000)))


@given(carts, asks)
def test_nothing_is_proposed_twice_for_the_same_cause(
    cart: dict[int, int], course: list[tuple[int, int, int]]
) -> None:
    """Whatever is carted, removed, clicked and asked, a rule proposes once for a cause.

    And next_due promises exactly what cart_waiting keeps: what is due is proposed.
    """
    one, room, now, adds = visit(), session(), NOW, 0
    one.at_risk = True
    one.cart = {str(p): CartLine(1, 1, NOW - age, f"first-{p}") for p, age in cart.items()}
    seen: set[tuple[str, str]] = set()
    for what, which, elapsed in course:
        now += elapsed
        if what == 0:
            adds += 1
            one.cart = {**one.cart, str(which): CartLine(1, 1, now, f"add-{adds}")}
        elif what == 1:
            one.cart.pop(str(which), None)
        elif what == 2:
            click(one, str(which), now)
        due = propose.next_due(one, POLICY)
        waiting = propose.cart_waiting(room, "v1", one, now, POLICY)
        assert (waiting is not None) == (due is not None and due <= now)
        for proposal in (waiting, propose.at_risk(room, "v1", one, now)):
            if proposal is not None:
                key = (proposal.rule, proposal.cause_id)
                assert key not in seen
                seen.add(key)
        assert len(one.considered or ()) <= propose.MARKS


# --- at_risk


def test_a_viewer_at_risk_is_proposed_with_the_newest_cart_line() -> None:
    """The newest line is the cause, the churn reasons are the reasons, and only once."""
    one = visit(carted=("a", "b"))
    one.at_risk = True
    proposal = propose.at_risk(session(), "v1", one, NOW)
    assert proposal is not None
    assert (proposal.rule, proposal.cause_id, proposal.seeds) == ("at_risk", "add-b", ("a", "b"))
    assert proposal.reasons[0].code == "idle"
    assert propose.at_risk(session(), "v1", one, NOW + 5_000) is None


def test_without_a_cart_the_newest_click_is_the_cause() -> None:
    """The product is the one whose click is newest."""
    one = visit()
    one.at_risk = True
    click(one, "b", NOW - 30_000)
    click(one, "a", NOW - 20_000)
    click(one, "b", NOW - 400_000)  # late, and long ago
    one.last_click = "click-a"
    proposal = propose.at_risk(session(), "v1", one, NOW)
    assert proposal is not None
    assert (proposal.cause_id, proposal.seeds) == ("click-a", ("a",))


def test_a_click_in_the_block_before_is_still_older_than_one_in_this() -> None:
    """Panes are compared across blocks of the bitmap."""
    one = visit()
    one.at_risk = True
    click(one, "new", NOW)
    click(one, "old", NOW - 290_000)
    click(one, "older", NOW - 580_000)
    proposal = propose.at_risk(session(), "v1", one, NOW)
    assert proposal is not None
    assert proposal.seeds == ("new",)


def test_no_risk_or_no_wish_is_no_moment() -> None:
    """A viewer who is not at risk, is gone, or wants nothing is not proposed."""
    calm, gone, idle = visit(carted=("a",)), visit(carted=("a",)), visit()
    gone.at_risk = idle.at_risk = True
    gone.present = False
    for one in (calm, gone, idle):
        assert propose.at_risk(session(), "v1", one, NOW) is None
        assert one.considered is None


def test_at_risk_waits_for_an_owed_answer() -> None:
    """Right after a coupon was chosen, no second one is proposed; the cause stays open."""
    one = visit(carted=("a",))
    one.at_risk = True
    one.coupons = [Coupon("t", "o", NOW, NOW + 120_000, "pending")]
    assert propose.at_risk(session(), "v1", one, NOW + 1) is None
    assert propose.at_risk(session(), "v1", one, NOW + propose.RETRY_MS) is not None


# --- recommendations


def test_after_an_order_its_newest_products_are_the_seeds() -> None:
    """Four seeds at most; everything bought is avoided."""
    proposal = propose.after_order(session(), order_placed("a", "b", "c", "d", "e"))
    assert proposal.seeds == ("b", "c", "d", "e")
    assert proposal.avoid == ("a", "b", "c", "d", "e")
    assert (proposal.kind, proposal.rule, proposal.cause_id) == (
        "recommendation",
        "after_order",
        "o1",
    )


def test_a_removed_product_is_replaced_but_not_while_some_is_left() -> None:
    """Taking one of two out of the cart is not taking it out."""
    assert propose.cart_removed(session(), visit(carted=("a",)), removal("a")) is None
    proposal = propose.cart_removed(session(), visit(carted=("b",)), removal("a"))
    assert proposal is not None
    assert (proposal.seeds, proposal.avoid) == (("a",), ("a",))


def test_sold_out_concerns_those_who_have_it_in_the_cart_by_viewer_id() -> None:
    """Viewers without it, and those who left, are not bothered."""
    room = session(a=0)
    gone = visit(carted=("a",))
    gone.present = False
    found_in = {
        "v3": visit(carted=("a",)),
        "v1": visit(carted=("b", "a")),
        "v2": visit(carted=("b",)),
        "v0": gone,
        "v4": visit(),
    }
    for viewer_id, one in found_in.items():
        room.visits.add(viewer_id, one)
    event = StockChanged(id="h1", ts=NOW, session_id="s1", product_id="a", stock=0)
    found = list(propose.sold_out(room, "a", event))
    assert [(p.viewer_id, p.cause_id, p.avoid) for p in found] == [
        ("v1", "h1", ("a",)),
        ("v3", "h1", ("a",)),
    ]


def test_hesitating_is_the_second_click_and_only_that() -> None:
    """One click is curiosity, the second is hesitation, the third has been answered."""
    one = visit()
    found = [
        propose.hesitating(session(), one, click(one, p, NOW + i), POLICY)
        for i, p in enumerate("aba")
    ]
    assert [p and p.seeds for p in found] == [None, ("a", "b"), None]


def test_what_was_clicked_with_a_full_cart_is_not_shown_again() -> None:
    """It does not count as hesitation, but the viewer knows it."""
    one = visit()
    did(one, "a", CLICKED, NOW).clicks = 0
    click(one, "b", NOW + 10_000)
    found = propose.hesitating(session(), one, click(one, "c", NOW + 20_000), POLICY)
    assert found is not None
    assert found.avoid == ("a", "b", "c")


def test_who_has_a_cart_does_not_hesitate() -> None:
    """With something in the cart, clicks are shopping."""
    one = visit(carted=("c",))
    click(one, "a")
    assert propose.hesitating(session(), one, click(one, "b"), POLICY) is None


def test_clicks_that_led_to_a_cart_or_an_order_do_not_count() -> None:
    """After an order, hesitation begins anew."""
    one = visit()
    click(one, "a")
    did(one, "a", CARTED)
    did(one, "a", ORDERED)
    assert propose.hesitating(session(), one, click(one, "b"), POLICY) is None
    assert propose.hesitating(session(), one, click(one, "c"), POLICY) is not None
