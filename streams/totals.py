"""Running totals of a pane: plain integers that add up over panes, tasks and channels.

A viewer's events all reach one task, so the tasks' viewers are disjoint and distinct counts
add up across tasks exactly, without sketches. Across time they do not; so a task counts a
person in a pane once for each window whose *first* sight of that person it is. A window's
distinct people are then the plain sum of that column over its panes.
"""

from itertools import chain

from msgspec import Struct, field

from schemas.events import EVENT_TYPES, Event, ViewerEvent
from streams.names import own

PANE_MS = 10_000

#: Panes per window; the window ``session`` holds them all.
WINDOWS: dict[str, int] = {"10s": 1, "1m": 6, "5m": 30, "session": 0}

#: Steps that people are counted for. ``interacted``: liked, commented, shared or followed.
STEPS = ("viewers", "exposed", "clicked", "carted", "ordered", "paid", "interacted")
VIEWERS, EXPOSED, CLICKED, CARTED, ORDERED, PAID, INTERACTED = range(7)

_VIEWER_TYPES: tuple[type[Event], ...] = tuple(t for t in EVENT_TYPES if issubclass(t, ViewerEvent))

#: Sums that are not a count of one event type. Money is minor units, ``units`` are pieces.
#: ``matured``/``retained``: visits that began 5 min ago / of those, still present.
SUMS = (
    "watch_ms", "bounced", "matured", "retained",
    "ordered_amount", "gmv_gross", "refunded", "units",
)  # fmt: skip

COUNTS: tuple[str, ...] = tuple(t.__name__ for t in _VIEWER_TYPES)
COUNT_OF: dict[type[Event], int] = {t: i for i, t in enumerate(_VIEWER_TYPES)}
SUM_OF: dict[str, int] = {name: len(COUNTS) + i for i, name in enumerate(SUMS)}
PEOPLE = len(COUNTS) + len(SUMS)
SIZE = PEOPLE + len(STEPS) * len(WINDOWS)

WATCH_MS, BOUNCED, MATURED, RETAINED = (SUM_OF[n] for n in SUMS[:4])
ORDERED_AMOUNT, GMV_GROSS, REFUNDED, UNITS = (SUM_OF[n] for n in SUMS[4:])

Vector = list[int]


def zeros() -> Vector:
    """Return an empty total."""
    return [0] * SIZE


class PaneTotals(Struct, array_like=True):
    """What one task saw of one session in one pane.

    The session's own total is the sum over its channels: each visit has exactly one. The
    products are apart, because one event may speak of none or of several.
    """

    channels: dict[str, Vector] = field(default_factory=dict)
    products: dict[str, Vector] = field(default_factory=dict)
    present: int = 0

    def __post_init__(self) -> None:
        """Refuse what another version wrote: it would be added to the wrong columns."""
        for name, one in chain(self.channels.items(), self.products.items()):
            if len(one) != SIZE:
                raise ValueError(
                    f"total of {name!r} has {len(one)} columns instead of {SIZE}:"
                    " all workers must run the same version"
                )


class WindowTotal(Struct, array_like=True, tag=True):
    """A task's running total for a (session, pane): the newest one replaces all before it."""

    session_id: str
    pane: int
    partition: int
    totals: PaneTotals
    behind: int = 0  # by how much the session's clock is behind the task's, ms


class Mark(Struct, array_like=True, tag=True):
    """A task's watermark, told to every merging task; ``None``: it has nothing to wait for."""

    partition: int
    watermark: int | None


def channel_row(totals: PaneTotals, channel: str) -> Vector:
    """Return the total of a channel, made when it is missing."""
    row = totals.channels.get(channel)
    if row is None:
        row = totals.channels.setdefault(own(totals.channels, channel), zeros())
    return row


def product_row(totals: PaneTotals, product_id: str) -> Vector:
    """Return the total of a product, made when it is missing."""
    row = totals.products.get(product_id)
    if row is None:
        row = totals.products.setdefault(own(totals.products, product_id), zeros())
    return row


def count_person(row: Vector, step: int, first: int) -> None:
    """Count a person's step in each window whose first sight it is (bit i of ``first``)."""
    column = PEOPLE + step * 4
    if first & 1:
        row[column] += 1
    if first & 2:
        row[column + 1] += 1
    if first & 4:
        row[column + 2] += 1
    if first & 8:
        row[column + 3] += 1
