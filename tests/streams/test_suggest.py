"""Suggestions: each rule when it speaks and when it is silent, and all that speak in order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from streams.glance import Carts, CartsOf
from streams.screen import Gpm, GpmFactor, Now, OfferLine, ProductLine, Suggestion
from streams.suggest import Scene, suggestions

NOTHING = Scene(
    now=Now(viewers=100, joining_per_min=10, leaving_per_min=10, events_per_s=5.0),
    at_risk=0,
    carts=Carts(),
    gpm=Gpm(value=None, factors=(), furthest_below=None),
    products=(),
    offers=(),
)


def product(product_id: str = "p1", **fields: Any) -> ProductLine:
    """Make a product on the shelf with nothing special about it."""
    usual: dict[str, Any] = {
        "id": product_id, "title": "", "price": 1_000, "currency": "CNY", "stock": 50,
        "pinned": False, "listed": True, "exposed": 0, "clicked": 0, "carted": 0, "ordered": 0,
        "paid": 0, "units_per_min": 0.0, "gmv_gross": 0, "carts": 0, "carts_waiting": 0,
        "oldest_cart_at": None, "sells_out_in_min": None, "bought_with": (),
    }  # fmt: skip
    return ProductLine(**usual | fields)


def said(**scene: Any) -> list[Suggestion]:
    """Return what is suggested when this is different."""
    return list(suggestions(structs.replace(NOTHING, **scene)))


def test_nothing_to_do_is_nothing_said() -> None:
    """A calm session gets no advice."""
    assert said() == said(products=(product(pinned=True),)) == []


def test_a_pinned_product_without_stock_comes_first() -> None:
    """Nobody can buy what the host talks about."""
    assert said(products=(product(pinned=True, stock=0),)) == [
        Suggestion("pinned_sold_out", {"product": "p1"})
    ]
    assert said(products=(product(stock=0),)) == []


def test_stock_that_ends_soon_is_said_of_the_soonest() -> None:
    """Ten minutes and less; a product that lasts longer is no news."""
    shelf = (product("p1", sells_out_in_min=8.0), product("p2", stock=7, sells_out_in_min=2.55))
    assert said(products=shelf) == [
        Suggestion("stock_low", {"product": "p2", "stock": 7, "minutes": 2.5})
    ]
    assert said(products=(product(sells_out_in_min=10.1),)) == []


def test_waiting_carts_are_said_of_the_product_with_most() -> None:
    """Five or more that wait, of something that can still be bought."""
    waiting = {"p1": CartsOf(9, 5, 1, 5_000), "p2": CartsOf(30, 23, 1, 77_000)}
    shelf = (product("p1"), product("p2"))
    assert said(products=shelf, carts=Carts(products=waiting)) == [
        Suggestion(
            "carts_waiting", {"product": "p2", "carts": 23, "older_than_s": 60, "value": 77_000}
        )
    ]
    sold_out = (product("p1"), product("p2", stock=0))
    (other,) = said(products=sold_out, carts=Carts(products=waiting))
    assert other.params["product"] == "p1"
    assert said(products=shelf, carts=Carts(products={"p1": CartsOf(4, 4, 1, 9)})) == []


def test_carts_at_risk_are_said_with_their_value() -> None:
    """Five carts of viewers who may leave, and how many viewers may leave at all."""
    carts = Carts(carts=9, value=90, at_risk=5, at_risk_value=50)
    assert said(at_risk=40, carts=carts) == [
        Suggestion("carts_at_risk", {"carts": 5, "value": 50, "at_risk": 40})
    ]


def test_the_dragging_factor_is_said_in_per_cent() -> None:
    """By how much it is below, and of how many that is."""
    factor = GpmFactor(name="click_rate", value=0.3, baseline=0.4, of=500)
    gpm = Gpm(value=1.0, factors=(factor,), furthest_below="click_rate")
    assert said(gpm=gpm) == [
        Suggestion("worst_factor", {"factor": "click_rate", "percent_below": 25, "of": 500})
    ]


@pytest.mark.parametrize(
    ("leaving", "joining", "speaks"), [(20, 10, True), (19, 10, False), (9, 0, False)]
)
def test_leaving_is_said_when_it_is_twice_the_coming(
    leaving: int,
    joining: int,
    speaks: bool,  # noqa: FBT001 - a case of the table
) -> None:
    """And only when it is many."""
    now = Now(viewers=50, joining_per_min=joining, leaving_per_min=leaving, events_per_s=1.0)
    assert bool(said(now=now)) == speaks


def test_a_better_seller_should_be_pinned() -> None:
    """One that sells half as well again per click, if both had clicks enough to tell."""
    pinned = product("p1", pinned=True, clicked=100, ordered=10)
    better = product("p2", clicked=100, ordered=16)
    assert said(products=(pinned, better)) == [
        Suggestion("pin_best", {"product": "p2", "clicked": 100, "ordered": 16})
    ]
    few = structs.replace(better, clicked=29, ordered=29)
    alike = structs.replace(better, ordered=14)
    assert said(products=(pinned, few)) == said(products=(pinned, alike)) == []


def test_a_budget_that_ends_is_said() -> None:
    """Less than a tenth is left."""
    low = OfferLine(
        id="c1", kind="amount_off", value=100, currency="CNY", minimum_spend=0, budget=1_000,
        left=99, valid_until=0,
    )  # fmt: skip
    assert said(offers=(low,)) == [
        Suggestion("budget_low", {"offer": "c1", "left": 99, "percent_left": 10})
    ]
    assert said(offers=(structs.replace(low, left=100),)) == []


def test_all_that_is_urgent_is_said_in_order() -> None:
    """A page shows three of it; when one is dismissed the next has to be there."""
    shelf = (product("p1", pinned=True, stock=0), product("p2", sells_out_in_min=3.0))
    carts = Carts(at_risk=9, products={"p2": CartsOf(9, 9, 1, 9)})
    now = Now(viewers=9, joining_per_min=0, leaving_per_min=99, events_per_s=0.0)
    assert [one.code for one in said(products=shelf, carts=carts, now=now)] == [
        "pinned_sold_out", "stock_low", "carts_waiting", "carts_at_risk", "viewers_leaving",
    ]  # fmt: skip


@given(
    st.lists(st.sampled_from([0, 1, 7]), min_size=1, max_size=6),
    st.booleans(),
    st.integers(0, 60),
)
def test_each_once_and_the_same_every_time(
    stocks: list[int],
    leaving: bool,  # noqa: FBT001 - given by hypothesis
    waiting: int,
) -> None:
    """However much is wrong, and whatever the order of the products."""
    shelf = tuple(
        product(f"p{n}", stock=stock, pinned=n == 0, sells_out_in_min=float(stock) or None)
        for n, stock in enumerate(stocks)
    )
    carts = Carts(products={"p0": CartsOf(waiting, waiting, 1, 1)}, at_risk=waiting)
    now = Now(viewers=9, joining_per_min=0, leaving_per_min=99 * leaving, events_per_s=0.0)
    found = said(products=shelf, carts=carts, now=now)
    assert len({one.code for one in found}) == len(found)
    assert found == said(products=shelf[::-1], carts=carts, now=now)
