"""What a task says of a session at a glance: the room, carts, company, against a full look."""

from collections import Counter

import pytest

from schemas import events as ev
from streams import glance as glances
from streams.glance import Carts, CartsOf, Glance, Looked, glance
from tests.streams.world import SHOP, T0, World, order, simulated

CLOCK_MS = 1_800_000_000_000


def look(world: World, looked: Looked | None = None) -> Glance:
    """Look at session s1 in the first task."""
    session = world.state.sessions["s1"]
    return glance(world.state, session, looked or Looked(), CLOCK_MS)


def shelf(world: World) -> None:
    """List two products at 10.00."""
    for product_id in ("p1", "p2"):
        world.says(ev.ProductListed, 0, product_id=product_id, price=1_000, stock=9, currency="CNY")


def cart(world: World, second: float, viewer_id: str, product_id: str = "p1") -> None:
    """Let a viewer come in and take a piece of a product."""
    world.says(ev.ViewerEntered, second, viewer_id=viewer_id)
    world.says(ev.CartAdded, second, viewer_id=viewer_id, product_id=product_id, **SHOP)


def test_the_last_minute_is_the_six_full_panes_before_this_one() -> None:
    """What happened before them, and in the pane that is still open, is not counted."""
    world = World()
    for number, second in enumerate((5, 15, 69, 75)):
        world.says(ev.ViewerEntered, second, viewer_id=f"v{number}")
    world.says(ev.ViewerLeft, 69, viewer_id="v1")
    seen = look(world)  # in the pane from 70 s to 80 s
    assert (seen.entered, seen.left, seen.events) == (2, 1, 3)
    assert seen.present == 2  # v0 has been silent for over a minute, v1 has left


def test_units_are_of_the_last_thirty_panes() -> None:
    """Pieces ordered within five minutes, by product."""
    world = World()
    world.says(ev.OrderPlaced, 0, **_fields("o1"))
    world.says(ev.OrderPlaced, 200, **_fields("o2"))
    assert look(world).units == {"p1": 4}
    world.says(ev.Heartbeat, 301)
    assert look(world).units == {"p1": 2}


def test_what_was_looked_at_a_moment_ago_is_not_looked_at_again() -> None:
    """Pieces sold wait three seconds, the last minute its pane."""
    world, looked = World(), Looked()
    world.says(ev.ViewerEntered, 9)
    assert look(world, looked).units == {}
    world.says(ev.OrderPlaced, 9.5, **_fields("o1"))
    assert look(world, looked).units == {}
    assert look(world, looked).entered == 0
    world.says(ev.Heartbeat, 12)
    assert (look(world, looked).units, look(world, looked).entered) == ({"p1": 2}, 1)


def _fields(order_id: str) -> dict[str, object]:
    placed = order(ev.OrderPlaced, 0)
    assert isinstance(placed, ev.OrderPlaced)
    return {"order_id": order_id, "lines": placed.lines, "amount": 2_000, "currency": "CNY"}


def test_carts_are_those_of_viewers_who_are_there() -> None:
    """Each product with how many hold it, how many wait for over a minute, and the oldest."""
    world = World()
    shelf(world)
    cart(world, 0, "ann")
    cart(world, 50, "bob")
    world.says(ev.CartAdded, 55, viewer_id="bob", product_id="p2", quantity=3, **SHOP)
    cart(world, 58, "cid")
    world.says(ev.ViewerLeft, 59, viewer_id="cid")
    world.says(ev.Heartbeat, 61, viewer_id="ann")
    carts = look(world).carts
    assert (carts.carts, carts.value) == (2, 5_000)
    assert carts.products["p1"] == CartsOf(2, 1, T0, 1_000)
    assert carts.products["p2"] == CartsOf(1, 0, T0 + 55_000, 0)


def test_carts_at_risk_are_those_of_viewers_who_may_leave() -> None:
    """A viewer with a cart who falls silent counts, with what the cart is worth."""
    world = World()
    shelf(world)
    cart(world, 0, "ann")
    cart(world, 0, "bob")
    for second in range(0, 48, 8):
        world.says(ev.LikesSent, second, viewer_id="bob")
    seen = look(world)
    assert (sum(seen.bins), seen.at_risk) == (2, 1)
    assert (seen.carts.carts, seen.carts.at_risk, seen.carts.at_risk_value) == (2, 1, 1_000)


def test_many_carts_are_looked_at_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """With three times as many as fit into a second, the next look is three seconds later."""
    monkeypatch.setattr(glances, "CARTS_A_SECOND", 1)
    world, looked = World(), Looked()
    for viewer_id in ("ann", "bob", "cid"):
        cart(world, 0, viewer_id)
    assert look(world, looked).carts.carts == 3
    world.says(ev.CartRemoved, 2, viewer_id="ann", product_id="p1", **SHOP)
    assert look(world, looked).carts.carts == 3
    world.says(ev.Heartbeat, 3, viewer_id="bob")
    assert look(world, looked).carts.carts == 2


def test_carts_of_other_sessions_count_for_how_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task with many sessions looks at no more carts than one with a single large session."""
    monkeypatch.setattr(glances, "CARTS_A_SECOND", 1)
    world, looked = World(), Looked()
    cart(world, 0, "ann")
    session = world.state.sessions["s1"]
    glance(world.state, session, looked, CLOCK_MS, carts=50)
    assert looked.carts_again == T0 + 50_000


def test_company_is_what_the_same_viewers_ordered() -> None:
    """Products on the shelf with those that were ordered by the same people, and by how many."""
    world = World()
    shelf(world)
    both = (ev.Line("p1", 1, 1_000), ev.Line("p2", 1, 1_000))
    for viewer_id in ("ann", "bob"):
        for number, line in enumerate(both):
            world.says(
                ev.OrderPlaced, number, viewer_id=viewer_id, order_id=f"{viewer_id}{number}",
                lines=(line,), amount=1_000, currency="CNY",
            )  # fmt: skip
    assert look(world).company == {"p1": {"p2": 2}, "p2": {"p1": 2}}


def test_glances_of_all_tasks_add_up_to_the_world() -> None:
    """Three tasks' viewers, carts and risks are those that a full look at all visits finds."""
    world = World(tasks=3).run(simulated(tasks=3, events=6_000, sessions=1, ends=False))
    seen, visits = [], []
    for task in world.tasks:
        (session,) = task.state.sessions.values()
        seen.append(glance(task.state, session, Looked(), CLOCK_MS))
        visits += [visit for _, visit in session.visits.glance() if visit.present]
    carted = [visit.cart for visit in visits if visit.cart]
    assert sum(one.present for one in seen) == len(visits) > 0
    assert sum(one.carts.carts for one in seen) == len(carted) > 0
    holders = Counter(product_id for found in carted for product_id in found)
    found = Carts()
    for one in seen:
        for product_id, of in one.carts.products.items():
            found.products.setdefault(product_id, CartsOf()).add(of)
    assert {product_id: of.carts for product_id, of in found.products.items()} == holders
