"""Stream time: it moves with the events and wakes visits when something is due."""

from schemas import events as ev
from schemas.results import Decision
from tests.streams.world import SHOP, T0, World


def shop(world: World, **offer: object) -> None:
    """Announce a session with one product and one offer."""
    shelf(world)
    list_offer(world, 0.2, **offer)


def shelf(world: World) -> None:
    """Announce a session with one product."""
    world.says(ev.SessionStarted, 0, currency="CNY")
    world.says(ev.ProductListed, 0.1, product_id="p1", price=1_000, stock=9, currency="CNY")


def list_offer(world: World, second: float, **offer: object) -> None:
    """Let the host list an offer of 1.00 off."""
    terms = {
        "offer_id": "off", "kind": "amount_off", "value": 100, "currency": "CNY",
        "budget": 1_000, "valid_until": T0 + 3_600_000,
    }  # fmt: skip
    world.says(ev.OfferListed, second, **(terms | offer))


def keep_alive(world: World, begin: int, end: int) -> list[tuple[int, Decision]]:
    """Send a heartbeat every 10 s; returns what was decided at which second."""
    return [
        (second, decision)
        for second in range(begin, end + 1, 10)
        for decision in world.says(ev.Heartbeat, second).decisions
    ]


def test_stream_time_never_goes_back() -> None:
    """A late event does not turn it."""
    world = World()
    world.says(ev.Heartbeat, 50)
    world.says(ev.Heartbeat, 20)
    assert world.state.progress.clock == T0 + 50_000


def test_timers_fire_one_bound_behind_the_newest_event() -> None:
    """What happened before a timer was due may come up to 2 s late."""
    world = World()
    shop(world)
    world.says(ev.CartAdded, 10, product_id="p1", **SHOP)
    assert world.says(ev.Heartbeat, 41.9).coupons == []
    (coupon,) = world.says(ev.Heartbeat, 42).coupons
    assert (coupon.rule, coupon.decided_at) == ("cart_waiting", T0 + 40_000)


def test_an_order_just_before_the_timer_prevents_it() -> None:
    """The cart was not waiting any more when the timer was due."""
    world = World()
    shop(world)
    world.says(ev.CartAdded, 10, product_id="p1", **SHOP)
    world.says(ev.CartRemoved, 39, product_id="p1", **SHOP)
    keep_alive(world, 40, 60)
    assert world.results.coupons == []


def test_a_cart_of_an_earlier_stay_has_its_coupon_from_the_return_on() -> None:
    """Not from when it was 30 s old: that coupon would have ended before it was sent."""
    world = World()
    shop(world)
    world.says(ev.CartAdded, 1, product_id="p1", **SHOP)
    world.says(ev.ViewerLeft, 10)
    world.says(ev.ViewerEntered, 300)
    keep_alive(world, 310, 330)
    (coupon,) = world.results.coupons
    assert (coupon.decided_at, coupon.expires_at) == (T0 + 300_000, T0 + 420_000)


def test_a_new_offer_reaches_a_cart_that_has_waited_in_vain() -> None:
    """The same cause, decided once more when the offer has come."""
    world = World()
    shelf(world)
    world.says(ev.CartAdded, 1, product_id="p1", **SHOP)
    keep_alive(world, 10, 40)
    list_offer(world, 40.5)
    keep_alive(world, 50, 300)
    (coupon,) = world.results.coupons
    assert (coupon.rule, coupon.decided_at) == ("cart_waiting", T0 + 41_000)
    waiting = [one for one in world.results.decisions if one.rule == "cart_waiting"]
    assert [one.reason for one in waiting] == ["no_offer", "sent"]
    assert len({one.cause_id for one in waiting}) == 1


def test_an_order_just_after_a_new_offer_needs_no_coupon() -> None:
    """What the viewer did before stream time reached the cart has been seen."""
    world = World()
    shelf(world)
    world.says(ev.CartAdded, 1, product_id="p1", **SHOP)
    keep_alive(world, 10, 40)
    list_offer(world, 40.5)
    world.says(ev.CartRemoved, 40.9, product_id="p1", **SHOP)
    keep_alive(world, 50, 100)
    assert world.results.coupons == []


def test_a_new_offer_does_not_ask_again_who_had_a_coupon() -> None:
    """Nor does one come for a cart that has not waited long enough."""
    world = World()
    shop(world)
    world.says(ev.CartAdded, 1, product_id="p1", **SHOP)
    keep_alive(world, 10, 40)
    world.says(ev.CartAdded, 40, product_id="p1", viewer_id="v2", **SHOP)
    list_offer(world, 41, offer_id="better", value=200)
    world.says(ev.Heartbeat, 50, viewer_id="v2")
    assert [(one.viewer_id, one.reason) for one in world.results.decisions] == [("v1", "sent")]


def test_a_coupon_that_nobody_takes_gives_its_budget_back() -> None:
    """After its two minutes, also when its viewer is gone."""
    world = World()
    shop(world, budget=100)
    world.says(ev.CartAdded, 10, product_id="p1", **SHOP)
    keep_alive(world, 20, 50)
    assert world.ledger.spent("s1", "off") == 100
    world.says(ev.ViewerLeft, 55)
    world.wait(180)
    assert world.ledger.spent("s1", "off") == 0


def test_silence_raises_the_risk_before_it_ends_the_visit() -> None:
    """A viewer whose player went silent is looked at while the others go on."""
    world = World()
    world.says(ev.ViewerEntered, 0)
    keep_alive(world, 10, 30)
    for second in range(35, 100, 5):
        world.says(ev.Heartbeat, second, viewer_id="v2")
    high = [row for row in world.results.churn if row.viewer_id == "v1"]
    assert [row.level for row in high] == ["high"]
    assert high[0].ts < T0 + 90_000
    assert ("s1", "v1") in world.results.left


def test_a_room_that_falls_silent_as_a_whole_puts_nobody_at_risk() -> None:
    """When no event comes at all, the events are held up: no coupons for everybody."""
    world = World()
    for viewer_id in ("v1", "v2"):
        for second in (0, 10, 20):
            world.says(ev.Heartbeat, second, viewer_id=viewer_id)
    quiet = world.wait(100)
    assert quiet.churn == []
    assert sorted(quiet.left) == [("s1", "v1"), ("s1", "v2")]


def test_a_quiet_step_at_the_same_time_changes_nothing() -> None:
    """Time that has passed does not pass again."""
    world = World()
    world.says(ev.ViewerEntered, 0)
    world.wait(75)
    assert world.wait(75).is_empty()


def test_a_jump_of_stream_time_fires_each_timer_at_its_own_time() -> None:
    """After an hour of silence the viewer left 60 s after the last sign, not an hour after it."""
    world = World()
    world.says(ev.ViewerEntered, 0)
    world.says(ev.Heartbeat, 3_600, viewer_id="another")
    assert world.state.sessions["s1"].visits["v1"].last == T0 + 60_000
