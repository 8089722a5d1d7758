"""Coupons: who gets one, which offer it is, and that a refusal names the right reason."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.codes import WHY_NOT
from streams import decide
from streams.choices import Choice, Refusal
from streams.policy import Policy
from streams.session import Session
from streams.state import Coupon, Product, Visit
from streams.totals import ORDERED
from tests.streams.builders import NOW, choose, coupon_proposal, did, offer, shop, visit

POLICY = Policy()


def ask(room: Session, one: Visit, cause: str = "e1", now: int = NOW, **more: Any) -> str:
    """Return the offer that is chosen, or the reason why none is."""
    found = decide.coupon(room, one, coupon_proposal(cause, at=now, **more), now, POLICY)
    return found.reason if isinstance(found, Refusal) else found.offer_id


def _ended(room: Session, _one: Visit) -> None:
    room.shelf.ended = NOW


def _gone(_room: Session, one: Visit) -> None:
    one.present = False


def _had_two(_room: Session, one: Visit) -> None:
    one.coupons = [Coupon(f"t{i}", "o1", NOW - 90_000, NOW, "declined") for i in range(2)]


def _just_had_one(_room: Session, one: Visit) -> None:
    one.coupons = [Coupon("t1", "o1", NOW - 29_999, NOW + 90_000, "sent")]


def _clicked_what_was_ordered(_room: Session, one: Visit) -> None:
    one.cart = None
    did(one, "a", ORDERED)


def _unlisted(room: Session, _one: Visit) -> None:
    room.shelf.products.clear()


def _sold_out(room: Session, _one: Visit) -> None:
    room.shelf.products["a"].stock = 0


def _no_offer(room: Session, _one: Visit) -> None:
    room.shelf.offers.clear()


def _with(**terms: Any) -> Callable[[Session, Visit], None]:
    def change(room: Session, _one: Visit) -> None:
        room.shelf.offers = {"o1": offer(**terms)}

    return change


def _had_the_offer(room: Session, one: Visit) -> None:
    one.coupons = [Coupon("t1", "o1", NOW - 90_000, NOW, "expired")]
    room.shelf.offers = {"o1": offer(per_viewer_cap=1)}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_ended, "session_ended"),
        (_gone, "not_present"),
        (_had_two, "session_cap"),
        (_just_had_one, "too_soon"),
        (_clicked_what_was_ordered, "already_ordered"),
        (_unlisted, "not_listed"),
        (_sold_out, "out_of_stock"),
        (_no_offer, "no_offer"),
        (_with(valid_until=NOW), "offer_expired"),
        (_with(currency="EUR"), "currency"),
        (_with(minimum_spend=1_001), "minimum_spend"),
        (_with(kind="percent_off", value=1, margin=0.0), "margin"),
        (_with(value=300, margin=0.29), "margin"),
        (_had_the_offer, "offer_cap"),
        (_with(budget=99), "budget_exhausted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named(spoil: Callable[[Session, Visit], None], reason: str) -> None:
    """One thing is wrong with a viewer who would get a coupon else, and it is the reason."""
    room, one = shop(), visit(carted=("a",))
    assert ask(room, visit(carted=("a",)), seeds=("a",)) == "o1"
    spoil(room, one)
    before = one.coupons
    assert ask(room, one, seeds=("a",)) == reason
    assert reason in WHY_NOT
    assert one.coupons == before


def test_terms_that_are_just_met_are_met() -> None:
    """Limits include their value: minimum spend, margin (in spite of floats), budget."""
    room = shop()
    room.shelf.offers = {
        "o1": offer(value=29, minimum_spend=100, margin=0.29, budget=29, valid_until=NOW + 1)
    }
    one = visit(carted=("a",))
    assert one.cart is not None
    one.cart["a"].unit_price = 100
    choice = choose(room, one)
    assert choice.discount == 29
    assert choice.reservation.expires_at == NOW + 1


def test_a_discount_of_nothing_is_no_discount() -> None:
    """One percent of 0.99 is less than a minor unit."""
    room, one = shop(), visit(carted=("a",))
    room.shelf.offers = {"o1": offer(kind="percent_off", value=1)}
    assert one.cart is not None
    one.cart["a"].unit_price = 99
    assert ask(room, one) == "no_discount"


def test_only_what_can_be_bought_counts() -> None:
    """Sold out lines, and pieces above the stock, do not help to reach the minimum spend."""
    room, one = shop(), visit(carted=("a", "b"))
    room.shelf.products["b"].stock = 0
    room.shelf.offers = {"o1": offer(minimum_spend=2_000)}
    assert one.cart is not None
    one.cart["a"].quantity = 2
    assert choose(room, one).products == ("a",)
    room.shelf.products["a"].stock = 1
    one.coupons = None
    assert ask(room, one) == "minimum_spend"


def test_goods_of_another_currency_do_not_count() -> None:
    """An offer is measured on the goods of its own currency."""
    room, one = shop(), visit(carted=("a", "b"))
    room.shelf.products["b"] = Product(1_000, 9, "EUR")
    assert choose(room, one).products == ("a",)


def test_a_click_is_measured_at_the_price_on_the_shelf() -> None:
    """Without a cart the clicked product is the goods."""
    room, one = shop(), visit()
    room.shelf.offers = {"o1": offer(kind="percent_off", value=20)}
    found = decide.coupon(room, one, coupon_proposal(seeds=("b",)), NOW, POLICY)
    assert isinstance(found, Choice)
    assert (found.discount, found.products) == (200, ("b",))


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ({"tiny": 10, "small": 50, "large": 300}, "small"),
        ({"tiny": 10, "tinier": 5}, "tiny"),
        ({"twin-b": 80, "twin-a": 80}, "twin-a"),
    ],
)
def test_the_best_offer_is_the_smallest_that_is_noticed(values: dict[str, int], best: str) -> None:
    """Of a cart of 10.00, 0.50 is noticed; below that the largest; ties go by id."""
    room = shop()
    room.shelf.offers = {name: offer(value=value) for name, value in values.items()}
    assert ask(room, visit(carted=("a",))) == best


def test_the_offer_that_came_furthest_gives_the_reason() -> None:
    """An offer that fails at the margin is nearer than one that has expired."""
    room = shop()
    room.shelf.offers = {
        "z-expired": offer(valid_until=NOW),
        "m-margin": offer(margin=0.01),
        "a-currency": offer(currency="EUR"),
    }
    found = decide.coupon(room, visit(carted=("a",)), coupon_proposal(), NOW, POLICY)
    assert found == Refusal("margin", "m-margin")


def test_a_failed_coupon_does_not_count() -> None:
    """What never reached the viewer neither fills the cap nor delays the next."""
    room, one = shop(), visit(carted=("a",))
    one.coupons = [Coupon(f"t{i}", "o1", NOW, NOW + 1, "failed") for i in range(9)]
    assert ask(room, one) == "o1"
    assert len(one.coupons) < 9
