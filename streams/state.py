"""What a task remembers: plain structs that the changelog can carry.

Times are epoch milliseconds of event time, money is minor units. Fields that most viewers
never need (cart, orders, coupons) are None until they do.
"""

from typing import Literal

from msgspec import Struct, field

from streams.seen import Seen
from streams.timers import NEVER

UNKNOWN = "unknown"  # the channel of a viewer whose entry was not seen
UNSCORED = 10  # the churn risk of a viewer who is absent or has just come


class CartLine(Struct, array_like=True, gc=False):
    """One product in a cart: since when, and the event that put it there."""

    quantity: int
    unit_price: int
    since: int
    cause_id: str


class Interest(Struct, array_like=True, gc=False):
    """A viewer and one product: when which step was done, and the clicks with an empty cart."""

    seen: Seen = field(default_factory=Seen)
    clicks: int = 0


class Order(Struct, array_like=True, gc=False):
    """An order that may still be paid or refunded; its events may come in any order."""

    amount: int
    placed: bool = False
    paid_pane: int | None = None
    refunded: int = 0


class Coupon(Struct, array_like=True, gc=False):
    """A coupon of this viewer; ``status`` pending until the budget answers."""

    trigger_id: str
    offer_id: str
    at: int
    expires_at: int
    status: Literal["pending", "sent", "accepted", "declined", "failed", "expired"]
    amount: int = 0  # what it holds of the budget, in minor units; 0.1 did not note it
    is_asked: bool = False  # the budget is being asked: never so between two steps

    @property
    def is_open(self) -> bool:
        """Whether it holds money until it expires; one that is asked waits for the answer."""
        return self.status in ("sent", "pending") and not self.is_asked


class Visit(Struct, array_like=True, gc=False):
    """One viewer in one session. The first three fields stand where ``streams.sleeping`` says."""

    due: int = NEVER  # when the timer of this visit fires
    risk: int = UNSCORED  # churn risk when it was last scored, in tenths, rounded down
    cart: dict[str, CartLine] | None = None

    channel: str = UNKNOWN
    follower: bool = False
    present: bool = False
    entered: int = 0  # the present stay began
    last: int = 0  # newest event of any kind
    acted: int = 0  # newest act of intent: not a heartbeat, not an exposure
    watch_ms: int = 0  # over all stays
    matured: bool = False  # five minutes after the first entry have passed
    first: int = 0  # first entry
    recent: bytes = b""  # digests of the newest event ids, 8 bytes each
    seen: Seen = field(default_factory=Seen)

    # Exponentially decayed counts over 30 s and 5 min, as of ``rated_at``.
    rated_at: int = 0
    likes_30s: float = 0.0
    likes_5m: float = 0.0
    comments_30s: float = 0.0
    comments_5m: float = 0.0
    clicks_30s: float = 0.0
    clicks_5m: float = 0.0

    # Churn risk.
    scored: int = 0  # when it was last computed
    at_risk: bool = False
    risk_since: int = 0  # when the level last changed

    last_click: str = ""  # id of the newest ProductClicked, a cause for coupons
    interests: dict[str, Interest] | None = None
    orders: dict[str, Order] | None = None
    coupons: list[Coupon] | None = None
    recommended: list[int] | None = None
    considered: list[str] | None = None  # causes that a rule has already considered
    again: int = 0  # until then a cart that was considered in vain waits for a new offer's turn


class Product(Struct, array_like=True, gc=False):
    """A product on the shelf."""

    price: int
    stock: int
    currency: str
    title: str = ""


class Offer(Struct, array_like=True, gc=False):
    """A coupon that may be given out; see ``schemas.events.OfferListed``."""

    kind: Literal["amount_off", "percent_off"]
    value: int
    currency: str
    minimum_spend: int
    budget: int
    per_viewer_cap: int
    valid_until: int
    margin: float


class Shelf(Struct, array_like=True):
    """What the host says: the session itself, and what is on sale now."""

    announced: bool = False
    title: str = ""
    host_id: str = ""
    currency: str | None = None
    started: int = 0
    ended: int | None = None
    products: dict[str, Product] = field(default_factory=dict)
    pinned: str | None = None
    offers: dict[str, Offer] = field(default_factory=dict)
    recent: bytes = b""  # digests of the newest event ids of the host


class Room(Struct, array_like=True):
    """What a task knows of the room: how many of its viewers are there, how fast they leave."""

    present: int = 0
    leaves: float = 0.0  # decayed count over 60 s, as of ``left_at``
    left_at: int = 0
    newest: int = 0  # newest event of the session
    behind: int = 0  # by how much the session's clock is behind stream time
    behind_at: int = 0  # stream time when that was seen


class Affinity(Struct, array_like=True):
    """One product's company: viewers who clicked, carted, ordered it, and with what else."""

    people: list[int] = field(default_factory=lambda: [0, 0, 0])
    together: dict[str, list[int]] = field(default_factory=dict)
