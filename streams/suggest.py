"""What the host may do next: at most one suggestion a rule, each with the numbers behind it.

A suggestion is a code; the page says it in words, three at a time: behind one that the host
dismisses stands the next. The rules stand in the order of urgency.
"""

from collections.abc import Callable, Iterator
from itertools import chain

from msgspec import Struct

from streams.glance import WAITING_MS, Carts
from streams.screen import Gpm, Now, OfferLine, ProductLine, Suggestion

SOON_MIN = 10.0
FEW_CARTS = 5
MANY_LEAVING = 10
TWICE = 2
ENOUGH_CLICKS = 30
#: How much better another product must sell per click to be pinned instead.
CLEARLY_BETTER = 1.5
LITTLE_BUDGET = 0.1


class Scene(Struct, frozen=True, kw_only=True):
    """What the rules look at."""

    now: Now
    at_risk: int
    carts: Carts
    gpm: Gpm
    products: tuple[ProductLine, ...]
    offers: tuple[OfferLine, ...]


def suggestions(scene: Scene) -> tuple[Suggestion, ...]:
    """Return what is worth doing, the most urgent first."""
    return tuple(chain.from_iterable(rule(scene) for rule in _RULES))


def _pinned_sold_out(scene: Scene) -> Iterator[Suggestion]:
    pinned = _pinned(scene)
    if pinned is not None and pinned.stock == 0:
        yield _say("pinned_sold_out", product=pinned.id)


def _stock_low(scene: Scene) -> Iterator[Suggestion]:
    ending = [
        (one.sells_out_in_min, one.id, one)
        for one in scene.products
        if one.sells_out_in_min is not None and one.sells_out_in_min <= SOON_MIN
    ]
    for minutes, _, one in sorted(ending, key=lambda found: found[:2])[:1]:
        yield _say("stock_low", product=one.id, stock=one.stock or 0, minutes=round(minutes, 1))


def _carts_waiting(scene: Scene) -> Iterator[Suggestion]:
    on_stock = {one.id for one in scene.products if one.stock}
    waiting = [
        (of.waiting, product_id)
        for product_id, of in scene.carts.products.items()
        if of.waiting >= FEW_CARTS and product_id in on_stock
    ]
    for carts, product_id in sorted(waiting, reverse=True)[:1]:
        value, age_s = scene.carts.products[product_id].waiting_value, WAITING_MS // 1_000
        yield _say(
            "carts_waiting", product=product_id, carts=carts, older_than_s=age_s, value=value
        )


def _carts_at_risk(scene: Scene) -> Iterator[Suggestion]:
    carts = scene.carts
    if carts.at_risk >= FEW_CARTS:
        value, viewers = carts.at_risk_value, scene.at_risk
        yield _say("carts_at_risk", carts=carts.at_risk, value=value, at_risk=viewers)


def _worst_factor(scene: Scene) -> Iterator[Suggestion]:
    for one in scene.gpm.factors:
        if one.name == scene.gpm.furthest_below and one.value is not None and one.baseline:
            percent = round(100 * (1 - one.value / one.baseline))
            yield _say("worst_factor", factor=one.name, percent_below=percent, of=one.of)


def _viewers_leaving(scene: Scene) -> Iterator[Suggestion]:
    leaving, joining = scene.now.leaving_per_min, scene.now.joining_per_min
    if leaving >= MANY_LEAVING and leaving >= TWICE * joining:
        yield _say("viewers_leaving", leaving_per_min=leaving, joining_per_min=joining)


def _pin_best(scene: Scene) -> Iterator[Suggestion]:
    pinned = _pinned(scene)
    known = [one for one in scene.products if one.clicked >= ENOUGH_CLICKS and one.stock]
    best = max(known, key=lambda one: (_per_click(one), one.id), default=None)
    if pinned is None or best is None or pinned.clicked < ENOUGH_CLICKS:
        return
    if _per_click(best) > CLEARLY_BETTER * _per_click(pinned):
        yield _say("pin_best", product=best.id, clicked=best.clicked, ordered=best.ordered)


def _budget_low(scene: Scene) -> Iterator[Suggestion]:
    low = [
        (one.left / one.budget, one.id, one.left)
        for one in scene.offers
        if one.budget and one.left < LITTLE_BUDGET * one.budget
    ]
    for share, offer_id, left in sorted(low)[:1]:
        yield _say("budget_low", offer=offer_id, left=left, percent_left=round(100 * share))


def _say(code: str, **params: str | float) -> Suggestion:
    return Suggestion(code, dict(params))


def _pinned(scene: Scene) -> ProductLine | None:
    return next((one for one in scene.products if one.pinned), None)


def _per_click(product: ProductLine) -> float:
    return product.ordered / product.clicked


_RULES: tuple[Callable[[Scene], Iterator[Suggestion]], ...] = (
    _pinned_sold_out,
    _stock_low,
    _carts_waiting,
    _carts_at_risk,
    _worst_factor,
    _viewers_leaving,
    _pin_best,
    _budget_low,
)
