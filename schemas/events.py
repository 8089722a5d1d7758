"""What comes in: one frozen struct per fact, named in the past tense.

Every event carries ``id`` (unique per producer), ``type`` (the class name), ``ts`` (when it
happened, epoch milliseconds UTC), ``session_id`` and, except for the host's own, ``viewer_id``.
Money is an integer of minor units with an ISO 4217 code. Unknown fields are ignored.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Id = Annotated[str, Meta(min_length=1, max_length=128, description="an opaque identifier")]
Millis = Annotated[int, Meta(ge=0, le=(1 << 53) - 1, description="epoch milliseconds, UTC")]
Count = Annotated[int, Meta(ge=1, le=1_000_000, description="how many, at least one")]
Minor = Annotated[int, Meta(ge=0, le=(1 << 53) - 1, description="minor units of the currency")]
Stock = Annotated[int, Meta(ge=0, le=1 << 31, description="pieces left to sell")]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", max_length=3, description="ISO 4217 code")]
Text = Annotated[str, Meta(max_length=2_000, description="what people read")]
Fraction = Annotated[float, Meta(ge=0, le=1, description="a part of one")]


class Event(Struct, frozen=True, gc=False, kw_only=True, tag_field="type", tag=True):
    """What every event says: which fact, when it happened, in which session."""

    id: Id
    ts: Millis
    session_id: Id


class ViewerEvent(Event, frozen=True, gc=False, kw_only=True):
    """A fact about one viewer; the record key is the ``viewer_id``."""

    viewer_id: Id


# --- live.visits ---------------------------------------------------------------------------


class RoomShown(ViewerEvent, frozen=True, gc=False, kw_only=True):
    """The room's card was shown to a person who may or may not enter: one impression."""


class ViewerEntered(ViewerEvent, frozen=True, gc=False, kw_only=True):
    """A viewer opened the room."""

    channel: Annotated[str, Meta(min_length=1, max_length=64)] = "unknown"
    follower: bool = False


class Heartbeat(ViewerEvent, frozen=True, gc=False, kw_only=True):
    """The viewer's player is still on; expected about every 10 s."""


class ViewerLeft(ViewerEvent, frozen=True, gc=False, kw_only=True):
    """The viewer closed the room."""


class ProductExposed(ViewerEvent, frozen=True, gc=False, kw_only=True):
    """A product card was shown to the viewer inside the room."""

    product_id: Id


class ProductClicked(ViewerEvent, frozen=True, gc=False, kw_only=True):
    """The viewer opened a product."""

    product_id: Id


# --- live.likes, live.comments, live.social --------------------------------------------------


class LikesSent(ViewerEvent, frozen=True, gc=False, kw_only=True):
    """The viewer tapped the heart ``count`` times since the last such event."""

    count: Count = 1


class CommentPosted(ViewerEvent, frozen=True, gc=False, kw_only=True):
    """The viewer wrote into the chat."""

    text: Text


class SessionShared(ViewerEvent, frozen=True, gc=False, kw_only=True):
    """The viewer shared the room."""


class HostFollowed(ViewerEvent, frozen=True, gc=False, kw_only=True):
    """The viewer began to follow the host."""


# --- live.carts ------------------------------------------------------------------------------


class CartAdded(ViewerEvent, frozen=True, gc=False, kw_only=True):
    """A product went into the viewer's cart."""

    product_id: Id
    quantity: Count = 1
    unit_price: Minor
    currency: Currency


class CartRemoved(ViewerEvent, frozen=True, gc=False, kw_only=True):
    """A product went out of the viewer's cart."""

    product_id: Id
    quantity: Count = 1
    unit_price: Minor
    currency: Currency


# --- live.purchases --------------------------------------------------------------------------


class Line(Struct, frozen=True, gc=False):
    """One product of an order."""

    product_id: Id
    quantity: Count
    unit_price: Minor


Lines = Annotated[tuple[Line, ...], Meta(min_length=1, max_length=200)]


class OrderEvent(ViewerEvent, frozen=True, gc=False, kw_only=True):
    """What every order event says. ``amount`` is what the buyer pays, or gets back.

    It is shared out over the products of ``lines`` by their value.
    """

    order_id: Id
    lines: Lines
    amount: Minor
    currency: Currency
    trigger_id: Id | None = None


class OrderPlaced(OrderEvent, frozen=True, gc=False, kw_only=True):
    """An order was created; it is not paid yet."""


class OrderPaid(OrderEvent, frozen=True, gc=False, kw_only=True):
    """An order was paid: this is when its GMV counts."""


