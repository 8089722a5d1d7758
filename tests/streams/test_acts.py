"""What events do to the totals: counts, people, carts, orders, money."""

from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import events as ev
from schemas.events import Event
from schemas.results import ConversionRow
from tests.streams.world import PANE, SHOP, World, event, order

LINES = (ev.Line("p1", 1, 3_000), ev.Line("p2", 2, 1_000))


def bought(world: World) -> dict[str, int]:
    """Return the session's money."""
    world.close()
    return world.row().money


def cart(world: World, viewer_id: str = "v1") -> dict[str, int]:
    """Return how many pieces of each product are in the cart."""
    lines = world.state.sessions["s1"].visits[viewer_id].cart or {}
    return {product_id: line.quantity for product_id, line in lines.items()}


# --- counts and people --------------------------------------------------------------------------


def test_likes_count_by_their_count_and_people_once() -> None:
    """Twelve taps and three taps of one viewer."""
    world = World()
    world.feed(event(ev.LikesSent, 1, count=12), event(ev.LikesSent, 2, count=3))
    world.close()
    assert world.row().counts["LikesSent"] == 15
    assert world.row().people["interacted"] == 1


def test_the_funnel_counts_people_step_by_step() -> None:
    """Each further step is taken by one viewer fewer."""
    world = World()
    funnel: list[Event] = []
    for number in range(6):
        steps = [
            event(ev.ViewerEntered, 1), event(ev.ProductExposed, 2, product_id="p1"),
            event(ev.ProductClicked, 3, product_id="p1"),
            event(ev.CartAdded, 4, product_id="p1", **SHOP),
            order(ev.OrderPlaced, 5, order_id=f"o{number}"),
            order(ev.OrderPaid, 6, order_id=f"o{number}"),
        ]  # fmt: skip
        funnel += [
            type(s)(**{f: getattr(s, f) for f in s.__struct_fields__} | {"viewer_id": f"v{number}"})
            for s in steps[: 6 - number]
        ]
    world.feed(*funnel)
    world.close()
    people = world.row().people
    steps_taken = ("viewers", "exposed", "clicked", "carted", "ordered", "paid")
    assert [people[step] for step in steps_taken] == [6, 5, 4, 3, 2, 1]
    product = world.row("product", "p1").people
    assert [product[step] for step in steps_taken[1:]] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("kind", [ev.LikesSent, ev.SessionShared, ev.HostFollowed])
def test_who_likes_shares_or_follows_has_interacted(kind: type[Event]) -> None:
    """Each of them counts as one interaction rate."""
    world = World()
    world.says(kind, 1)
    world.close()
    assert world.row().people["interacted"] == 1


def test_a_comment_is_an_interaction_too() -> None:
    """Its text is not looked at."""
    world = World()
    world.says(ev.CommentPosted, 1, text="666")
    world.close()
    assert world.row().people["interacted"] == 1


def test_the_channels_add_up_to_the_session() -> None:
    """Each viewer belongs to the first channel that is known."""
    world = World()
    for number, channel in enumerate(["feed", "feed", "search", "share"]):
        viewer = f"v{number}"
        world.feed(
            event(ev.ViewerEntered, number, viewer_id=viewer, channel=channel),
            event(ev.ViewerEntered, number + 20, viewer_id=viewer, channel="push"),
            order(ev.OrderPaid, 30, viewer_id=viewer, order_id=f"o{number}", amount=100 * number),
        )
    world.says(ev.LikesSent, 5, viewer_id="who entered unseen", count=9)
    world.close()
    channels = [row for (_, scope, _, window, _), row in world.rows.items()
                if (scope, window) == ("channel", "session")]  # fmt: skip
    assert {row.scope_id: row.people["viewers"] for row in channels} == {
        "feed": 2, "search": 1, "share": 1, "unknown": 1,
    }  # fmt: skip
    session = world.row()
    assert _added(channels) == (session.counts, session.people, session.money)


def _added(rows: Sequence[ConversionRow]) -> tuple[dict[str, int], ...]:
    return tuple(
        {
            name: sum(of.get(name, 0) for of in found)
            for name in sorted({n for of in found for n in of})
        }
        for found in zip(*((row.counts, row.people, row.money) for row in rows), strict=True)
    )


# --- carts --------------------------------------------------------------------------------------


