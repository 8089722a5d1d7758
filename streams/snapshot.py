"""From what was read of a session to what the screen says of it: sums over tasks, no more.

Viewers' ids do not leave this module: ``pseudonym`` replaces them.
"""

from collections import Counter
from collections.abc import Callable

from schemas.results import ChurnRow, ConversionRow, CouponTrigger
from streams import tiles
from streams.glance import Carts
from streams.material import AnyTrigger, Material, most_first
from streams.screen import (
    HeldCount,
    Marker,
    Now,
    Pane,
    ReasonCount,
    Risk,
    RiskLine,
    SessionLine,
    Snapshot,
    TriggerCounts,
    TriggerLine,
    Triggers,
    TriggerState,
)
from streams.suggest import Scene, suggestions
from streams.wares import offer_lines, product_lines

#: A live session of which a part was not written for so long is stale. Tasks write every 2 s; where
#: nothing at all happens, ``policy.idle_ms`` after the last event.
STALE_MS = 8_000
TOP_RISKS = 10
LATEST = 50

Pseudonym = Callable[[str], str]


def line(m: Material) -> SessionLine:
    """Return the session's line in a list."""
    total, shelf = m.total, m.shelf
    written_at = _written_at(m)
    is_stale = shelf.ended is None and (written_at is None or m.at - written_at > STALE_MS)
    return SessionLine(
        id=m.session_id,
        title=shelf.title or m.title,
        host_id=shelf.host_id,
        currency=m.currency,
        started=shelf.started or total.start,
        ended=shelf.ended,
        announced=total.announced,
        viewers_now=total.present or 0,
        viewers=total.people["viewers"],
        peak=total.peak_present or 0,
        gmv_gross=total.money["gmv_gross"],
        gmv_net=total.money["gmv_net"],
        orders=total.counts.get("OrderPaid", 0),
        at_risk=sum(one.at_risk for one in m.glances),
        events_per_s=round(sum(one.events for one in m.glances) / 60, 1),
        written_at=written_at,
        stale=is_stale,
    )


def snapshot(m: Material, pseudonym: Pseudonym, revision: int) -> Snapshot:
    """Return everything that the screen shows."""
    session, compared = line(m), tiles.span(m.total, m.panes, m.fives, m.clock)
    carts, funnel, gpm, now = m.carts(), tiles.funnel(compared), tiles.gpm(compared), _now(m)
    products, offers = product_lines(m, carts), offer_lines(m)
    is_live = session.ended is None and not session.stale
    scene = Scene(
        now=now,
        at_risk=session.at_risk,
        carts=carts,
        gpm=gpm,
        products=products,
        offers=offers,
    )
    return Snapshot(
        session=session,
        at=m.at,
        data_at=m.clock,
        written_at=session.written_at,
        stale=session.stale,
        revision=revision,
        now=now,
        money=tiles.money(compared),
        funnel=funnel,
        worst_step=tiles.worst_step(funnel),
        gpm=gpm,
        risk=risk(m, carts, pseudonym, top=TOP_RISKS),
        products=products,
        offers=offers,
        triggers=triggers(m, pseudonym, latest=LATEST),
        suggestions=suggestions(scene) if is_live else (),
        markers=_markers(m),
    )


def pane(row: ConversionRow) -> Pane:
    """Return what the timeline shows of a row of 10 s."""
    counts, money = row.counts, row.money
    return Pane(
        start=row.start,
        status=row.status,
        revision=row.revision,
        viewers=row.present,
        entered=counts.get("ViewerEntered", 0),
        left=counts.get("ViewerLeft", 0),
        likes=counts.get("LikesSent", 0),
        comments=counts.get("CommentPosted", 0),
        carts=counts.get("CartAdded", 0),
        orders=counts.get("OrderPaid", 0),
        gmv_gross=money["gmv_gross"],
        gmv_net=money["gmv_net"],
    )


def risk(m: Material, carts: Carts, pseudonym: Pseudonym, *, top: int) -> Risk:
    """Return who is slipping away, with so many viewers one by one."""
    bins = (sum(column) for column in zip(*(one.bins for one in m.glances), strict=True))
    codes = Counter(r.code for row in m.risks for r in row.reasons if r.weight > 0)
    return Risk(
        bins=tuple(bins) or (0,) * 10,
        at_risk=sum(one.at_risk for one in m.glances),
        carts=carts.carts,
        carts_value=carts.value,
        carts_at_risk=carts.at_risk,
        carts_at_risk_value=carts.at_risk_value,
        reasons=tuple(ReasonCount(code, count) for code, count in most_first(codes)),
        top=tuple(_risk_line(row, pseudonym) for row in m.risks[:top]),
    )


def triggers(m: Material, pseudonym: Pseudonym, *, latest: int) -> Triggers:
    """Return what livepulse did, with so many triggers one by one."""
    return Triggers(
        coupons=m.counts.get("coupon", TriggerCounts()),
        recommendations=m.counts.get("recommendation", TriggerCounts()),
        latest=tuple(_trigger(m, one, pseudonym) for one in m.triggers[:latest]),
        suppressed=tuple(HeldCount(reason, count) for reason, count in most_first(m.held)),
    )


def _written_at(m: Material) -> int | None:
    """Return when the oldest part was written: of what has viewers, the others may rest."""
    busy = [one.written_at for one in m.glances if one.present]
    return min(busy) if busy else max((one.written_at for one in m.glances), default=None)


def _now(m: Material) -> Now:
    return Now(
        viewers=m.total.present or 0,
        joining_per_min=sum(one.entered for one in m.glances),
        leaving_per_min=sum(one.left for one in m.glances),
        events_per_s=round(sum(one.events for one in m.glances) / 60, 1),
    )


def _risk_line(row: ChurnRow, pseudonym: Pseudonym) -> RiskLine:
    return RiskLine(
        viewer=pseudonym(row.viewer_id),
        risk=row.probability,
        reasons=tuple(reason.code for reason in row.reasons if reason.weight > 0),
        cart_value=row.cart_value,
    )


def _trigger(m: Material, one: AnyTrigger, pseudonym: Pseudonym) -> TriggerLine:
    state: TriggerState = m.outcomes.get(one.trigger_id, "sent")
    if state in ("sent", "shown") and one.expires_at <= m.clock:
        state = "expired"
    if isinstance(one, CouponTrigger):
        products, amount = one.products, one.discount
    else:
        products, amount = tuple(s.product_id for s in one.suggestions), None
    return TriggerLine(
        id=one.trigger_id,
        at=one.decided_at,
        kind="recommendation" if amount is None else "coupon",
        rule=one.rule,
        viewer=pseudonym(one.viewer_id),
        products=products,
        reasons=one.reasons,
        amount=amount,
        state=state,
    )


def _markers(m: Material) -> tuple[Marker, ...]:
    found = [Marker(at=one.at, kind=one.kind, product=one.product) for one in m.markers]
    found += [
        Marker(at=at, kind="trigger", count=count)
        for at, count in m.sent_by_minute.items()
        if count
    ]
    return tuple(sorted(found, key=lambda one: (one.at, one.kind, one.product or "")))
