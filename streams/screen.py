"""What the host screen says of a session: plain values, from which its API is described.

Money is minor units of the session's currency, times are epoch ms. Viewers are pseudonyms.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.results import Reason, Status

Step = Literal["viewers", "exposed", "clicked", "carted", "ordered", "paid"]
Factor = Literal["enter_rate", "click_rate", "click_to_order", "order_value"]
TriggerKind = Literal["coupon", "recommendation"]
TriggerState = Literal["sent", "shown", "accepted", "declined", "failed", "expired"]
MarkerKind = Literal["pin", "unpin", "offer", "flash_price", "stock_out", "trigger"]


class Share(Struct, frozen=True):
    """A rate that names its denominator; ``value`` is null when ``of`` is too small."""

    value: float | None
    of: int


class SessionLine(Struct, frozen=True, kw_only=True):
    """One line of the list of sessions.

    ``orders`` are paid ones. ``stale``: the session is live and ``written_at`` too long ago.
    """

    id: str
    title: str
    host_id: str
    currency: str | None
    started: int
    ended: int | None
    announced: bool
    viewers_now: int
    viewers: int
    peak: int
    gmv_gross: int
    gmv_net: int
    orders: int
    at_risk: int
    events_per_s: Annotated[float, Meta(description="last minute; every like counts as one")]
    written_at: Annotated[int | None, Meta(description="of the oldest part that has viewers")]
    stale: bool


class Now(Struct, frozen=True, kw_only=True):
    """The room at this moment; comings and goings are those of the last full minute."""

    viewers: int
    joining_per_min: int
    leaving_per_min: int
    events_per_s: float


class Tile(Struct, frozen=True, kw_only=True):
    """A number so far, in the last 5 min, and what 5 min brought on average before those."""

    value: float | None
    last_5m: float | None
    baseline: float | None
    of: int


class FunnelStep(Struct, frozen=True, kw_only=True):
    """People who took a step, and which share of those of the step before they are."""

    step: Step
    people: int
    from_previous: Share
    last_5m: Share
    baseline: Share


class GpmFactor(Struct, frozen=True, kw_only=True):
    """A factor of ``show_gpm`` over the last 5 min, and over the session before them."""

    name: Factor
    value: float | None
    baseline: float | None
    of: int


class Gpm(Struct, frozen=True, kw_only=True):
    """GMV of a thousand impressions, and which of its factors drags it down."""

    value: float | None
    factors: tuple[GpmFactor, ...]
    furthest_below: Factor | None


class ReasonCount(Struct, frozen=True):
    """How many of the likeliest to leave have this reason."""

    code: str
    viewers: int


class RiskLine(Struct, frozen=True, kw_only=True):
    """A viewer who may leave."""

    viewer: str
    risk: float
    reasons: tuple[str, ...]
    cart_value: int


class Risk(Struct, frozen=True, kw_only=True):
    """Who is slipping away. ``bins``: viewers by risk, in tenths; carts of present viewers."""

    bins: Annotated[tuple[int, ...], Meta(min_length=10, max_length=10)]
    at_risk: int
    carts: int
    carts_value: int
    carts_at_risk: int
    carts_at_risk_value: int
    reasons: tuple[ReasonCount, ...]
    top: tuple[RiskLine, ...]


class ProductLine(Struct, frozen=True, kw_only=True):
    """A product: on the shelf (``listed``) or once sold; people by step, carts, company."""

    id: str
    title: str
    price: int
    currency: str | None
    stock: int | None
    pinned: bool
    listed: bool
    exposed: int
    clicked: int
    carted: int
    ordered: int
    paid: int
    units_per_min: float
    gmv_gross: int
    carts: int
    carts_waiting: int
    oldest_cart_at: int | None
    sells_out_in_min: float | None
    bought_with: tuple[str, ...]


class OfferLine(Struct, frozen=True, kw_only=True):
    """A coupon that may be given out, and what is left of its budget."""

    id: str
    kind: Literal["amount_off", "percent_off"]
    value: int
    currency: str
    minimum_spend: int
    budget: int
    left: int
    valid_until: int


class TriggerCounts(Struct, frozen=True, kw_only=True):
    """What became of the triggers of a kind; ``revenue`` of paid orders that named one."""

    sent: int = 0
    shown: int = 0
    accepted: int = 0
    declined: int = 0
    failed: int = 0
    revenue: int = 0


class TriggerLine(Struct, frozen=True, kw_only=True):
    """One trigger and what became of it; ``amount`` is what a coupon takes off."""

    id: str
    at: int
    kind: TriggerKind
    rule: str
    viewer: str
    products: tuple[str, ...]
    reasons: tuple[Reason, ...]
    amount: int | None
    state: TriggerState


class HeldCount(Struct, frozen=True):
    """How often something was considered and not sent, for this reason."""

    reason: str
    count: int


class Triggers(Struct, frozen=True, kw_only=True):
    """What livepulse did, the newest first, and what it held back."""

    coupons: TriggerCounts
    recommendations: TriggerCounts
    latest: tuple[TriggerLine, ...]
    suppressed: tuple[HeldCount, ...]


class Suggestion(Struct, frozen=True):
    """What the host may do next: a code, and the ids and numbers of its sentence."""

    code: str
    params: dict[str, str | float]


class Marker(Struct, frozen=True, kw_only=True):
    """Something to be marked on the timeline."""

    at: int
    kind: MarkerKind
    product: str | None = None
    count: int | None = None


class Pane(Struct, frozen=True, kw_only=True):
    """Ten seconds of the timeline; a newer revision replaces the one with the same start."""

    start: int
    status: Status
    revision: int
    viewers: int | None
    entered: int
    left: int
    likes: int
    comments: int
    carts: int
    orders: int
    gmv_gross: int
    gmv_net: int


class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything that the host screen shows of a session, the timeline aside.

    ``at``: when it was made; ``data_at``: the event time that it has reached; ``written_at``:
    when the oldest part of it was written. ``revision`` grows with every snapshot. The most
    urgent of the ``suggestions`` comes first.
    """

    session: SessionLine
    at: int
    data_at: int
    written_at: int | None
    stale: bool
    revision: int
    now: Now
    money: dict[str, Tile]
    funnel: tuple[FunnelStep, ...]
    worst_step: Step | None
    gpm: Gpm
    risk: Risk
    products: tuple[ProductLine, ...]
    offers: tuple[OfferLine, ...]
    triggers: Triggers
    suggestions: tuple[Suggestion, ...]
    markers: tuple[Marker, ...]
