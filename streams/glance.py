"""What one task says of a session beside its rows: the room at this moment, for the screen to sum.

A viewer belongs to one task, so the tasks' glances add up. Everything here can be had from the
state again after a restart; nothing here walks over all visits.
"""

from collections import Counter
from heapq import nlargest

from msgspec import Struct, field

from schemas.events import ViewerEntered, ViewerLeft
from streams.session import Session
from streams.state import Visit
from streams.store import State
from streams.totals import COUNT_OF, COUNTS, PANE_MS, UNITS

MINUTE = 6  # panes
FIVE_MINUTES = 30  # panes
#: A cart that waits for longer than this is worth a word of the host.
WAITING_MS = 60_000
#: A task looks at so many carts in a second, over all its sessions; at more of them less often.
CARTS_A_SECOND = 300
#: What was sold in five minutes changes by little in so long.
UNITS_EVERY_MS = 3_000
#: What goes with what changes slowly: looked at every so often, for so many products.
COMPANY_EVERY_MS = 10_000
COMPANY_PRODUCTS = 100
COMPANY_KEPT = 8

_ENTERED, _LEFT, _EVENTS = COUNT_OF[ViewerEntered], COUNT_OF[ViewerLeft], len(COUNTS)


class CartsOf(Struct):
    """Carts with one product: how many, how many wait, since when the oldest, its value."""

    carts: int = 0
    waiting: int = 0
    oldest: int | None = None
    waiting_value: int = 0

    def add(self, other: "CartsOf") -> None:
        """Add other carts, of other viewers."""
        self.carts += other.carts
        self.waiting += other.waiting
        self.waiting_value += other.waiting_value
        known = [at for at in (self.oldest, other.oldest) if at is not None]
        self.oldest = min(known, default=None)


class Carts(Struct):
    """Carts of present viewers; ``value`` is minor units."""

    carts: int = 0
    value: int = 0
    at_risk: int = 0
    at_risk_value: int = 0
    products: dict[str, CartsOf] = field(default_factory=dict)


class Looked(Struct):
    """What is expensive to look at, and when it was; a task keeps one for each session."""

    carts: Carts = field(default_factory=Carts)
    carts_again: int = 0
    units: dict[str, int] = field(default_factory=dict)
    units_again: int = 0
    minute: tuple[int, int, int] = (0, 0, 0)  # who came, who left, events
    minute_of: int = -1  # the pane after it
    company: dict[str, dict[str, int]] = field(default_factory=dict)
    company_again: int = 0


class Glance(Struct, frozen=True, kw_only=True):
    """A task's part of the screen. ``clock`` is stream time, ``written_at`` the worker's clock.

    ``bins``: present viewers by churn risk in tenths. ``entered``, ``left`` and ``events`` are
    of the last six full panes, ``units`` (pieces ordered, by product) of the last thirty.
    ``company``: which products were ordered by the same viewers, and by how many.
    """

    session_id: str
    partition: int
    clock: int
    written_at: int
    present: int
    bins: list[int]
    at_risk: int
    entered: int
    left: int
    events: int
    units: dict[str, int]
    carts: Carts
    company: dict[str, dict[str, int]]


def glance(
    state: State, session: Session, looked: Looked, now_ms: int, *, carts: int = 0
) -> Glance:
    """Return the task's part; ``now_ms`` is the time of day, to be passed on as it is.

    ``carts``: how many there are in all sessions of the task, as far as is known.
    """
    clock = state.progress.clock
    _look(session, looked, clock, carts)
    bins = session.risk_bins
    entered, left, events = looked.minute
    return Glance(
        session_id=session.id,
        partition=state.partition,
        clock=clock,
        written_at=now_ms,
        present=session.room.present,
        bins=bins,
        at_risk=sum(bins[int(state.policy.churn_on * 10) :]),
        entered=entered,
        left=left,
        events=events,
        units=looked.units,
        carts=looked.carts,
        company=looked.company,
    )


def _look(session: Session, looked: Looked, clock: int, carts: int) -> None:
    """Look again at what was looked at long enough ago."""
    pane = clock // PANE_MS
    if pane != looked.minute_of:
        looked.minute, looked.minute_of = _minute(session, pane), pane
    if clock >= looked.units_again:
        looked.units, looked.units_again = _units(session, pane), clock + UNITS_EVERY_MS
    if clock >= looked.carts_again:
        looked.carts = _carts(session, clock)
        many = max(looked.carts.carts, carts)
        looked.carts_again = clock + many * 1_000 // CARTS_A_SECOND
    if clock >= looked.company_again:
        looked.company, looked.company_again = _company(session), clock + COMPANY_EVERY_MS


def _minute(session: Session, pane: int) -> tuple[int, int, int]:
    """Return who came, who left and all events of the six panes before this one."""
    entered = left = events = 0
    for index in range(pane - MINUTE, pane):
        totals = session.panes.get(index)
        for row in totals.channels.values() if totals else ():
            entered += row[_ENTERED]
            left += row[_LEFT]
            events += sum(row[:_EVENTS])
    return entered, left, events


def _units(session: Session, pane: int) -> dict[str, int]:
    sold: Counter[str] = Counter()
    for index in range(pane + 1 - FIVE_MINUTES, pane + 1):
        totals = session.panes.get(index)
        for product_id, row in totals.products.items() if totals else ():
            if row[UNITS]:
                sold[product_id] += row[UNITS]
    return dict(sold)


def _carts(session: Session, now: int) -> Carts:
    found = Carts()
    for _, visit in session.visits.carted():
        if visit.present:
            _add_cart(found, visit, now)
    return found


def _add_cart(found: Carts, visit: Visit, now: int) -> None:
    value = 0
    for product_id, line in (visit.cart or {}).items():
        worth = line.quantity * line.unit_price
        waits = now - line.since > WAITING_MS
        of = found.products.setdefault(product_id, CartsOf())
        of.add(CartsOf(1, int(waits), line.since, worth if waits else 0))
        value += worth
    found.carts += 1
    found.value += value
    if visit.at_risk:
        found.at_risk += 1
        found.at_risk_value += value


def _company(session: Session) -> dict[str, dict[str, int]]:
    """Return for the products on the shelf which others the same viewers ordered."""
    found = {}
    for product_id in list(session.shelf.products)[:COMPANY_PRODUCTS]:
        affinity = session.affinity.get(product_id)
        if affinity is not None:
            orders = {other: kinds[-1] for other, kinds in affinity.together.items() if kinds[-1]}
            found[product_id] = dict(nlargest(COMPANY_KEPT, orders.items(), key=_by_count))
    return found


def _by_count(one: tuple[str, int]) -> tuple[int, str]:
    return one[1], one[0]
