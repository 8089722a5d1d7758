"""Sessions and visits for the tests of the decisions, as small as the test needs them."""

from typing import Any

from schemas.events import Line as EventLine
from schemas.events import OrderPlaced
from streams import decide
from streams.choices import Choice
from streams.policy import Policy
from streams.propose import Proposal
from streams.seen import touch
from streams.session import Session
from streams.state import CartLine, Interest, Offer, Product, Visit
from streams.totals import CLICKED, PANE_MS

NOW = 1_760_000_000_000


def session(**stock: int) -> Session:
    """Return a session that sells the named products for 10.00 each, with so much stock."""
    new = Session("s1")
    for product_id, pieces in stock.items():
        new.shelf.products[product_id] = Product(1_000, pieces, "CNY")
    return new


def shop() -> Session:
    """Return a session with products a, b and c, and one offer of 1.00 off."""
    room = session(a=9, b=9, c=9)
    room.shelf.offers = {"o1": offer()}
    return room


def offer(**terms: Any) -> Offer:
    """Return an offer of 1.00 off that fits any cart, unless a term says otherwise."""
    usual: dict[str, Any] = {
        "kind": "amount_off",
        "value": 100,
        "currency": "CNY",
        "minimum_spend": 0,
        "budget": 1_000_000,
        "per_viewer_cap": 100,
        "valid_until": NOW + 3_600_000,
        "margin": 1.0,
    }
    return Offer(**(usual | terms))


def visit(
    *, carted: tuple[str, ...] = (), since: int = NOW - 40_000, entered: int = NOW - 120_000
) -> Visit:
    """Return a present viewer with the products in the cart, one piece each, for 10.00."""
    cart = {p: CartLine(1, 1_000, since + i, f"add-{p}") for i, p in enumerate(carted)}
    return Visit(
        present=True, entered=entered, acted=entered, last=NOW, first=entered, cart=cart or None
    )


def did(one: Visit, product_id: str, step: int, at: int = NOW) -> Interest:
    """Note that the viewer did a step with a product; a click also counts as a click."""
    one.interests = one.interests or {}
    interest = one.interests.setdefault(product_id, Interest())
    touch(interest.seen, step, at // PANE_MS)
    interest.clicks += step == CLICKED
    return interest


def coupon_proposal(
    cause_id: str = "e1", *, at: int = NOW, rule: str = "cart_waiting", seeds: tuple[str, ...] = ()
) -> Proposal:
    """Return a proposal for a coupon for viewer v1."""
    return Proposal(
        kind="coupon",
        rule=rule,
        session_id="s1",
        viewer_id="v1",
        cause_id=cause_id,
        at=at,
        seeds=seeds,
        reasons=(),
    )


def recommendation_proposal(
    *seeds: str, avoid: tuple[str, ...] = (), at: int = NOW, cause_id: str = "e1"
) -> Proposal:
    """Return a proposal for a recommendation for viewer v1."""
    return Proposal(
        kind="recommendation",
        rule="after_order",
        session_id="s1",
        viewer_id="v1",
        cause_id=cause_id,
        at=at,
        seeds=seeds,
        avoid=avoid,
        reasons=(),
    )


def order_placed(*products: str, ts: int = NOW) -> OrderPlaced:
    """Return an order of one piece of each product."""
    return OrderPlaced(
        id="o1",
        ts=ts,
        session_id="s1",
        viewer_id="v1",
        order_id="order-1",
        lines=tuple(EventLine(product_id=p, quantity=1, unit_price=1_000) for p in products),
        amount=1_000 * len(products),
        currency="CNY",
    )


def choose(room: Session, one: Visit, cause: str = "e1", now: int = NOW) -> Choice:
    """Return a choice where one must be made."""
    found = decide.coupon(room, one, coupon_proposal(cause, at=now), now, Policy())
    assert isinstance(found, Choice)
    return found
