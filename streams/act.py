"""One viewer event in its place, and the small steps that its handlers are made of."""

from typing import NamedTuple

from schemas import events as ev
from streams import affinity
from streams.names import own
from streams.results import Results
from streams.seen import touch
from streams.session import Session
from streams.state import Interest, Visit
from streams.store import State
from streams.totals import COUNT_OF, PANE_MS, Vector, count_person, product_row


class Act(NamedTuple):
    """One viewer event in its place: all that a handler may look at or change."""

    state: State
    session: Session
    visit: Visit
    row: Vector  # the channel's total in the event's pane
    results: Results


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


def learn(act: Act, product_id: str, step: int, kind: int) -> None:
    """Let the session learn what goes with a product, at the viewer's first such step with it."""
    interests = act.visit.interests or {}
    known = interests.get(own(interests, product_id))
    if known is None or not known.seen.ever >> step & 1:
        affinity.learn(act.session, act.visit, product_id, kind)


def take_out(visit: Visit, product_id: str, quantity: int) -> None:
    """Take pieces of a product out of the cart, as far as they are in it."""
    line = (visit.cart or {}).get(product_id)
    if line is None or visit.cart is None:
        return
    line.quantity -= quantity
    if line.quantity <= 0:
        del visit.cart[product_id]
        visit.cart = visit.cart or None
