"""Money, funnel and GPM of the host screen: the newest five minutes against those before them.

Sums add up over panes, so "the last 5 min" is the newest thirty of them. Distinct people do not:
they are compared by full windows of 5 min, the newest one with the mean of the earlier ones.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from schemas.results import ConversionRow
from streams.rates import ENOUGH_PEOPLE
from streams.screen import Factor, FunnelStep, Gpm, GpmFactor, Share, Step, Tile
from streams.totals import PANE_MS

FIVE_MINUTES_MS = 300_000
#: What is not at least this much below its baseline is not worth naming.
NOTABLE = 0.9

STEPS: tuple[Step, ...] = ("viewers", "exposed", "clicked", "carted", "ordered", "paid")
_NONE = Share(None, 0)


class Sums(Struct, frozen=True):
    """What adds up over panes. Money is minor units."""

    impressions: int = 0
    views: int = 0
    clicks: int = 0
    orders: int = 0
    gross: int = 0
    net: int = 0

    def without(self, other: "Sums") -> "Sums":
        """Return what is left when a part of it is taken out."""
        mine = (getattr(self, name) for name in self.__struct_fields__)
        theirs = (getattr(other, name) for name in self.__struct_fields__)
        return Sums(*(max(a - b, 0) for a, b in zip(mine, theirs, strict=True)))


class Span(Struct, frozen=True, kw_only=True):
    """A session's rows in the shape in which they are compared.

    ``before_ms``: how long the session had run when the newest five minutes began.
    ``newest`` and ``earlier``: people by step of full windows of 5 min.
    """

    total: ConversionRow
    lately: Sums
    before: Sums
    before_ms: int
    newest: dict[str, int]
    newest_gross: int
    earlier: dict[str, int]
    earlier_gross: int


def span(
    total: ConversionRow,
    panes: Iterable[ConversionRow],
    fives: Sequence[ConversionRow],
    clock: int,
) -> Span:
    """Return what is compared at event time ``clock``; rows are of the scope session."""
    since = clock - clock % PANE_MS + PANE_MS - FIVE_MINUTES_MS
    lately = _sums([row for row in panes if row.start >= since])
    full = sorted((row for row in fives if row.end <= clock), key=lambda row: row.start)
    earlier: Counter[str] = Counter()
    for row in full[:-1]:
        earlier.update(row.people)
    return Span(
        total=total,
        lately=lately,
        before=_sums([total]).without(lately),
        before_ms=since - total.start,
        newest=full[-1].people if full else {},
        newest_gross=full[-1].money["gmv_gross"] if full else 0,
        earlier=dict(earlier),
        earlier_gross=sum(row.money["gmv_gross"] for row in full[:-1]),
    )


def money(s: Span) -> dict[str, Tile]:
    """Return the tiles of money and orders by name."""
    whole, viewers = _sums([s.total]), s.total.people["viewers"]
    return {
        "gmv_gross": _sum_tile(s, lambda sums: sums.gross, of=whole.orders),
        "gmv_net": _sum_tile(s, lambda sums: sums.net, of=whole.orders),
        "orders": _sum_tile(s, lambda sums: sums.orders, of=viewers),
        "watch_gpm": Tile(
            value=_part(1_000 * whole.gross, whole.views),
            last_5m=_part(1_000 * s.lately.gross, s.lately.views),
            baseline=_part(1_000 * s.before.gross, s.before.views) if _is_old(s) else None,
            of=whole.views,
        ),
        "uv_value": Tile(
            value=_part(whole.gross, viewers),
            last_5m=_part(s.newest_gross, s.newest.get("viewers", 0)),
            baseline=_part(s.earlier_gross, s.earlier.get("viewers", 0)),
            of=viewers,
        ),
    }


def funnel(s: Span) -> tuple[FunnelStep, ...]:
    """Return the people by step, and their share of the step before."""
    return tuple(
        FunnelStep(
            step=step,
            people=s.total.people[step],
            from_previous=_share(s.total.people, before, step),
            last_5m=_share(s.newest, before, step),
            baseline=_share(s.earlier, before, step),
        )
        for before, step in pairwise((None, *STEPS))
        if step is not None
    )


def worst_step(steps: Iterable[FunnelStep]) -> Step | None:
    """Return the step that is furthest below what is usual in this session, if any notably is."""
    found = [(ratio, one.step) for one in steps if (ratio := _ratio(one)) is not None]
    ratio, step = min(found, default=(1.0, None))
    return step if ratio <= NOTABLE else None


def gpm(s: Span) -> Gpm:
    """Return GMV of a thousand impressions as the product of its factors."""
    now, then = s.lately, s.before if _is_old(s) else Sums()
    factors = tuple(
        GpmFactor(
            name=name,
            value=_part(part(now), whole(now)),
            baseline=_part(part(then), whole(then)),
            of=whole(now),
        )
        for name, part, whole in _FACTORS
    )
    below = [
        (one.value / one.baseline, one.name)
        for one in factors
        if one.value is not None and one.baseline
    ]
    ratio, name = min(below, default=(1.0, None))
    value = _part(1_000 * s.lately.gross, s.lately.impressions)
    return Gpm(value=value, factors=factors, furthest_below=name if ratio <= NOTABLE else None)


_Column = Callable[[Sums], int]
_FACTORS: tuple[tuple[Factor, _Column, _Column], ...] = (
    ("enter_rate", lambda s: s.views, lambda s: s.impressions),
    ("click_rate", lambda s: s.clicks, lambda s: s.views),
    ("click_to_order", lambda s: s.orders, lambda s: s.clicks),
    ("order_value", lambda s: s.gross, lambda s: s.orders),
)


def _sums(rows: Sequence[ConversionRow]) -> Sums:
    def count(name: str) -> int:
        return sum(row.counts.get(name, 0) for row in rows)

    return Sums(
        impressions=count("RoomShown"),
        views=count("ViewerEntered"),
        clicks=count("ProductClicked"),
        orders=count("OrderPaid"),
        gross=sum(row.money["gmv_gross"] for row in rows),
        net=sum(row.money["gmv_net"] for row in rows),
    )


def _sum_tile(s: Span, column: _Column, *, of: int) -> Tile:
    baseline = column(s.before) * FIVE_MINUTES_MS / s.before_ms if _is_old(s) else None
    return Tile(value=column(_sums([s.total])), last_5m=column(s.lately), baseline=baseline, of=of)


def _is_old(s: Span) -> bool:
    """Tell whether there was time enough before the newest five minutes to compare with."""
    return s.before_ms >= FIVE_MINUTES_MS


def _share(people: Mapping[str, int], before: Step | None, step: Step) -> Share:
    if before is None:
        return _NONE
    whole = people.get(before, 0)
    return Share(_part(people.get(step, 0), whole), whole)


def _ratio(step: FunnelStep) -> float | None:
    now, then = step.last_5m.value, step.baseline.value
    return now / then if now is not None and then else None


def _part(part: int, whole: int) -> float | None:
    return part / whole if whole >= ENOUGH_PEOPLE else None
