"""What the demo's viewers do with triggers: the same every time, and events of the contract."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from agents.demo.reactions import reactions
from schemas import events as ev
from schemas.results import CouponTrigger, RecommendationTrigger, Suggestion

NOW = 1_790_000_000_000
PRICES = {"p1": 10_000}


def coupon(number: int, **fields: Any) -> CouponTrigger:
    """Make a coupon of 5.00 off."""
    return CouponTrigger(
        **_trigger(number), offer_id="o", kind="amount_off", value=500, discount=500,
        minimum_spend=0, currency="CNY", products=("p0", "p1"), **fields,
    )  # fmt: skip


def recommendation(number: int) -> RecommendationTrigger:
    """Make a recommendation."""
    return RecommendationTrigger(
        **_trigger(number), suggestions=(Suggestion("p1", 0.5, "co_cart"),)
    )


def _trigger(number: int) -> dict[str, Any]:
    return {
        "trigger_id": f"t{number}", "session_id": "s1", "viewer_id": "ann", "rule": "r",
        "cause_id": "e", "decided_at": NOW, "expires_at": NOW, "reasons": (), "policy_version": "1",
    }  # fmt: skip


def told(number: int) -> list[ev.ViewerEvent]:
    """Return what becomes of a coupon."""
    return [event for _, event in reactions(coupon(number), PRICES, NOW)]


def test_all_fates_occur_and_none_is_twice() -> None:
    """Some fail, most are shown; of those some are waved away, taken, or lead to an order."""
    counts = Counter(type(event).__name__ for n in range(2_000) for event in told(n))
    assert counts["TriggerShown"] + counts["TriggerFailed"] == 2_000
    assert 0 < counts["TriggerFailed"] < counts["TriggerDeclined"] < counts["TriggerShown"]
    assert 0 < counts["OrderPaid"] == counts["OrderPlaced"] < counts["TriggerAccepted"]
    ids = [event.id for n in range(2_000) for event in told(n)]
    assert len(ids) == len(set(ids))


def test_a_trigger_has_the_same_fate_every_time() -> None:
    """Chance is its own id."""
    assert [told(n) for n in range(50)] == [told(n) for n in range(50)]


def test_an_order_names_its_coupon_and_pays_less() -> None:
    """One piece of a product whose price is known, minus the discount."""
    paid = [event for n in range(200) for event in told(n) if isinstance(event, ev.OrderPaid)]
    assert paid
    assert {(one.amount, one.lines[0].product_id) for one in paid} == {(9_500, "p1")}
    assert all(one.trigger_id == one.order_id.removeprefix("o-") for one in paid)


def test_without_a_price_nothing_is_ordered() -> None:
    """The shelf was not read yet."""
    events = [event for n in range(200) for _, event in reactions(coupon(n), {}, NOW)]
    assert not any(isinstance(event, ev.OrderEvent) for event in events)


def test_recommendations_lead_to_no_order_of_their_own() -> None:
    """Who takes one looks at the product, which the simulator tells by itself."""
    events = [event for n in range(500) for _, event in reactions(recommendation(n), PRICES, NOW)]
    assert {type(event) for event in events} == {
        ev.TriggerShown, ev.TriggerAccepted, ev.TriggerDeclined, ev.TriggerFailed,
    }  # fmt: skip


@pytest.mark.parametrize("number", range(20))
def test_what_is_told_keeps_to_the_contract(number: int) -> None:
    """It reads back as the worker reads it, in order of its time."""
    waits = [wait_s for wait_s, _ in reactions(coupon(number), PRICES, NOW)]
    assert waits == sorted(waits)
    for event in told(number):
        assert msgspec.json.decode(msgspec.json.encode(event), type=type(event)) == event
