"""The story of one session, one believable record of every type, and how to get them wrong.

``livepulse schemas export`` publishes them as example files for the teams on both sides.
The results are what livepulse makes of the events, with 80 other viewers in the room.
"""

from base64 import b64encode
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from schemas import events as e
from schemas import results as r

_START_MS = 1_767_182_400_000  # 2025-12-31T12:00:00Z
_ROOM = "session-8042"
_VIEWER = "viewer-1f3a"
_POLICY = "2026-11-1"
#: The triggers that the story leads to: for the cart that waits, the order, what is taken out.
_COUPON = "gsucdh5pxlqjgnybptskbcunje"
_GOES_WITH_IT = "74nzvzmceqrkpk5biwumujsdi4"
_INSTEAD = "sf4up6hbor6yx3q7riopj37eiy"


def _at(second: int) -> dict[str, Any]:
    """Say what every event says, for the event that happens in this second of the story."""
    return {"id": f"event-{second:04}", "ts": _START_MS + second * 1_000, "session_id": _ROOM}


def _viewer_at(second: int) -> dict[str, Any]:
    return _at(second) | {"viewer_id": _VIEWER}


_IN_CART: dict[str, Any] = {
    "product_id": "lipstick-03", "quantity": 2, "unit_price": 5_900, "currency": "CNY",
}  # fmt: skip
_ORDER: dict[str, Any] = {
    "order_id": "order-77120",
    "lines": (e.Line(product_id="lipstick-03", quantity=2, unit_price=5_900),),
    "amount": 10_800,
    "currency": "CNY",
    "trigger_id": _COUPON,
}
_TO_VIEWER: dict[str, Any] = {"session_id": _ROOM, "viewer_id": _VIEWER}
#: A record that is refused: a price below zero.
_BELOW_ZERO = msgspec.json.encode(
    e.CartAdded(**_viewer_at(91), **_IN_CART | {"unit_price": -5_900})
)

EVENTS: tuple[e.Event, ...] = (
    e.SessionStarted(**_at(0), title="年终美妆专场", host_id="host-12", currency="CNY"),
    e.ProductListed(
        **_at(1), product_id="lipstick-03", price=5_900, stock=400, currency="CNY", title="口红 03"
    ),
    e.OfferListed(
        **_at(2),
        offer_id="offer-ten-off",
        kind="amount_off",
        value=1_000,
        currency="CNY",
        minimum_spend=9_900,
        budget=500_000,
        per_viewer_cap=1,
        valid_until=_START_MS + 7_200_000,
        margin=0.35,
    ),
    e.ProductPinned(**_at(3), product_id="lipstick-03"),
    e.RoomShown(**_viewer_at(20)),
    e.ViewerEntered(**_viewer_at(22), channel="feed", follower=True),
    e.Heartbeat(**_viewer_at(32)),
    e.ProductExposed(**_viewer_at(33), product_id="lipstick-03"),
    e.ProductClicked(**_viewer_at(41), product_id="lipstick-03"),
    e.LikesSent(**_viewer_at(47), count=12),
    e.CommentPosted(**_viewer_at(55), text="有优惠券吗? any coupon?"),
    e.SessionShared(**_viewer_at(61)),
    e.HostFollowed(**_viewer_at(63)),
    e.CartAdded(**_viewer_at(90), **_IN_CART),
    e.TriggerDelivered(**_viewer_at(123), trigger_id=_COUPON),
    e.TriggerShown(**_viewer_at(124), trigger_id=_COUPON),
    e.TriggerAccepted(**_viewer_at(130), trigger_id=_COUPON),
    e.OrderPlaced(**_viewer_at(140), **_ORDER),
    e.OrderPaid(**_viewer_at(152), **_ORDER),
    e.StockChanged(**_at(153), product_id="lipstick-03", stock=398),
    e.ProductUnpinned(**_at(160), product_id="lipstick-03"),
    e.CartRemoved(**_viewer_at(170), **_IN_CART),
    e.TriggerDeclined(**_viewer_at(180), trigger_id=_GOES_WITH_IT, reason="dismissed"),
    e.TriggerFailed(**_viewer_at(190), trigger_id=_INSTEAD, reason="device offline"),
    e.ViewerLeft(**_viewer_at(200)),
    e.SessionEnded(**_at(7_200)),
    e.OrderRefunded(**_viewer_at(9_000), **_ORDER),
    e.ViewerErased(**_viewer_at(90_000)),
)