class OrderRefunded(OrderEvent, frozen=True, gc=False, kw_only=True):
    """``amount`` of a paid order was given back; it lowers the net GMV of the payment's pane.

    ``lines`` are what it is given back for: what was returned, or the whole order.
    """


# --- live.outcomes ---------------------------------------------------------------------------


class TriggerEvent(ViewerEvent, frozen=True, gc=False, kw_only=True):
    """What became of a trigger that we published."""

    trigger_id: Id
    reason: Annotated[str, Meta(max_length=256)] | None = None


class TriggerDelivered(TriggerEvent, frozen=True, gc=False, kw_only=True):
    """The trigger reached the viewer's device."""


class TriggerShown(TriggerEvent, frozen=True, gc=False, kw_only=True):
    """The viewer saw it."""


class TriggerAccepted(TriggerEvent, frozen=True, gc=False, kw_only=True):
    """The viewer took the coupon or opened a recommended product."""


class TriggerDeclined(TriggerEvent, frozen=True, gc=False, kw_only=True):
    """The viewer dismissed it: its budget is free again."""


class TriggerFailed(TriggerEvent, frozen=True, gc=False, kw_only=True):
    """It never reached the viewer: its budget is free again, and it does not count as sent."""


# --- live.erasures ---------------------------------------------------------------------------

#: In place of a session's id: all of them.
EVERY_SESSION = "*"


class ViewerErased(Event, frozen=True, gc=False, kw_only=True):
    """The viewer is to be forgotten: state and views go, totals stay. Key: the ``viewer_id``.

    ``session_id`` is one session, or ``*`` for all of them.
    """

    viewer_id: Id


# --- live.host (key session_id, read whole by every task) --------------------------------------


class SessionStarted(Event, frozen=True, gc=False, kw_only=True):
    """The broadcast began; from here on the session is announced."""

    title: Annotated[str, Meta(max_length=256)] = ""
    host_id: Annotated[str, Meta(max_length=128)] = ""
    currency: Currency | None = None


class SessionEnded(Event, frozen=True, gc=False, kw_only=True):
    """The broadcast is over."""


class ProductListed(Event, frozen=True, gc=False, kw_only=True):
    """A product came onto the shelf, or its price changed."""

    product_id: Id
    price: Minor
    stock: Stock
    currency: Currency
    title: Annotated[str, Meta(max_length=256)] = ""


class StockChanged(Event, frozen=True, gc=False, kw_only=True):
    """So many pieces are left now."""

    product_id: Id
    stock: Stock


class ProductPinned(Event, frozen=True, gc=False, kw_only=True):
    """The host talks about this product now."""

    product_id: Id


class ProductUnpinned(Event, frozen=True, gc=False, kw_only=True):
    """The host moved on."""

    product_id: Id


class OfferListed(Event, frozen=True, gc=False, kw_only=True):
    """A coupon that livepulse may give out in this session.

    ``kind`` ``amount_off``: ``value`` is minor units; ``percent_off``: percent, more than 100 is
    refused.
    ``budget`` is the sum of all discounts that may be promised, in minor units.
    ``margin`` is the merchant's gross margin as a fraction of the price: no coupon eats more.
    """

    offer_id: Id
    kind: Literal["amount_off", "percent_off"]
    value: Annotated[
        int, Meta(ge=1, le=(1 << 53) - 1, description="minor units, or percent (at most 100)")
    ]
    currency: Currency
    minimum_spend: Minor = 0
    budget: Minor
    per_viewer_cap: Annotated[int, Meta(ge=1, le=100)] = 1
    valid_until: Millis
    margin: Fraction = 1.0


#: The topic each type is read from by default; several types may share one.
TOPICS: dict[str, tuple[type[Event], ...]] = {
    "live.visits": (
        RoomShown, ViewerEntered, Heartbeat, ViewerLeft, ProductExposed, ProductClicked,
    ),
    "live.likes": (LikesSent,),
    "live.comments": (CommentPosted,),
    "live.carts": (CartAdded, CartRemoved),
    "live.purchases": (OrderPlaced, OrderPaid, OrderRefunded),
    "live.social": (SessionShared, HostFollowed),
    "live.outcomes": (
        TriggerDelivered, TriggerShown, TriggerAccepted, TriggerDeclined, TriggerFailed,
    ),
    "live.erasures": (ViewerErased,),
    "live.host": (
        SessionStarted, SessionEnded, ProductListed, StockChanged,
        ProductPinned, ProductUnpinned, OfferListed,
    ),
}  # fmt: skip

EVENT_TYPES: tuple[type[Event], ...] = tuple(t for types in TOPICS.values() for t in types)
