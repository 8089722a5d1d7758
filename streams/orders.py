"""Orders: placed, paid, refunded, in any order and under any number of event ids."""

from collections.abc import Iterator

from schemas import events as ev
from streams import propose
from streams.act import Act, learn, person, product, take_out
from streams.decide import redeem
from streams.names import MOST_NAMES
from streams.propose import Proposal
from streams.state import Order, Visit
from streams.totals import (
    COUNT_OF,
    GMV_GROSS,
    ORDERED,
    ORDERED_AMOUNT,
    PAID,
    PANE_MS,
    REFUNDED,
    UNITS,
    channel_row,
    product_row,
)


def _order(visit: Visit, event: ev.OrderEvent) -> Order:
    if visit.orders is None:
        visit.orders = {}
    order = visit.orders.get(event.order_id)
    if order is None:
        if len(visit.orders) >= MOST_NAMES:
            del visit.orders[next(iter(visit.orders))]  # the oldest
        order = visit.orders[event.order_id] = Order(event.amount)
    return order


def ordered(act: Act, event: ev.ViewerEvent) -> Proposal | None:
    """Note an order: who, how much, of what; once for each order id."""
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
        learn(act, line.product_id, ORDERED, 2)
        row = product(act, event, line.product_id, ORDERED)
        row[ORDERED_AMOUNT] += share
        row[UNITS] += line.quantity
        act.row[UNITS] += line.quantity
        take_out(visit, line.product_id, line.quantity)
    return propose.after_order(act.session, event)


def paid(act: Act, event: ev.ViewerEvent) -> None:
    """Count what was paid, in the pane of the payment; once for each order id."""
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


def refunded(act: Act, event: ev.ViewerEvent) -> None:
    """Count what was given back, at most what was paid."""
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
