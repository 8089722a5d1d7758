"""What is sold: the screen's lines of products and offers."""

from collections import Counter
from collections.abc import Mapping

from schemas.results import ConversionRow
from streams.glance import Carts, CartsOf
from streams.material import Material, most_first
from streams.screen import OfferLine, ProductLine
from streams.state import Product

COMPANIONS = 3
#: Two people may buy the same two things by chance; of one it is no news at all.
COMPANY_PEOPLE = 2
MINUTE_MS = 60_000


def product_lines(m: Material, carts: Carts) -> tuple[ProductLine, ...]:
    """Return the products: pinned first, then the shelf, then the others, by what they sold."""
    rows = {row.scope_id: row for row in m.products}
    units: Counter[str] = Counter()
    company: dict[str, Counter[str]] = {}
    for one in m.glances:
        units.update(one.units)
        for product_id, others in one.company.items():
            company.setdefault(product_id, Counter()).update(others)
    if m.shelf.ended is not None:
        units.clear()  # nothing more will be sold
    minutes = min(max((m.clock - m.total.start) / MINUTE_MS, 1.0), 5.0)
    lines = [
        _product(
            m, product_id, rows.get(product_id), carts.products.get(product_id) or CartsOf(),
            per_min=units[product_id] / minutes, company=company.get(product_id, {}),
        )
        for product_id in {**m.shelf.products, **rows}
    ]  # fmt: skip
    lines.sort(key=lambda one: (not one.pinned, not one.listed, -one.gmv_gross, one.id))
    return tuple(lines)


def offer_lines(m: Material) -> tuple[OfferLine, ...]:
    """Return the offers and what is left of their budgets."""
    return tuple(
        OfferLine(
            id=offer_id,
            kind=offer.kind,
            value=offer.value,
            currency=offer.currency,
            minimum_spend=offer.minimum_spend,
            budget=offer.budget,
            left=max(offer.budget - m.spent.get(offer_id, 0), 0),
            valid_until=offer.valid_until,
        )
        for offer_id, offer in m.shelf.offers.items()
    )


def _product(
    m: Material,
    product_id: str,
    row: ConversionRow | None,
    carts: CartsOf,
    *,
    per_min: float,
    company: Mapping[str, int],
) -> ProductLine:
    listed = m.shelf.products.get(product_id)
    people = row.people if row else {}
    return ProductLine(
        id=product_id,
        title=listed.title if listed else "",
        price=listed.price if listed else 0,
        currency=listed.currency if listed else m.currency,
        stock=listed.stock if listed else None,
        pinned=m.shelf.pinned == product_id,
        listed=listed is not None,
        exposed=people.get("exposed", 0),
        clicked=people.get("clicked", 0),
        carted=people.get("carted", 0),
        ordered=people.get("ordered", 0),
        paid=people.get("paid", 0),
        units_per_min=round(per_min, 2),
        gmv_gross=row.money["gmv_gross"] if row else 0,
        carts=carts.carts,
        carts_waiting=carts.waiting,
        oldest_cart_at=carts.oldest,
        sells_out_in_min=_sells_out(listed, per_min),
        bought_with=_companions(company),
    )


def _sells_out(listed: Product | None, per_min: float) -> float | None:
    if listed is None or not listed.stock or not per_min:
        return None
    return round(listed.stock / per_min, 1)


def _companions(company: Mapping[str, int]) -> tuple[str, ...]:
    enough = {other: people for other, people in company.items() if people >= COMPANY_PEOPLE}
    return tuple(other for other, _ in most_first(enough)[:COMPANIONS])