RESULTS: tuple[Struct, ...] = (
    r.CouponTrigger(
        **_TO_VIEWER,
        trigger_id=_COUPON,
        rule="cart_waiting",
        cause_id="event-0090",
        decided_at=_START_MS + 120_000,
        expires_at=_START_MS + 240_000,
        reasons=(r.Reason(code="cart_age_s", weight=30.0),),
        policy_version=_POLICY,
        offer_id="offer-ten-off",
        kind="amount_off",
        value=1_000,
        discount=1_000,
        minimum_spend=9_900,
        currency="CNY",
        products=("lipstick-03",),
    ),
    r.RecommendationTrigger(
        **_TO_VIEWER,
        trigger_id=_GOES_WITH_IT,
        rule="after_order",
        cause_id="event-0140",
        decided_at=_START_MS + 140_000,
        expires_at=_START_MS + 200_000,
        reasons=(r.Reason(code="ordered", weight=1.0),),
        policy_version=_POLICY,
        suggestions=(
            r.Suggestion(product_id="mirror-01", score=1.301353, source="co_order"),
            r.Suggestion(product_id="brush-07", score=0.090909, source="best_seller"),
        ),
    ),
    r.ConversionRow(
        session_id=_ROOM,
        scope="product",
        scope_id="lipstick-03",
        window="1m",
        start=_START_MS + 60_000,
        end=_START_MS + 120_000,
        status="final",
        revision=7,
        announced=True,
        currency="CNY",
        counts={
            "ProductExposed": 80,
            "ProductClicked": 60,
            "CartAdded": 41,
            "OrderPlaced": 12,
            "OrderPaid": 12,
            "units": 12,
        },
        people={"exposed": 80, "clicked": 60, "carted": 41, "ordered": 12, "paid": 12},
        money={"gmv_gross": 70_800, "gmv_net": 70_800, "refunded": 0, "ordered_amount": 70_800},
        rates={
            "aov": r.Rate(5_900.0, 70_800, 12, "paid_orders"),
            "click_to_order": r.Rate(0.2, 12, 60, "product_clicks"),
            "card_click_rate": r.Rate(0.75, 60, 80, "exposed"),
            "cart_rate": r.Rate(41 / 60, 41, 60, "clicked"),
            "order_rate": r.Rate(12 / 41, 12, 41, "carted"),
            "pay_rate": r.Rate(None, 12, 12, "ordered"),
            "refund_rate": r.Rate(0.0, 0, 70_800, "gmv_gross"),
        },
    ),
    r.ChurnRow(
        **_TO_VIEWER,
        ts=_START_MS + 123_000,
        probability=0.7766,
        level="high",
        reasons=(
            r.Reason(code="silent", weight=2.8),
            r.Reason(code="idle", weight=0.44),
            r.Reason(code="open_cart", weight=-0.411),
        ),
        cart_value=11_800,
        watch_s=101,
    ),
    r.Decision(
        **_TO_VIEWER,
        decision_id="uha6jjm3m2fahbvbebjaao6l64",
        kind="coupon",
        rule="at_risk",
        cause_id="event-0090",
        decided_at=_START_MS + 130_000,
        outcome="suppressed",
        reason="too_soon",
        policy_version=_POLICY,
    ),
    r.DeadLetter(
        topic="live.carts",
        partition=3,
        offset=120_554,
        ts=_START_MS + 91_000,
        reason="invalid_field",
        detail="Expected `int` >= 0 - at `$.unit_price`",
        key=_VIEWER,
        size=len(_BELOW_ZERO),
        raw=b64encode(_BELOW_ZERO).decode(),
    ),
)

