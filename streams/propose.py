"""The one module that proposes: a moment has come in which a trigger might help.

Whether it is sent is for ``decide`` to say. A rule proposes once for a cause: rules that timers
ask again and again leave a mark in ``Visit.considered``; the cause of the others is the event
that is just being handled, and duplicates of events do not reach them. A new offer takes the
mark of a cart away that was considered in vain.
"""

from collections.abc import Iterator
from operator import attrgetter
from typing import Literal

from msgspec import Struct

from schemas.events import CartRemoved, Event, OfferListed, OrderPlaced, ProductClicked, ViewerEvent
from schemas.results import Reason
from streams import churn
from streams.ids import trigger_id
from streams.names import own
from streams.policy import Policy
from streams.seen import BLOCK
from streams.session import Session
from streams.state import CartLine, Interest, Visit
from streams.totals import CARTED, CLICKED, ORDERED

#: A recommendation looks at so many products, the newest ones.
SEEDS = 4
#: A visit remembers so many considered causes.
MARKS = 16
#: While the budget owes an answer for a coupon, none is proposed for so long.
RETRY_MS = 5_000
#: A new offer lets so many carts be considered a second: the budget answers for all at once.
CARTS_A_SECOND = 500

_AGE = attrgetter("since", "cause_id")  # of cart lines: oldest first, ties in a fixed order
_COUPON_RULES = ("cart_waiting", "at_risk")
_ADVANCED = 1 << CARTED | 1 << ORDERED


class Proposal(Struct, frozen=True, kw_only=True):
    """Something to be decided at stream time ``at``.

    ``seeds``: the products that it is about, the newest last. ``avoid``: those that it must
    not recommend.
    """

    kind: Literal["coupon", "recommendation"]
    rule: str
    session_id: str
    viewer_id: str
    cause_id: str
    at: int
    seeds: tuple[str, ...]
    avoid: tuple[str, ...] = ()
    reasons: tuple[Reason, ...]


# --- coupons -----------------------------------------------------------------------------------


def cart_waiting(
    session: Session, viewer_id: str, visit: Visit, now: int, policy: Policy
) -> Proposal | None:
    """Propose a coupon for the oldest cart line that has waited for ``cart_age_ms``."""
    due = next_due(visit, policy)
    line = _oldest_unconsidered(visit)
    if due is None or due > now or line is None:
        return None
    _mark(visit, "cart_waiting", line.cause_id)
    return Proposal(
        kind="coupon",
        rule="cart_waiting",
        session_id=session.id,
        viewer_id=viewer_id,
        cause_id=line.cause_id,
        at=now,
        seeds=_carted(visit),
        reasons=(Reason("cart_age_s", (now - line.since) / 1000),),
    )


def next_due(visit: Visit, policy: Policy) -> int | None:
    """Return when ``cart_waiting`` has something to propose, None if never as things stand.

    It may lie in the past, but in the viewer's present stay: a coupon of before would have ended.
    An absent viewer is not waited for.
    """
    line = _oldest_unconsidered(visit) if visit.present and visit.cart else None
    if line is None:
        return None
    owed = max((c.at for c in visit.coupons or () if c.status == "pending"), default=None)
    due = max(line.since + policy.cart_age_ms, visit.entered, visit.again)
    return due if owed is None else max(due, owed + RETRY_MS)


def offered(session: Session, event: OfferListed) -> Iterator[tuple[str, Visit]]:
    """Let ``cart_waiting`` propose anew what it proposed in vain; yields whose timer to set.

    Whoever had a coupon for a line that is still in the cart has been served.
    """
    waiting = {
        viewer_id: line.cause_id
        for viewer_id, visit in session.visits.carted()
        if visit.present and (line := _in_vain(session, viewer_id, visit)) is not None
    }
    for number, viewer_id in enumerate(sorted(waiting)):
        visit = session.visits[viewer_id]
        _unmark(visit, "cart_waiting", waiting[viewer_id])
        visit.again = event.ts + number // CARTS_A_SECOND * 1_000
        yield viewer_id, visit


def at_risk(session: Session, viewer_id: str, visit: Visit, now: int) -> Proposal | None:
    """Propose a coupon to a viewer at high risk who has put something into the cart, or clicked.

    The cause is the newest cart line; without a cart, the newest click. Once per cause,
    whenever the risk is asked about, so a viewer who is already at risk and clicks is served.
    """
    cause_id, seeds = _wish(visit)
    if not (visit.present and visit.at_risk and cause_id and seeds):
        return None
    if any(c.status == "pending" and now < c.at + RETRY_MS for c in visit.coupons or ()):
        return None
    if not _mark(visit, "at_risk", cause_id):
        return None
    return Proposal(
        kind="coupon",
        rule="at_risk",
        session_id=session.id,
        viewer_id=viewer_id,
        cause_id=cause_id,
        at=now,
        seeds=seeds,
        reasons=churn.explain(visit, session.room, now, churn.PRIOR),
    )


# --- recommendations ---------------------------------------------------------------------------


def after_order(session: Session, event: OrderPlaced) -> Proposal:
    """Propose what goes with the products that were just ordered."""
    bought = tuple(dict.fromkeys(line.product_id for line in event.lines))
    reason = Reason("ordered", len(bought))
    return _recommend("after_order", session, event, products=bought, reason=reason)


def cart_removed(session: Session, visit: Visit, event: CartRemoved) -> Proposal | None:
    """Propose something else than what was just taken out of the cart."""
    if event.product_id in (visit.cart or {}):
        return None  # some of it is still in the cart
    reason = Reason("removed_from_cart", event.quantity)
    return _recommend("cart_removed", session, event, products=(event.product_id,), reason=reason)


