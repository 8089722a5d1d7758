"""The shelf: what the host says is what is on sale, and a sold-out product is told once."""

from typing import Any

import pytest

from schemas import events as ev
from streams.shelf import change
from streams.state import Shelf
from tests.streams.world import T0, World, event, record_of


def tell(shelf: Shelf, kind: type[ev.Event], second: int = 0, /, **fields: Any) -> str | None:
    """Apply a host event; returns the product that it sold out."""
    return change(shelf, event(kind, second, **fields))


def listed(shelf: Shelf, product_id: str = "p1", *, price: int = 900, stock: int = 3) -> str | None:
    """List a product."""
    fields = {"product_id": product_id, "price": price, "stock": stock, "currency": "CNY"}
    return tell(shelf, ev.ProductListed, **fields)


def test_a_started_session_is_announced() -> None:
    """With its title, host and currency."""
    shelf = Shelf()
    tell(shelf, ev.SessionStarted, 5, title="Haul", host_id="h1", currency="CNY")
    assert (shelf.announced, shelf.title, shelf.host_id) == (True, "Haul", "h1")
    assert (shelf.currency, shelf.started) == ("CNY", T0 + 5_000)


def test_an_ended_session_may_start_again() -> None:
    """The host's connection was lost and came back."""
    shelf = Shelf()
    tell(shelf, ev.SessionEnded, 5)
    assert shelf.ended == T0 + 5_000
    tell(shelf, ev.SessionStarted, 9)
    assert shelf.ended is None


def test_the_currency_is_that_of_the_first_product_when_the_start_does_not_say() -> None:
    """And it stays."""
    shelf = Shelf()
    listed(shelf)
    tell(shelf, ev.SessionStarted, 1)
    assert shelf.currency == "CNY"


def test_a_product_that_is_listed_again_has_its_new_price() -> None:
    """A flash price."""
    shelf = Shelf()
    listed(shelf, price=900)
    listed(shelf, price=800)
    assert shelf.products["p1"].price == 800


def test_stock_of_an_unknown_product_is_passed_over() -> None:
    """Without a price it cannot be sold."""
    shelf = Shelf()
    assert tell(shelf, ev.StockChanged, product_id="p9", stock=3) is None
    assert shelf.products == {}


@pytest.mark.parametrize(
    ("before", "after", "sold_out"), [(3, 0, "p1"), (3, 2, None), (0, 0, None)]
)
def test_a_product_is_sold_out_when_its_stock_falls_to_zero(
    before: int, after: int, sold_out: str | None
) -> None:
    """Told once, at the fall."""
    shelf = Shelf()
    listed(shelf, stock=before)
    assert tell(shelf, ev.StockChanged, product_id="p1", stock=after) == sold_out


def test_a_listing_without_stock_sells_out_too() -> None:
    """A price change may carry the news."""
    shelf = Shelf()
    listed(shelf, stock=3)
    assert listed(shelf, stock=0) == "p1"


def test_only_the_pinned_product_is_unpinned() -> None:
    """An unpin that overtakes the next pin does not undo it."""
    shelf = Shelf()
    tell(shelf, ev.ProductPinned, product_id="p1")
    tell(shelf, ev.ProductPinned, product_id="p2")
    tell(shelf, ev.ProductUnpinned, product_id="p1")
    assert shelf.pinned == "p2"
    tell(shelf, ev.ProductUnpinned, product_id="p2")
    assert shelf.pinned is None


def test_an_offer_is_kept_as_it_was_listed() -> None:
    """Every term of it; a second listing replaces the first."""
    shelf = Shelf()
    terms: dict[str, Any] = {
        "kind": "percent_off", "value": 8, "currency": "CNY", "minimum_spend": 100,
        "budget": 5_000, "per_viewer_cap": 2, "valid_until": T0 + 1, "margin": 0.4,
    }  # fmt: skip
    tell(shelf, ev.OfferListed, offer_id="o1", **terms | {"value": 5})
    tell(shelf, ev.OfferListed, offer_id="o1", **terms)
    (offer,) = shelf.offers.values()
    assert {name: getattr(offer, name) for name in terms} == terms


def offered(kind: str, value: int) -> World:
    """Let a session read an offer, from its bytes on."""
    terms: dict[str, Any] = {"kind": kind, "value": value, "currency": "IDR"}
    one = event(ev.OfferListed, 0, offer_id="o1", budget=1, valid_until=T0, **terms)
    return World().run([record_of(one)])


@pytest.mark.parametrize(("kind", "value"), [("amount_off", 2_500_000), ("percent_off", 100)])
def test_an_offer_may_take_off_all_that_money_can_say(kind: str, value: int) -> None:
    """Rp 25,000 are 2,500,000 minor units."""
    world = offered(kind, value)
    assert world.state.sessions["s1"].shelf.offers["o1"].value == value


@pytest.mark.parametrize("value", [101, 1_500])
def test_more_than_a_hundred_percent_off_is_refused(value: int) -> None:
    """15 percent in basis points would give the goods away."""
    world = offered("percent_off", value)
    ((_, why),) = world.results.refused
    assert (why.reason, "`value`" in why.detail) == ("invalid_field", True)
    assert world.state.sessions["s1"].shelf.offers == {}