def test_a_cart_holds_what_was_added_and_not_removed() -> None:
    """Pieces add up; the last one taken out takes the product along."""
    world = World()
    world.feed(
        event(ev.CartAdded, 1, product_id="p1", quantity=2, **SHOP),
        event(ev.CartAdded, 2, product_id="p1", **SHOP),
        event(ev.CartAdded, 3, product_id="p2", **SHOP),
        event(ev.CartRemoved, 4, product_id="p1", quantity=2, **SHOP),
        event(ev.CartRemoved, 5, product_id="p2", **SHOP),
    )
    assert cart(world) == {"p1": 1}


def test_removing_what_is_not_there_is_only_counted() -> None:
    """The adding event may have been lost."""
    world = World()
    world.says(ev.CartRemoved, 1, product_id="p1", **SHOP)
    assert cart(world) == {}
    world.close()
    assert world.row("product", "p1").counts == {"CartRemoved": 1}


def test_an_order_takes_its_pieces_out_of_the_cart() -> None:
    """What was not ordered stays."""
    world = World()
    world.feed(
        event(ev.CartAdded, 1, product_id="p1", quantity=3, **SHOP),
        event(ev.CartAdded, 2, product_id="p2", **SHOP),
        order(ev.OrderPlaced, 3),
    )
    assert cart(world) == {"p1": 1, "p2": 1}


# --- orders -------------------------------------------------------------------------------------


def test_a_paid_order_is_gross_and_net_value() -> None:
    """What was paid is shared out over the products by what their lines are worth."""
    world = World()
    world.feed(
        order(ev.OrderPlaced, 1, lines=LINES, amount=4_500),
        order(ev.OrderPaid, 2, lines=LINES, amount=4_500),
    )
    expected = {"gmv_gross": 4_500, "gmv_net": 4_500, "refunded": 0, "ordered_amount": 4_500}
    assert bought(world) == expected
    assert world.row().counts["units"] == 3
    assert world.row("product", "p1").money["gmv_gross"] == 2_700
    assert world.row("product", "p2").money["gmv_gross"] == 1_800


@pytest.mark.parametrize("kind", [ev.OrderPlaced, ev.OrderPaid])
def test_an_order_under_a_second_event_id_counts_once(kind: type[ev.OrderEvent]) -> None:
    """Orders are known by their order id; the repeat is counted as a duplicate."""
    world = World()
    world.feed(order(kind, 1))
    repeat = world.feed(order(kind, 2), order(kind, 12))
    assert len(repeat.duplicates) == 2
    once = World()
    once.feed(order(kind, 1))
    assert bought(world) == bought(once)
    assert world.row().counts == once.row().counts
    assert world.row().people == once.row().people


@pytest.mark.parametrize(
    "kinds", list(permutations([ev.OrderPlaced, ev.OrderPaid, ev.OrderRefunded])), ids=str
)
def test_the_events_of_an_order_may_come_in_any_order(kinds: Sequence[type[ev.OrderEvent]]) -> None:
    """All of it counts in the end, and nothing twice."""
    world = World()
    for second, kind in enumerate(kinds):
        amount = 500 if kind is ev.OrderRefunded else 2_000
        world.feed(order(kind, second, amount=amount))
    assert bought(world) == {
        "gmv_gross": 2_000, "gmv_net": 1_500, "refunded": 500, "ordered_amount": 2_000,
    }  # fmt: skip


def test_a_refund_corrects_the_pane_of_the_payment() -> None:
    """Its net value is what really came of it; the refund's own pane loses nothing."""
    world = World()
    world.feed(order(ev.OrderPaid, 5))
    world.wait(40)
    assert world.row(window="10s").status == "final"
    world.feed(order(ev.OrderRefunded, 95, amount=800))
    world.close()
    paid = world.row(window="10s")
    assert (paid.status, paid.money["gmv_net"]) == ("correction", 1_200)
    assert world.row(window="10s", pane=PANE + 9).money["gmv_net"] == 0
    assert world.row(window="10s", pane=PANE + 9).counts == {"OrderRefunded": 1}


_order_event = st.tuples(
    st.sampled_from([ev.OrderPlaced, ev.OrderPaid, ev.OrderRefunded]),
    st.integers(0, 2_500),
    st.integers(0, 40),
)