def sold_out(session: Session, product_id: str, event: Event) -> Iterator[Proposal]:
    """Propose something else to every present viewer who has it in the cart, by viewer id."""
    waiting = [
        viewer_id
        for viewer_id, visit in session.visits.carted()
        if visit.present and product_id in (visit.cart or ())
    ]
    for viewer_id in sorted(waiting):
        yield Proposal(
            kind="recommendation",
            rule="sold_out",
            session_id=session.id,
            viewer_id=viewer_id,
            cause_id=event.id,
            at=event.ts,
            seeds=(product_id,),
            avoid=(product_id,),
            reasons=(Reason("sold_out", 1.0),),
        )


def hesitating(
    session: Session, visit: Visit, event: ProductClicked, policy: Policy
) -> Proposal | None:
    """Propose more like it when a viewer without a cart has clicked often enough.

    Counted are clicks that led nowhere: on products that never went into the cart, while it was
    empty. Call it once the visit has noted the click.
    """
    interests = visit.interests or {}
    clicked = interests[own(interests, event.product_id)]
    if visit.cart or clicked.seen.ever & _ADVANCED:
        return None
    idle = [one for one in interests.values() if not one.seen.ever & _ADVANCED]
    if sum(one.clicks for one in idle) != policy.hesitation_clicks:
        return None
    older = [product_id for product_id in _clicked(visit) if product_id != event.product_id]
    products = (*older, event.product_id)
    reason = Reason("clicks_without_cart", policy.hesitation_clicks)
    return _recommend("hesitating", session, event, products=products, reason=reason)


def _recommend(
    rule: str, session: Session, event: ViewerEvent, *, products: tuple[str, ...], reason: Reason
) -> Proposal:
    return Proposal(
        kind="recommendation",
        rule=rule,
        session_id=session.id,
        viewer_id=event.viewer_id,
        cause_id=event.id,
        at=event.ts,
        seeds=products[-SEEDS:],
        avoid=products,
        reasons=(reason,),
    )


# --- what the viewer wants ---------------------------------------------------------------------


def _wish(visit: Visit) -> tuple[str, tuple[str, ...]]:
    """Return the cause and the products of the viewer's newest wish."""
    if visit.cart:
        return max(visit.cart.values(), key=_AGE).cause_id, _carted(visit)
    return visit.last_click, tuple(_clicked(visit)[-1:]) if visit.last_click else ()


def _carted(visit: Visit) -> tuple[str, ...]:
    cart = visit.cart or {}
    return tuple(sorted(cart, key=lambda product_id: _AGE(cart[product_id])))


def _clicked(visit: Visit) -> list[str]:
    """Return the clicked products, as far as panes tell the newest last."""
    known = (visit.interests or {}).items()
    found = {p: _clicked_in(i) for p, i in known if i.seen.ever >> CLICKED & 1}
    return sorted(found, key=found.__getitem__)


def _clicked_in(interest: Interest) -> int:
    """Return the newest pane with a click, -1 when that is longer ago than is remembered."""
    before, newest = divmod(interest.seen.bits[CLICKED], 1 << BLOCK)
    if newest:
        return interest.seen.block * BLOCK + newest.bit_length() - 1
    return (interest.seen.block - 1) * BLOCK + before.bit_length() - 1 if before else -1


# --- what was considered -----------------------------------------------------------------------


def forget(visit: Visit, proposal: Proposal) -> None:
    """Let the rule propose for this cause again: it could not be decided."""
    _unmark(visit, proposal.rule, proposal.cause_id)


def _mark(visit: Visit, rule: str, cause_id: str) -> bool:
    """Note that a rule considers a cause; False if it already has, or no more can be noted."""
    key = f"{rule}:{cause_id}"
    marks = visit.considered or []
    if key in marks:
        return False
    if len(marks) >= MARKS:
        marks = _alive(visit)
    if len(marks) >= MARKS:
        return False
    visit.considered = [*marks, key]
    return True


def _unmark(visit: Visit, rule: str, cause_id: str) -> None:
    key = f"{rule}:{cause_id}"
    visit.considered = [mark for mark in visit.considered or () if mark != key] or None


def _alive(visit: Visit) -> list[str]:
    """Return the marks whose cause can come again; an event that is past cannot."""
    causes = {line.cause_id for line in (visit.cart or {}).values()} | {visit.last_click}
    return [mark for mark in visit.considered or () if mark.partition(":")[2] in causes]


def _in_vain(session: Session, viewer_id: str, visit: Visit) -> CartLine | None:
    """Return the oldest line that ``cart_waiting`` has considered, None after a coupon for any."""
    marks, lines = visit.considered or (), (visit.cart or {}).values()
    had = {coupon.trigger_id for coupon in visit.coupons or ()}
    if had and any(
        trigger_id(rule, session.id, viewer_id, line.cause_id) in had
        for rule in _COUPON_RULES
        for line in lines
    ):
        return None
    considered = (line for line in lines if f"cart_waiting:{line.cause_id}" in marks)
    return min(considered, key=_AGE, default=None)


def _oldest_unconsidered(visit: Visit) -> CartLine | None:
    marks = visit.considered or ()
    if len(marks) >= MARKS and len(_alive(visit)) >= MARKS:
        return None
    lines = (visit.cart or {}).values()
    waiting = (line for line in lines if f"cart_waiting:{line.cause_id}" not in marks)
    return min(waiting, key=_AGE, default=None)
