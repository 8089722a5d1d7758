"""What passes by and is worth remembering for the screen: outcomes, revenue, marks on the timeline.

A task's journal looks at the events that were just applied and at what came of them. Every note
has an identity, so that to write one twice changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from msgspec import Struct

from schemas import events as ev
from schemas.results import CouponTrigger
from streams.partitioner import partition_of
from streams.records import Arrival
from streams.results import Results
from streams.screen import MarkerKind, TriggerKind
from streams.session import Session
from streams.store import State

Outcome = Literal["shown", "accepted", "declined", "failed"]


class Sent(Struct, frozen=True):
    """A trigger was sent, at ``at`` (epoch ms)."""

    session_id: str
    kind: TriggerKind
    trigger_id: str
    at: int


class Became(Struct, frozen=True):
    """Something became of a trigger."""

    session_id: str
    kind: TriggerKind
    outcome: Outcome
    trigger_id: str


class Earned(Struct, frozen=True):
    """An order that names a trigger was paid; ``amount`` is minor units."""

    session_id: str
    kind: TriggerKind
    order_id: str
    amount: int


class Held(Struct, frozen=True):
    """Something was considered and not sent."""

    session_id: str
    reason: str
    decision_id: str


class Marked(Struct, frozen=True):
    """The host did something, or something ran out."""

    session_id: str
    at: int
    kind: MarkerKind
    product: str | None = None


Note = Sent | Became | Earned | Held | Marked

_OUTCOMES: dict[type[ev.Event], Outcome] = {
    ev.TriggerShown: "shown",
    ev.TriggerAccepted: "accepted",
    ev.TriggerDeclined: "declined",
    ev.TriggerFailed: "failed",
}


class Journal:
    """Collects notes of one task until they are taken, after the commit of what made them."""

    def __init__(self) -> None:
        self._notes: list[Note] = []
        self._shelf: dict[tuple[str, str], tuple[int | None, int]] = {}  # price, stock

    def note(self, state: State, arrivals: Iterable[Arrival], results: Results) -> None:
        """Look at events that were applied, and at the results of that."""
        # Nearly all events are of other types: this line is all that they cost.
        for event in [one for one, _ in arrivals if type(one) in _LOOKS]:
            assert isinstance(event, ev.Event)
            session = state.sessions.get(event.session_id)
            if session is not None:
                self._notes += _LOOKS[type(event)](self, state, session, event)
        self._notes += _of_results(results)

    def take(self) -> list[Note]:
        """Hand over what was noted since the last call."""
        notes, self._notes = self._notes, []
        return notes

    def _outcome(self, _state: State, session: Session, event: ev.Event) -> Iterator[Note]:
        assert isinstance(event, ev.TriggerEvent)
        kind = _kind(session, event.viewer_id, event.trigger_id)
        if kind is not None:
            yield Became(session.id, kind, _OUTCOMES[type(event)], event.trigger_id)

    def _paid(self, _state: State, session: Session, event: ev.Event) -> Iterator[Note]:
        assert isinstance(event, ev.OrderPaid)
        if event.trigger_id is None or session.shelf.currency not in (None, event.currency):
            return
        kind = _kind(session, event.viewer_id, event.trigger_id)
        if kind is not None:
            yield Earned(session.id, kind, event.order_id, event.amount)

    def _host(self, state: State, session: Session, event: ev.Event) -> Iterator[Note]:
        """Mark what the host does, in the one task that owns the session."""
        if partition_of(session.id, state.partitions) != state.partition:
            return
        match event:
            case ev.ProductPinned():
                yield Marked(session.id, event.ts, "pin", event.product_id)
            case ev.ProductUnpinned():
                yield Marked(session.id, event.ts, "unpin", event.product_id)
            case ev.OfferListed():
                yield Marked(session.id, event.ts, "offer")
            case ev.ProductListed() | ev.StockChanged():
                yield from self._on_shelf(session, event)

    def _on_shelf(
        self, session: Session, event: ev.ProductListed | ev.StockChanged
    ) -> Iterator[Note]:
        at = (session.id, event.product_id)
        price_before, stock_before = self._shelf.get(at, (None, None))
        price = event.price if isinstance(event, ev.ProductListed) else price_before
        self._shelf[at] = (price, event.stock)
        ran_out = isinstance(event, ev.StockChanged) if stock_before is None else stock_before > 0
        if event.stock == 0 and ran_out:
            yield Marked(session.id, event.ts, "stock_out", event.product_id)
        if price is not None and price_before is not None and price < price_before:
            yield Marked(session.id, event.ts, "flash_price", event.product_id)

    def _over(self, _state: State, session: Session, _event: ev.Event) -> Iterator[Note]:
        for at in [at for at in self._shelf if at[0] == session.id]:
            del self._shelf[at]
        return iter(())


_Look = Callable[[Journal, State, Session, ev.Event], Iterator[Note]]
_LOOKS: dict[type[ev.Event], _Look] = {
    **dict.fromkeys(_OUTCOMES, Journal._outcome),  # noqa: SLF001 - its own methods
    ev.OrderPaid: Journal._paid,  # noqa: SLF001 - as above
    **dict.fromkeys(
        (
            ev.ProductPinned, ev.ProductUnpinned, ev.OfferListed, ev.ProductListed,
            ev.StockChanged,
        ),
        Journal._host,  # noqa: SLF001 - as above
    ),
    ev.SessionEnded: Journal._over,  # noqa: SLF001 - as above
}  # fmt: skip


def _kind(session: Session, viewer_id: str, trigger_id: str) -> TriggerKind | None:
    """Tell what the viewer was sent; None when nobody knows the viewer here.

    The event has just been applied, so the visit is awake.
    """
    visit = session.visits.get(viewer_id)
    if visit is None:
        return None
    is_coupon = any(one.trigger_id == trigger_id for one in visit.coupons or ())
    return "coupon" if is_coupon else "recommendation"


def _of_results(results: Results) -> Iterator[Note]:
    for trigger in (*results.coupons, *results.recommendations):
        kind: TriggerKind = "coupon" if isinstance(trigger, CouponTrigger) else "recommendation"
        yield Sent(trigger.session_id, kind, trigger.trigger_id, trigger.decided_at)
    for one in results.decisions:
        if one.outcome == "suppressed":
            yield Held(one.session_id, one.reason, one.decision_id)