@given(st.lists(_order_event, max_size=8), st.integers(0, 2_000))
@settings(max_examples=30, deadline=None)
def test_refunds_never_exceed_what_was_paid(
    events: list[tuple[type[ev.OrderEvent], int, int]], amount: int
) -> None:
    """In whatever order, however often and however high: session and product stay above zero."""
    world = World()
    world.feed(order(ev.OrderPlaced, 0, amount=amount), order(ev.OrderPaid, 1, amount=amount))
    for kind, other, second in events:
        lines = (ev.Line("p1", 1, other),)
        said = {"amount": other, "lines": lines} if kind is ev.OrderRefunded else {"amount": amount}
        world.feed(order(kind, second, **said))
    money = bought(world)
    refunds = [other for kind, other, _ in events if kind is ev.OrderRefunded]
    assert money["gmv_gross"] == amount
    assert money["refunded"] == min(sum(refunds), amount)
    assert world.row("product", "p1").money["gmv_net"] >= 0


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 700)), min_size=1, max_size=5),
    st.integers(0, 3_000),
    st.lists(st.integers(0, 1_500), max_size=3),
)
@settings(max_examples=30, deadline=None)
def test_products_share_what_was_paid_and_given_back(
    lines: list[tuple[int, int]], amount: int, refunds: list[int]
) -> None:
    """With a coupon, with shipping, with refunds that name all lines: never below zero."""
    world = World()
    said = tuple(ev.Line(f"p{n}", *line) for n, line in enumerate(lines))
    world.feed(
        order(ev.OrderPaid, 1, lines=said, amount=amount),
        *(order(ev.OrderRefunded, 2, lines=said, amount=one) for one in refunds),
    )
    money = bought(world)
    products = [world.row("product", line.product_id).money for line in said]
    if any(line.unit_price for line in said):
        assert sum(one["gmv_gross"] for one in products) == money["gmv_gross"] == amount
        assert sum(one["gmv_net"] for one in products) == money["gmv_net"]
    assert all(one["gmv_net"] >= 0 for one in products)


def test_an_order_refunded_twice_is_refunded_once_for_its_products_too() -> None:
    """The second report under a new event id gives nothing back."""
    world = World()
    world.feed(order(ev.OrderPaid, 1), order(ev.OrderRefunded, 2), order(ev.OrderRefunded, 3))
    assert bought(world)["gmv_net"] == 0
    assert world.row("product", "p1").money["gmv_net"] == 0


def test_two_part_refunds_that_overtake_their_payment_both_count() -> None:
    """Until the payment is known, what is given back is believed."""
    world = World()
    world.feed(
        order(ev.OrderRefunded, 1, amount=500), order(ev.OrderRefunded, 2, amount=300),
        order(ev.OrderPaid, 3),
    )  # fmt: skip
    assert bought(world)["gmv_net"] == 1_200


@pytest.mark.parametrize("kind", [ev.OrderPaid, ev.OrderRefunded])
def test_a_machine_may_report_for_a_viewer_who_is_gone(kind: type[ev.OrderEvent]) -> None:
    """A payment minutes later does not bring the buyer back into the room."""
    world = World()
    world.feed(order(kind, 1))
    assert world.state.sessions["s1"].room.present == 0


def test_a_refund_of_a_payment_whose_pane_is_forgotten_counts_in_its_own() -> None:
    """A day later the pane is gone; what it held must not be replaced by the refund alone."""
    world = World()
    world.feed(order(ev.OrderPaid, 5), event(ev.LikesSent, 6, count=50))
    later = 26 * 3_600
    world.says(ev.Heartbeat, later)
    assert PANE not in world.state.sessions["s1"].panes
    world.feed(order(ev.OrderRefunded, later))
    assert PANE not in world.state.sessions["s1"].panes
    assert bought(world)["gmv_net"] == 0
    assert world.row().counts["LikesSent"] == 50


def test_clicks_with_a_full_cart_do_not_silence_hesitation() -> None:
    """Once the cart is empty again the second click counts, however many came before."""
    world = World()
    world.says(ev.CartAdded, 1, product_id="x", **SHOP)
    for number, product_id in enumerate("abc"):
        world.says(ev.ProductClicked, 2 + number, product_id=product_id)
    world.feed(order(ev.OrderPlaced, 6, lines=(ev.Line("x", 1, 1_000),)))
    for number, product_id in enumerate("defg"):
        world.says(ev.ProductClicked, 7 + number, id=f"click-{product_id}", product_id=product_id)
    hesitating = [one for one in world.results.decisions if one.rule == "hesitating"]
    assert [one.cause_id for one in hesitating] == ["click-e"]


def test_a_click_on_what_was_in_the_cart_is_no_second_hesitation() -> None:
    """It is not counted, so the two clicks that were must not be answered again."""
    world = World()
    world.says(ev.CartAdded, 1, product_id="a", **SHOP)
    world.says(ev.CartRemoved, 2, product_id="a", **SHOP)
    for number, product_id in enumerate("bcaaa"):
        world.says(ev.ProductClicked, 3 + number, product_id=product_id)
    assert [one.rule for one in world.results.decisions] == ["cart_removed", "hesitating"]
