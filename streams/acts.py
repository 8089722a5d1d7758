"""What each kind of viewer event does to the visit and to the running totals.

One small function per type, and one table that says for each type what it counts as.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from schemas import events as ev
from streams import affinity, propose, visits
from streams.decide import outcome, redeem
from streams.names import MOST_NAMES, own
from streams.propose import Proposal
from streams.results import Results
from streams.seen import touch
from streams.session import Session
from streams.state import CartLine, Interest, Order, Visit
from streams.store import State
from streams.totals import (
    CARTED,
    CLICKED,
    COUNT_OF,
    EXPOSED,
    GMV_GROSS,
    INTERACTED,
    ORDERED,
    ORDERED_AMOUNT,
    PAID,
    PANE_MS,
    REFUNDED,
    UNITS,
    WATCH_MS,
    Vector,
    channel_row,
    count_person,
    product_row,
)

LIKES_CAP = 10  # a burst of taps says no more than ten


class Act(NamedTuple):
    """One viewer event in its place: all that a handler may look at or change."""

    state: State
    session: Session
    visit: Visit
    row: Vector  # the channel's total in the event's pane
    results: Results


#: A handler may return what it proposes.
Handler = Callable[[Act, ev.ViewerEvent], Proposal | None]


class Plan(NamedTuple):
    """What a type of event counts as."""

    column: int
    handle: Handler | None
    stays: bool  # the viewer is in the room
    intent: bool  # an act, not just presence
    rescores: bool  # the churn risk is computed anew at once
    priced: bool  # it speaks of money, in the session's currency


def person(act: Act, step: int, ts: int) -> None:
    """Count that the viewer did a step, for the windows that see it first."""
    first = touch(act.visit.seen, step, ts // PANE_MS)
    if first:
        count_person(act.row, step, first)


def product(act: Act, event: ev.ViewerEvent, product_id: str, step: int) -> Vector:
    """Count an event and a person for a product; returns the product's total."""
    row = product_row(act.session.pane(event.ts // PANE_MS), product_id)
    row[COUNT_OF[type(event)]] += 1
    first = touch(interest(act.visit, product_id).seen, step, event.ts // PANE_MS)
    if first:
        count_person(row, step, first)
    return row


def interest(visit: Visit, product_id: str) -> Interest:
    """Return what the viewer did with a product, made when it is missing."""
    if visit.interests is None:
        visit.interests = {}
    known = visit.interests.get(product_id)
    if known is None:
        known = visit.interests.setdefault(own(visit.interests, product_id), Interest())
    return known


def _learn(act: Act, product_id: str, step: int, kind: int) -> None:
    interests = act.visit.interests or {}
    known = interests.get(own(interests, product_id))
    if known is None or not known.seen.ever >> step & 1:
        affinity.learn(act.session, act.visit, product_id, kind)


def _entered(act: Act, event: ev.ViewerEvent) -> None:
    assert isinstance(event, ev.ViewerEntered)
    act.visit.follower |= event.follower


def _left(act: Act, event: ev.ViewerEvent) -> None:
    visit = act.visit
    if visit.present:  # the time since the last sign of life was watched, too
        act.row[WATCH_MS] += visits.follow(act.state, act.session, event.viewer_id, visit, event.ts)
    if visits.leave(act.session, visit, event.ts, act.row):
        act.results.left.append((event.session_id, event.viewer_id))


def _exposed(act: Act, event: ev.ViewerEvent) -> None:
    assert isinstance(event, ev.ProductExposed)
    person(act, EXPOSED, event.ts)
    product(act, event, event.product_id, EXPOSED)


def _clicked(act: Act, event: ev.ViewerEvent) -> Proposal | None:
    assert isinstance(event, ev.ProductClicked)
    visit = act.visit
    visits.rate(visit, event.ts)
    visit.clicks_30s += 1
    visit.clicks_5m += 1
    visit.last_click = event.id
    person(act, CLICKED, event.ts)
    _learn(act, event.product_id, CLICKED, 0)
    product(act, event, event.product_id, CLICKED)
    if not visit.cart:
        interest(visit, event.product_id).clicks += 1
    return propose.hesitating(act.session, visit, event, act.state.policy)


def _liked(act: Act, event: ev.ViewerEvent) -> None:
    assert isinstance(event, ev.LikesSent)
    visits.rate(act.visit, event.ts)
    likes = min(event.count, LIKES_CAP)
    act.visit.likes_30s += likes
    act.visit.likes_5m += likes
    act.row[COUNT_OF[ev.LikesSent]] += event.count - 1
    person(act, INTERACTED, event.ts)


def _commented(act: Act, event: ev.ViewerEvent) -> None:
    visits.rate(act.visit, event.ts)
    act.visit.comments_30s += 1
    act.visit.comments_5m += 1
    person(act, INTERACTED, event.ts)


def _interacted(act: Act, event: ev.ViewerEvent) -> None:
    person(act, INTERACTED, event.ts)


def _carted(act: Act, event: ev.ViewerEvent) -> None:
    assert isinstance(event, ev.CartAdded)
    visit = act.visit
    person(act, CARTED, event.ts)
    _learn(act, event.product_id, CARTED, 1)
    product(act, event, event.product_id, CARTED)
    if visit.cart is None:
        visit.cart = {}
    product_id = own(visit.cart, event.product_id)
    line = visit.cart.get(product_id)
    if line is None:
        visit.cart[product_id] = CartLine(event.quantity, event.unit_price, event.ts, event.id)
    else:
        line.quantity += event.quantity
        line.unit_price = event.unit_price
    visits.schedule(act.state, act.session.id, event.viewer_id, visit)


def _uncarted(act: Act, event: ev.ViewerEvent) -> Proposal | None:
    assert isinstance(event, ev.CartRemoved)
    product_row(act.session.pane(event.ts // PANE_MS), event.product_id)[
        COUNT_OF[ev.CartRemoved]
    ] += 1
    _take_out(act.visit, event.product_id, event.quantity)
    return propose.cart_removed(act.session, act.visit, event)


def _take_out(visit: Visit, product_id: str, quantity: int) -> None:
    line = (visit.cart or {}).get(product_id)
    if line is None or visit.cart is None:
        return
    line.quantity -= quantity
    if line.quantity <= 0:
        del visit.cart[product_id]
        visit.cart = visit.cart or None


def _order(visit: Visit, event: ev.OrderEvent) -> Order:
    if visit.orders is None:
        visit.orders = {}
    order = visit.orders.get(event.order_id)
    if order is None:
        if len(visit.orders) >= MOST_NAMES:
            del visit.orders[next(iter(visit.orders))]  # the oldest
        order = visit.orders[event.order_id] = Order(event.amount)
    return order


def _ordered(act: Act, event: ev.ViewerEvent) -> Proposal | None:
    assert isinstance(event, ev.OrderPlaced)
    visit = act.visit
    order = _order(visit, event)
    if order.placed:
        _repeat(act, event)
        return None
    order.placed = True
    if event.trigger_id is not None:
        redeem(visit, event.trigger_id)
    person(act, ORDERED, event.ts)
    act.row[ORDERED_AMOUNT] += event.amount
    for line, share in _shares(event, event.amount):
        _learn(act, line.product_id, ORDERED, 2)
        row = product(act, event, line.product_id, ORDERED)
        row[ORDERED_AMOUNT] += share
        row[UNITS] += line.quantity
        act.row[UNITS] += line.quantity
        _take_out(visit, line.product_id, line.quantity)
    return propose.after_order(act.session, event)


def _paid(act: Act, event: ev.ViewerEvent) -> None:
    assert isinstance(event, ev.OrderPaid)
    order = _order(act.visit, event)
    if order.paid_pane is not None:
        _repeat(act, event)
        return
    order.paid_pane = event.ts // PANE_MS
    order.amount = event.amount
    person(act, PAID, event.ts)
    act.row[GMV_GROSS] += event.amount
    for line, share in _shares(event, event.amount):
        product(act, event, line.product_id, PAID)[GMV_GROSS] += share


def _refunded(act: Act, event: ev.ViewerEvent) -> None:
    assert isinstance(event, ev.OrderRefunded)
    order = _order(act.visit, event)
    if not order.placed and order.paid_pane is None:
        order.amount = order.refunded + event.amount  # not known yet: the refund is believed
    before = order.refunded
    amount = max(min(event.amount, order.amount - before), 0)
    order.refunded += amount
    # The pane of the payment is corrected, so that its net GMV is what really came of it. One
    # that is forgotten must not be replaced by the refund alone.
    paid = order.paid_pane
    pane = paid if paid in act.session.panes else event.ts // PANE_MS
    totals = act.session.pane(pane)
    channel_row(totals, act.visit.channel)[REFUNDED] += amount
    # All refunds together are shared out as the payment was: what is rounded does not add up.
    upto = zip(_shares(event, before), _shares(event, order.refunded), strict=True)
    for (line, earlier), (_, now) in upto:
        product_row(totals, line.product_id)[REFUNDED] += now - earlier


def _shares(event: ev.OrderEvent, amount: int) -> Iterator[tuple[ev.Line, int]]:
    """Share an amount out over the lines by their value, to the last minor unit.

    With a coupon or with shipping a buyer pays another amount than the lines say; a refund may
    name the lines of the whole order.
    """
    worth = sum(line.quantity * line.unit_price for line in event.lines) or 1
    value = shared = 0
    for line in event.lines:
        value += line.quantity * line.unit_price
        due = amount * value // worth
        yield line, due - shared
        shared = due


def _repeat(act: Act, event: ev.ViewerEvent) -> None:
    """Undo the count of an order event that has come under another event id before."""
    act.row[COUNT_OF[type(event)]] -= 1
    act.results.duplicates.append(type(event).__name__)


def _became_of_trigger(act: Act, event: ev.ViewerEvent) -> None:
    assert isinstance(event, ev.TriggerEvent)
    release = outcome(act.session, act.visit, event)
    if release is not None:
        act.results.releases.append(release)


def _plan(
    kind: type[ev.ViewerEvent],
    handle: Handler | None = None,
    *,
    stays: bool = True,
    intent: bool = True,
    rescores: bool = False,
) -> tuple[type[ev.Event], Plan]:
    priced = "currency" in kind.__struct_fields__
    return kind, Plan(COUNT_OF[kind], handle, stays, intent, rescores, priced)


def _report(kind: type[ev.ViewerEvent], handle: Handler | None) -> tuple[type[ev.Event], Plan]:
    """Plan an event that a machine may send, minutes later: the viewer need not be there."""
    return _plan(kind, handle, stays=False, intent=False)


PLANS: dict[type[ev.Event], Plan] = dict(
    [
        _report(ev.RoomShown, None),
        _plan(ev.ViewerEntered, _entered),
        _plan(ev.Heartbeat, intent=False),
        _report(ev.ViewerLeft, _left),
        _plan(ev.ProductExposed, _exposed, intent=False),
        _plan(ev.ProductClicked, _clicked),
        _plan(ev.LikesSent, _liked),
        _plan(ev.CommentPosted, _commented),
        _plan(ev.SessionShared, _interacted),
        _plan(ev.HostFollowed, _interacted),
        _plan(ev.CartAdded, _carted, rescores=True),
        _plan(ev.CartRemoved, _uncarted, rescores=True),
        _plan(ev.OrderPlaced, _ordered, rescores=True),
        _report(ev.OrderPaid, _paid),
        _report(ev.OrderRefunded, _refunded),
        _report(ev.TriggerDelivered, _became_of_trigger),
        _report(ev.TriggerShown, _became_of_trigger),
        _report(ev.TriggerAccepted, _became_of_trigger),
        _report(ev.TriggerDeclined, _became_of_trigger),
        _report(ev.TriggerFailed, _became_of_trigger),
    ]
)