_MISSING_VIEWER: dict[str, dict[str, Any]] = {"missing-viewer-id": {"viewer_id": UNSET}}
_WRONG_PRODUCT: dict[str, dict[str, Any]] = {
    "missing-product-id": {"product_id": UNSET},
    "empty-product-id": {"product_id": ""},
}
_WRONG_PRICE: dict[str, dict[str, Any]] = {
    "negative-price": {"unit_price": -5_900},
    "price-in-major-units": {"unit_price": 59.5},
    "zero-quantity": {"quantity": 0},
    "lower-case-currency": {"currency": "cny"},
}
_WRONG_ORDER: dict[str, dict[str, Any]] = {
    "no-lines": {"lines": []},
    "line-without-price": {"lines": [{"product_id": "lipstick-03", "quantity": 2}]},
    "negative-amount": {"amount": -10_800},
    "missing-order-id": {"order_id": UNSET},
}
_WRONG_OUTCOME: dict[str, dict[str, Any]] = {
    "missing-trigger-id": {"trigger_id": UNSET},
    "reason-as-number": {"reason": 404},
}

#: What is changed in the valid record to spoil it; UNSET leaves the field out.
_SPOILED: dict[type, dict[str, dict[str, Any]]] = {
    e.RoomShown: _MISSING_VIEWER,
    e.ViewerEntered: {"follower-as-text": {"follower": "yes"}, "empty-channel": {"channel": ""}},
    e.Heartbeat: {"time-as-text": {"ts": "2025-12-31T12:00:32Z"}, "negative-time": {"ts": -1}},
    e.ViewerLeft: {"missing-time": {"ts": UNSET}},
    e.ProductExposed: _WRONG_PRODUCT,
    e.ProductClicked: _WRONG_PRODUCT,
    e.LikesSent: {"zero-count": {"count": 0}, "count-as-text": {"count": "12"}},
    e.CommentPosted: {"missing-text": {"text": UNSET}, "text-too-long": {"text": "6" * 2_001}},
    e.SessionShared: {"missing-id": {"id": UNSET}, "empty-id": {"id": ""}},
    e.HostFollowed: {"type-of-another": {"type": "SessionShared"}},
    e.CartAdded: _WRONG_PRODUCT | _WRONG_PRICE,
    e.CartRemoved: _WRONG_PRODUCT | _WRONG_PRICE,
    e.OrderPlaced: _WRONG_ORDER,
    e.OrderPaid: _WRONG_ORDER,
    e.OrderRefunded: _WRONG_ORDER,
    e.TriggerDelivered: _WRONG_OUTCOME,
    e.TriggerShown: _WRONG_OUTCOME,
    e.TriggerAccepted: _WRONG_OUTCOME,
    e.TriggerDeclined: _WRONG_OUTCOME,
    e.TriggerFailed: _WRONG_OUTCOME,
    e.ViewerErased: _MISSING_VIEWER,
    e.SessionStarted: {"currency-as-symbol": {"currency": "¥"}},
    e.SessionEnded: {"missing-session-id": {"session_id": UNSET}},
    e.ProductListed: {"negative-stock": {"stock": -1}, "missing-price": {"price": UNSET}},
    e.StockChanged: {"stock-as-text": {"stock": "398"}},
    e.ProductPinned: _WRONG_PRODUCT,
    e.ProductUnpinned: _WRONG_PRODUCT,
    e.OfferListed: {
        "unknown-kind": {"kind": "free_shipping"},
        "nothing-off": {"value": 0},
        "margin-in-percent": {"margin": 35},
        "missing-budget": {"budget": UNSET},
    },
}


def valid(record_type: type) -> dict[str, Any]:
    """Give the valid sample of this type as a JSON value. KeyError: it has none."""
    samples = {type(sample): sample for sample in (*EVENTS, *RESULTS)}
    record: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(samples[record_type]))
    return record


def invalid(event_type: type) -> dict[str, dict[str, Any]]:
    """Give the spoiled samples of this type: what is wrong -> JSON value; none for results."""
    record = valid(event_type)
    return {
        what: {field: value for field, value in (record | change).items() if value is not UNSET}
        for what, change in _SPOILED.get(event_type, {}).items()
    }
