"""What goes out: triggers, table rows, decisions and dead letters.

Every trigger says who, what, until when, why, and which policy decided it with which
probability. ``trigger_id`` is a hash of the rule, the session, the viewer and the causing
event: the same cause has the same id for ever, so a consumer can drop what it has seen.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.codes import MONEY, PEOPLE, RATES, REFUSALS, RULES, WHY, WHY_NOT
from schemas.events import Currency, Id, Millis, Minor

Probability = Annotated[float, Meta(ge=0, le=1)]
Status = Literal["provisional", "final", "correction"]
Level = Literal["low", "high"]
Scope = Literal["session", "product", "channel"]
Window = Literal["10s", "1m", "5m", "session"]


def _codes(about: str, meanings: dict[str, str]) -> Meta:
    """Describe a field that holds codes, as a list in Markdown."""
    lines = (f"- `{code}`: {meaning}" for code, meaning in meanings.items())
    return Meta(description="\n".join((f"{about}:\n", *lines)))


Rule = Annotated[str, _codes("what made it worth considering", RULES)]


class Reason(Struct, frozen=True, gc=False):
    """Why, as a code and the weight it had; the heaviest reason comes first.

    Log odds are what it adds to those of leaving within 60 s, compared with a viewer who is
    neither likely to leave nor likely to stay; below zero it speaks for staying.
    """

    code: Annotated[str, _codes("what it was", WHY)]
    weight: Annotated[float, Meta(description="in the unit that the code's meaning tells")]


class Trigger(Struct, frozen=True, gc=False, kw_only=True):
    """What every trigger says, whatever it offers."""

    trigger_id: Id
    session_id: Id
    viewer_id: Id
    rule: Rule
    cause_id: Annotated[str, Meta(description="id of the event that caused the decision")]
    decided_at: Annotated[Millis, Meta(description="stream time of the decision")]
    expires_at: Millis
    reasons: tuple[Reason, ...]
    policy_version: str
    experiment: str | None = None
    propensity: Probability = 1.0


class CouponTrigger(Trigger, frozen=True, gc=False, kw_only=True):
    """Offer this viewer this coupon now. Its cost is already reserved in the budget."""

    offer_id: Id
    kind: Literal["amount_off", "percent_off"]
    value: int
    discount: Annotated[Minor, Meta(description="what it takes off the cart it was decided for")]
    minimum_spend: Minor
    currency: Currency
    products: Annotated[tuple[str, ...], Meta(description="products in the cart, or clicked")]


class Suggestion(Struct, frozen=True, gc=False):
    """One recommended product, with its score and where it comes from."""

    product_id: Id
    score: float
    source: Literal["co_order", "co_cart", "co_click", "best_seller", "pinned"]


class RecommendationTrigger(Trigger, frozen=True, gc=False, kw_only=True):
    """Show this viewer these products now, best first (at most four)."""

    suggestions: tuple[Suggestion, ...]


class Decision(Struct, frozen=True, gc=False, kw_only=True):
    """Something was considered: a trigger was sent, or suppressed for ``reason``."""

    decision_id: Id
    kind: Literal["coupon", "recommendation"]
    rule: Rule
    session_id: Id
    viewer_id: Id
    cause_id: str
    decided_at: Millis
    outcome: Literal["sent", "suppressed"]
    reason: Annotated[str, _codes("'sent' when it was sent; else why not", WHY_NOT)]
    trigger_id: str | None = None
    offer_id: str | None = None
    policy_version: str
    propensity: Probability = 1.0


class Rate(Struct, frozen=True, gc=False):
    """A rate that names what it is a part of.

    ``value`` is null when the denominator is too small to mean anything: fewer than 30
    people for rates of people, zero otherwise.
    """

    value: float | None
    numerator: int
    denominator: int
    per: Annotated[str, Meta(description="what the denominator counts, e.g. 'viewers'")]


class ConversionRow(Struct, frozen=True, gc=False, kw_only=True):
    """What happened in one window of one session, product or source channel.

    ``provisional`` until the watermark passes the window's end + grace, then ``final``;
    whatever changes later is a ``correction`` with a higher ``revision``. Rows of the window
    ``session`` start at the first pane and end at the newest one seen. When a session starts again
    after its end, those that were final go on as corrections, with one more at its next end.
    """

    session_id: Id
    scope: Scope
    scope_id: Annotated[str, Meta(description="product id or channel; the session's own id else")]
    window: Window
    start: Millis
    end: Millis
    status: Status
    revision: int
    announced: bool
    currency: str | None
    counts: Annotated[
        dict[str, int],
        Meta(
            description="viewers' events by type, likes by their count, and `units`, the pieces"
            " ordered; what did not happen is left out"
        ),
    ]
    people: Annotated[dict[str, int], _codes("distinct viewers who", PEOPLE)]
    money: Annotated[dict[str, int], _codes("in minor units", MONEY)]
    rates: Annotated[dict[str, Rate], _codes("in all scopes and windows, unless told", RATES)]
    present: Annotated[int | None, Meta(description="viewers present at its end (sessions)")] = None
    peak_present: int | None = None


class ChurnRow(Struct, frozen=True, gc=False, kw_only=True):
    """A viewer's risk of leaving within 60 s has changed its level.

    Who leaves gets no further row: drop a viewer on ``ViewerLeft``, and after 60 s without an event
    of theirs (the policy's ``silence_ms``). Who comes back begins at low.
    """

    session_id: Id
    viewer_id: Id
    ts: Millis
    probability: Probability
    level: Level
    reasons: tuple[Reason, ...]
    cart_value: Minor
    watch_s: int


class DeadLetter(Struct, frozen=True, gc=False, kw_only=True):
    """A record that could not be used, where it stands, and what to mend.

    ``raw`` is the value in base64, its first 64 KiB if it is longer (``size`` tells); the
    whole record is still at ``topic``/``partition``/``offset``.
    """

    topic: str
    partition: int
    offset: int
    ts: Annotated[int, Meta(description="the record's own timestamp, epoch ms")]
    reason: Annotated[str, _codes("what is wrong", REFUSALS)]
    detail: Annotated[str, Meta(description="names the field and the fix")]
    key: str | None
    size: int
    raw: str


RESULT_TYPES: dict[str, type[Struct]] = {
    "live.triggers.coupons": CouponTrigger,
    "live.triggers.recommendations": RecommendationTrigger,
    "live.conversion": ConversionRow,
    "live.churn": ChurnRow,
    "live.decisions": Decision,
    "live.dead-letters": DeadLetter,
}
