"""Invented ids: records stay small however many there are, and nothing is left uncounted."""

import pytest

from schemas import events as ev
from streams.names import MOST_NAMES, OTHER
from tests.streams.world import SHOP, World, event, order

#: What a producer sends who puts another id into every event.
INVENTED = 3 * MOST_NAMES
#: A quarter of what the topic of the changelog takes.
MOST_BYTES = 1 << 20


def largest(world: World) -> int:
    """Return the bytes of the largest record that the first task's state is made of."""
    return max(len(key) + len(value or b"") for key, value in world.state.puts({}))


def test_invented_products_are_counted_as_one() -> None:
    """Every click counts; the first products keep their rows, also in later panes."""
    world = World()
    world.feed(
        *(
            event(ev.ProductClicked, n / 100, viewer_id=f"v{n}", product_id=f"{n:0128}")
            for n in range(INVENTED)
        )
    )
    world.says(ev.ProductClicked, INVENTED / 100, viewer_id="v", product_id=f"{0:0128}")
    world.close()
    rows = {row.scope_id: row for row in world.rows.values() if row.window == "session"}
    clicks = {
        name: row.counts["ProductClicked"] for name, row in rows.items() if row.scope == "product"
    }
    assert (len(clicks), sum(clicks.values())) == (MOST_NAMES + 1, INVENTED + 1)
    assert (clicks[f"{0:0128}"], clicks[OTHER]) == (2, INVENTED - MOST_NAMES)
    assert largest(world) < MOST_BYTES


def test_invented_channels_are_counted_as_one() -> None:
    """Every viewer is one of the session's, whatever the link said."""
    world = World()
    world.feed(
        *(
            event(ev.ViewerEntered, 1, viewer_id=f"v{n}", channel=f"{n:064}")
            for n in range(INVENTED)
        )
    )
    world.close()
    channels = [row for row in world.rows.values() if row.scope == "channel"]
    assert len({row.scope_id for row in channels}) == MOST_NAMES + 1
    assert world.row().people["viewers"] == INVENTED
    assert largest(world) < MOST_BYTES


def test_a_viewer_may_invent_as_much() -> None:
    """One visit with any number of clicks, carts and orders, each of something else."""
    world = World()
    for n in range(INVENTED):
        name = f"{n:0128}"
        world.feed(
            event(ev.ProductClicked, 1, product_id=name),
            event(ev.CartAdded, 1, product_id=name, **SHOP),
            order(ev.OrderPlaced, 1, order_id=name),
        )
    visit = world.state.sessions["s1"].visits["v1"]
    kept = visit.interests, visit.cart, visit.orders
    assert all(len(names or ()) <= MOST_NAMES + 2 for names in kept)
    assert largest(world) < MOST_BYTES


@pytest.mark.parametrize("what", ["product", "offer"])
def test_a_shelf_that_is_full_refuses_more(what: str) -> None:
    """What is on it may still change; the refusal names the field."""
    world = World()
    listings = {
        "product": lambda n: event(
            ev.ProductListed, 1, product_id=f"p{n}", price=n, stock=1, currency="CNY"
        ),
        "offer": lambda n: event(
            ev.OfferListed, 1, offer_id=f"o{n}", kind="amount_off", value=1, currency="CNY",
            budget=n, valid_until=1, margin=0.5,
        ),
    }  # fmt: skip
    results = world.feed(*(listings[what](n) for n in range(MOST_NAMES)))
    assert results.refused == []
    (refusal,) = world.feed(listings[what](0), listings[what](MOST_NAMES)).refused
    assert refusal[1].reason == "too_large"
    assert f"`{what}_id`" in refusal[1].detail
