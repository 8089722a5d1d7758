"""What a window's sums mean: counts, people, money, and rates that name their denominator.

GMV in a rate is the gross one: what was paid, by the time of payment, later refunds included.
Orders in a rate are paid orders; so ``show_gpm = 1000 * enter_rate * ctr * click_to_order *
aov`` holds wherever all five are defined. Rates of people compare who took one step in the
window with who took the other in it; in a short window these need not be the same people.
"""

from typing import Final, NamedTuple

from schemas.results import Rate, Scope
from streams.totals import COUNTS, PEOPLE, STEPS, SUM_OF, SUMS, WINDOWS, Vector

#: A rate over fewer people than this is "too few" (value None), not a number.
ENOUGH_PEOPLE: Final = 30

#: What one window says: a vector's counts and sums, then the people of that window alone.
Line = list[int]

SESSION_WINDOW: Final = list(WINDOWS).index("session")


def line(vector: Vector, window: int) -> Line:
    """Return what a vector says of a window, given as its index in ``WINDOWS``."""
    return vector[:PEOPLE] + vector[PEOPLE + window :: len(WINDOWS)]


LINE_SIZE: Final = PEOPLE + len(STEPS)

_COLUMN = {name: i for i, name in enumerate((*COUNTS, *SUMS, *STEPS, "unpaid"))}
_PLACED, _PAID = _COLUMN["OrderPlaced"], _COLUMN["OrderPaid"]
_GROSS, _REFUNDED, _ORDERED = SUM_OF["gmv_gross"], SUM_OF["refunded"], SUM_OF["ordered_amount"]

#: What is published as a count: every event type, and the pieces that were ordered.
_COUNTED = tuple((name, _COLUMN[name]) for name in (*COUNTS, "units"))

#: Nobody watches or likes a product: these two steps are of the room.
_PEOPLE: dict[Scope, tuple[tuple[str, int], ...]] = {
    "session": tuple((step, _COLUMN[step]) for step in STEPS),
    "channel": tuple((step, _COLUMN[step]) for step in STEPS),
    "product": tuple((s, _COLUMN[s]) for s in STEPS if s not in {"viewers", "interacted"}),
}

_PER = {
    "RoomShown": "room_impressions",
    "ViewerEntered": "views",
    "ProductClicked": "product_clicks",
    "OrderPlaced": "placed_orders",
    "OrderPaid": "paid_orders",
    "matured": "visits_begun_5m_ago",
}

_ROOM: Final = ("session",)  # an impression comes before the visit: it has no channel yet
_VISITS: Final = ("session", "channel")  # needs viewers or views, which no product has
_ALL: Final = ("session", "channel", "product")


class _Definition(NamedTuple):
    """``value = part / whole * times / over``, in the scopes where that means something."""

    name: str
    part: str
    whole: str
    scopes: tuple[Scope, ...]
    times: int = 1
    over: int = 1
    only_whole_session: bool = False


_DEFINITIONS: Final = (
    # money by attention, in minor units; the two GPM by a thousand
    _Definition("show_gpm", "gmv_gross", "RoomShown", _ROOM, times=1000),
    _Definition("watch_gpm", "gmv_gross", "ViewerEntered", _VISITS, times=1000),
    _Definition("uv_value", "gmv_gross", "viewers", _VISITS),
    _Definition("aov", "gmv_gross", "OrderPaid", _ALL),
    # events by events
    _Definition("enter_rate", "ViewerEntered", "RoomShown", _ROOM),
    _Definition("ctr", "ProductClicked", "ViewerEntered", _VISITS),
    _Definition("click_to_order", "OrderPaid", "ProductClicked", _ALL),
    # people by people
    _Definition("exposure_rate", "exposed", "viewers", _VISITS),
    _Definition("click_rate", "clicked", "viewers", _VISITS),
    _Definition("card_click_rate", "clicked", "exposed", _ALL),
    _Definition("cart_rate", "carted", "clicked", _ALL),
    _Definition("order_rate", "ordered", "carted", _ALL),
    _Definition("pay_rate", "paid", "ordered", _ALL),
    _Definition("conversion_rate", "paid", "viewers", _VISITS),
    _Definition("interaction_rate", "interacted", "viewers", _VISITS),
    # staying; watch time is summed in ms and shown in s
    _Definition("avg_watch_s", "watch_ms", "viewers", _VISITS, over=1000),
    _Definition("retention_5m", "retained", "matured", _VISITS),
    _Definition("bounce_rate", "bounced", "ViewerEntered", _VISITS),
    # what became of orders; a payment may follow its order by several short windows
    _Definition("refund_rate", "refunded", "gmv_gross", _ALL),
    _Definition("unpaid_rate", "unpaid", "OrderPlaced", _ALL, only_whole_session=True),
)


class _Formula(NamedTuple):
    name: str
    part: int
    whole: int
    per: str
    least: int  # a smaller denominator gives no number
    times: int
    over: int


def _compiled(scope: Scope, window: int) -> tuple[_Formula, ...]:
    return tuple(
        _Formula(
            d.name,
            _COLUMN[d.part],
            _COLUMN[d.whole],
            _PER.get(d.whole, d.whole),
            ENOUGH_PEOPLE if d.whole in STEPS else 1,
            d.times,
            d.over,
        )
        for d in _DEFINITIONS
        if scope in d.scopes and (window == SESSION_WINDOW or not d.only_whole_session)
    )


_FORMULAS = {scope: [_compiled(scope, w) for w in range(len(WINDOWS))] for scope in _ALL}


def counts(sums: Line) -> dict[str, int]:
    """Return events by type, and ``units`` ordered; what did not happen is left out."""
    return {name: n for name, column in _COUNTED if (n := sums[column])}


def people(sums: Line, scope: Scope) -> dict[str, int]:
    """Return the distinct people of each step, zeros included."""
    return {step: sums[column] for step, column in _PEOPLE[scope]}


def money(sums: Line) -> dict[str, int]:
    """Return amounts in minor units; net is gross without what was refunded of it."""
    gross, refunded = sums[_GROSS], sums[_REFUNDED]
    return {
        "gmv_gross": gross,
        "gmv_net": gross - refunded,
        "refunded": refunded,
        "ordered_amount": sums[_ORDERED],
    }


def rates(sums: Line, scope: Scope, window: int) -> dict[str, Rate]:
    """Return the rates that mean something in this scope and window, by name.

    Numerator and denominator are the sums themselves. The value is None when the denominator
    is zero or, where it counts people, smaller than ``ENOUGH_PEOPLE``.
    """
    columns = [*sums, max(sums[_PLACED] - sums[_PAID], 0)]
    found = {}
    for name, part, whole, per, least, times, over in _FORMULAS[scope][window]:
        n, d = columns[part], columns[whole]
        found[name] = Rate(n * times / (d * over) if d >= least else None, n, d, per)
    return found
