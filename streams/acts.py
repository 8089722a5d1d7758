"""What each kind of viewer event does to the visit and to the running totals.

One small function per type, and one table that says for each type what it counts as.
"""

from collections.abc import Callable
from typing import NamedTuple

from schemas import events as ev
from streams import orders, propose, visits
from streams.act import Act, interest, learn, person, product, take_out
from streams.decide import outcome
from streams.names import own
from streams.propose import Proposal
from streams.state import CartLine
from streams.totals import (
    CARTED,
    CLICKED,
    COUNT_OF,
    EXPOSED,
    INTERACTED,
    PANE_MS,
    WATCH_MS,
    product_row,
)

LIKES_CAP = 10  # a burst of taps says no more than ten


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
    learn(act, event.product_id, CLICKED, 0)
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
    learn(act, event.product_id, CARTED, 1)
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
    take_out(act.visit, event.product_id, event.quantity)
    return propose.cart_removed(act.session, act.visit, event)


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
        _plan(ev.OrderPlaced, orders.ordered, rescores=True),
        _report(ev.OrderPaid, orders.paid),
        _report(ev.OrderRefunded, orders.refunded),
        _report(ev.TriggerDelivered, _became_of_trigger),
        _report(ev.TriggerShown, _became_of_trigger),
        _report(ev.TriggerAccepted, _became_of_trigger),
        _report(ev.TriggerDeclined, _became_of_trigger),
        _report(ev.TriggerFailed, _became_of_trigger),
    ]
)
