"""What the host says: the session, its products, stock, pins and offers.

Every task reads every host event and keeps its own copy of the shelf, in stream-time order
with the viewers' events, so that a decision sees the shelf as it was at that time.
"""

from collections.abc import Callable, Collection

from schemas import events as ev
from schemas.codec import Rejection
from streams.names import MOST_NAMES
from streams.state import Offer, Product, Shelf

#: In percent.
WHOLE_PRICE = 100


def _started(shelf: Shelf, event: ev.Event) -> None:
    assert isinstance(event, ev.SessionStarted)
    shelf.announced = True
    shelf.title, shelf.host_id = event.title, event.host_id
    shelf.currency = event.currency or shelf.currency
    shelf.started, shelf.ended = event.ts, None


def _ended(shelf: Shelf, event: ev.Event) -> None:
    shelf.ended = event.ts


def _listed(shelf: Shelf, event: ev.Event) -> None:
    assert isinstance(event, ev.ProductListed)
    shelf.products[event.product_id] = Product(
        event.price, event.stock, event.currency, event.title
    )
    shelf.currency = shelf.currency or event.currency


def _stock(shelf: Shelf, event: ev.Event) -> None:
    assert isinstance(event, ev.StockChanged)
    product = shelf.products.get(event.product_id)
    if product is not None:
        product.stock = event.stock


def _pinned(shelf: Shelf, event: ev.Event) -> None:
    assert isinstance(event, ev.ProductPinned)
    shelf.pinned = event.product_id


def _unpinned(shelf: Shelf, event: ev.Event) -> None:
    assert isinstance(event, ev.ProductUnpinned)
    if shelf.pinned == event.product_id:
        shelf.pinned = None


def _offered(shelf: Shelf, event: ev.Event) -> None:
    assert isinstance(event, ev.OfferListed)
    shelf.offers[event.offer_id] = Offer(
        kind=event.kind,
        value=event.value,
        currency=event.currency,
        minimum_spend=event.minimum_spend,
        budget=event.budget,
        per_viewer_cap=event.per_viewer_cap,
        valid_until=event.valid_until,
        margin=event.margin,
    )


_CHANGES: dict[type[ev.Event], Callable[[Shelf, ev.Event], None]] = {
    ev.SessionStarted: _started,
    ev.SessionEnded: _ended,
    ev.ProductListed: _listed,
    ev.StockChanged: _stock,
    ev.ProductPinned: _pinned,
    ev.ProductUnpinned: _unpinned,
    ev.OfferListed: _offered,
}


def refuse(shelf: Shelf, event: ev.Event) -> Rejection | None:
    """Refuse an offer of more than the whole price, and more names than a shelf holds."""
    return _too_much_off(event) or _full(shelf, event)


def _too_much_off(event: ev.Event) -> Rejection | None:
    if not isinstance(event, ev.OfferListed) or event.kind != "percent_off":
        return None
    if event.value <= WHOLE_PRICE:
        return None
    return Rejection(
        "invalid_field", f"`value` is {event.value}, at most {WHOLE_PRICE}: send it in percent"
    )


def _full(shelf: Shelf, event: ev.Event) -> Rejection | None:
    known: Collection[str] = ()
    field = new = ""
    if isinstance(event, ev.ProductListed):
        known, field, new = shelf.products, "product_id", event.product_id
    elif isinstance(event, ev.OfferListed):
        known, field, new = shelf.offers, "offer_id", event.offer_id
    if len(known) < MOST_NAMES or new in known:
        return None
    return Rejection(
        "too_large", f"`{field}`: the session has {MOST_NAMES} of them already: list no more"
    )


def change(shelf: Shelf, event: ev.Event) -> str | None:
    """Apply a host event; returns the product that it sold out, if it did."""
    product_id = getattr(event, "product_id", "")
    before = shelf.products.get(product_id)
    stock_before = before.stock if before else 0
    _CHANGES[type(event)](shelf, event)
    after = shelf.products.get(product_id)
    return product_id if after is not None and after.stock == 0 < stock_before else None
