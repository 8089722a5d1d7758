"""Which offer fits: what the goods are worth, what an offer takes off them, which one to take."""

from collections.abc import Mapping
from math import floor

from msgspec import Struct

from streams.choices import Refusal
from streams.propose import Proposal
from streams.session import Session
from streams.state import Coupon, Offer, Visit
from streams.totals import ORDERED

#: A discount below this share of the price goes unnoticed.
NOTICEABLE = 0.05

_FAULTS = (
    "offer_expired", "currency", "minimum_spend", "no_discount", "margin", "offer_cap",
    "budget_exhausted",
)  # fmt: skip


class Goods(Struct, frozen=True):
    """What the viewer could buy now, of one currency; ``value`` is minor units."""

    value: int
    products: tuple[str, ...]


class Pick(Struct, frozen=True):
    """An offer that fits, and what it takes off."""

    offer_id: str
    offer: Offer
    discount: int
    goods: Goods


def buyable(session: Session, visit: Visit, proposal: Proposal) -> dict[str, Goods] | Refusal:
    """Return the goods by currency: the cart, or else the clicked product, as far as on stock."""
    wanted = _wanted(session, visit, proposal)
    if isinstance(wanted, Refusal):
        return wanted
    found: dict[str, Goods] = {}
    for product_id, quantity, unit_price in wanted:
        product = session.shelf.products[product_id]
        pieces = min(quantity, product.stock)
        if pieces > 0:
            before = found.get(product.currency, Goods(0, ()))
            found[product.currency] = Goods(
                before.value + pieces * unit_price, (*before.products, product_id)
            )
    return found or Refusal("out_of_stock")


def pick(
    offers: Mapping[str, Offer], goods: Mapping[str, Goods], coupons: list[Coupon], now: int
) -> Pick | Refusal:
    """Return the offer that is best for both sides, or why the one that came furthest fails.

    Best is the smallest discount that a buyer notices (``NOTICEABLE``): it can change a mind
    and costs the merchant least. When none is noticed, it is the largest of them.
    """
    fitting: list[Pick] = []
    furthest = Refusal("no_offer")
    for offer_id in sorted(offers):
        offer = offers[offer_id]
        ours = goods.get(offer.currency, Goods(0, ()))
        one = Pick(offer_id, offer, discount(offer, ours.value), ours)
        fault = _fault(one, sum(c.offer_id == offer_id for c in coupons), now)
        if fault is None:
            fitting.append(one)
        elif furthest.offer_id is None or _FAULTS.index(fault) > _FAULTS.index(furthest.reason):
            furthest = Refusal(fault, offer_id)
    return min(fitting, key=_preference) if fitting else furthest


def discount(offer: Offer, value: int) -> int:
    """Return what the offer takes off goods of that value, in minor units, never more than it."""
    if offer.kind == "percent_off":
        return min(value * offer.value // 100, value)
    return min(offer.value, value)


def _wanted(
    session: Session, visit: Visit, proposal: Proposal
) -> list[tuple[str, int, int]] | Refusal:
    """Return (product, quantity, unit price) of what is listed; the cart keeps its own prices."""
    products = session.shelf.products
    if visit.cart:
        lines = [(p, one.quantity, one.unit_price) for p, one in visit.cart.items()]
    else:
        interests = visit.interests or {}
        clicked = proposal.seeds[-1:]
        if any(p in interests and interests[p].seen.ever >> ORDERED & 1 for p in clicked):
            return Refusal("already_ordered")
        lines = [(p, 1, products[p].price) for p in clicked if p in products]
    return [line for line in lines if line[0] in products] or Refusal("not_listed")


def _fault(one: Pick, given: int, now: int) -> str | None:
    """Return the first check that fails; ``given``: how often the viewer has had the offer."""
    offer = one.offer
    # Half a millionth, because a fraction of 0.29 is a little less than 29 percent.
    earned = floor(offer.margin * one.goods.value + 1e-6)
    failed = (
        now >= offer.valid_until,
        not one.goods.products,
        one.goods.value < offer.minimum_spend,
        one.discount <= 0,
        one.discount > earned,
        given >= offer.per_viewer_cap,
        one.discount > offer.budget,
    )
    return _FAULTS[failed.index(True)] if any(failed) else None


def _preference(one: Pick) -> tuple[bool, int, str]:
    unnoticed = one.discount < NOTICEABLE * one.goods.value
    return unnoticed, -one.discount if unnoticed else one.discount, one.offer_id
