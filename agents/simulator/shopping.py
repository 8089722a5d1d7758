"""From a product card to a paid order, and all the ways in which that may not happen."""

from collections.abc import Iterator

from msgspec import Struct

from agents.simulator.catalogue import Product
from agents.simulator.session import Item, Session, Visit
from agents.simulator.stage import Process, Stage
from schemas.events import (
    CartAdded,
    CartRemoved,
    Line,
    OrderPaid,
    OrderPlaced,
    OrderRefunded,
    ProductClicked,
    ProductExposed,
)

HESITATES = 0.35
#: What becomes of a cart: ordered soon, ordered after long thought; else it is abandoned.
ORDERS_SOON, ORDERS_LATE = 0.40, 0.15
TIDIES_UP = 0.35
PAYS = 0.92
REFUNDS = 0.05


class Order(Struct, frozen=True):
    """A placed order, and how to tell events about it."""

    order_id: str
    visit: Visit
    lines: tuple[Line, ...]

    def tells(
        self,
        stage: Stage,
        kind: type[OrderPlaced | OrderPaid | OrderRefunded],
        lines: tuple[Line, ...],
    ) -> None:
        """Tell an order event about ``lines``, for what they cost."""
        self.visit.does(
            stage, kind, order_id=self.order_id, lines=lines,
            amount=sum(line.quantity * line.unit_price for line in lines),
            currency=self.visit.session.currency,
        )  # fmt: skip


def look(stage: Stage, visit: Visit, product: Product) -> Process:
    """Bring a product card into view; who is interested opens it."""
    visit.tells(stage, ProductExposed, product_id=product.product_id)
    if stage.dice.chance(0.06 + 0.55 * visit.viewer.interest(product)):
        yield stage.dice.between_ms(0.5, 4)
        yield from _consider(stage, visit, product)


def _consider(stage: Stage, visit: Visit, product: Product) -> Process:
    """Open the product, think, and take it; some only come back to it again and again."""
    dice, viewer = stage.dice, visit.viewer
    looks = 2 + dice.poisson(1) if dice.chance(HESITATES) else 1
    for turn in range(looks):
        if not visit.present:
            return
        visit.does(stage, ProductClicked, product_id=product.product_id)
        yield dice.between_ms(2, 9)
        last = turn == looks - 1
        if last and dice.chance(0.75 * viewer.interest(product) * viewer.can_spend(product)):
            _take(stage, visit, product)


def _take(stage: Stage, visit: Visit, product: Product) -> None:
    """Into the cart, if there is one left; a cart with something in it wants a decision."""
    if not visit.present or product.stock < 1:
        return
    quantity = min(product.stock, 2 if stage.dice.chance(0.12) else 1)
    if product.product_id in visit.cart:
        return
    item = visit.cart[product.product_id] = Item(product, quantity, product.price)
    _tell_cart(stage, visit, CartAdded, item)
    visit.leaves_ms = max(visit.leaves_ms, stage.now_ms + stage.dice.about_ms(60))
    if not visit.deciding:
        visit.deciding = True
        stage.start(_decide(stage, visit))


def _tell_cart(stage: Stage, visit: Visit, kind: type[CartAdded | CartRemoved], item: Item) -> None:
    visit.does(
        stage, kind, product_id=item.product.product_id, quantity=item.quantity,
        unit_price=item.unit_price, currency=item.product.currency,
    )  # fmt: skip


def _decide(stage: Stage, visit: Visit) -> Process:
    """Order soon, order after long thought, or leave the cart alone for good."""
    roll = stage.dice.random()
    soon, orders = roll < ORDERS_SOON, roll < ORDERS_SOON + ORDERS_LATE
    yield stage.dice.between_ms(4, 25) if soon else stage.dice.between_ms(30, 180)
    visit.deciding = False
    if not visit.present:
        return
    if orders:
        yield from _order(stage, visit)
    elif stage.dice.chance(TIDIES_UP):
        _tell_cart(stage, visit, CartRemoved, visit.cart.pop(next(iter(visit.cart))))


def _order(stage: Stage, visit: Visit) -> Process:
    """Place the order, pay it a moment later, and rarely want the money back."""
    items = [item for item in visit.cart.values() if item.product.stock >= item.quantity]
    if not items:
        return
    order = Order(next(stage.order_ids), visit, tuple(_lines(items)))
    for item in items:
        del visit.cart[item.product.product_id]
        _move_stock(visit.session, item.product, -item.quantity)
    order.tells(stage, OrderPlaced, order.lines)
    yield stage.dice.between_ms(3, 25)
    if not stage.dice.chance(PAYS):
        for item in items:
            _move_stock(visit.session, item.product, item.quantity)
        return
    order.tells(stage, OrderPaid, order.lines)
    if stage.dice.chance(REFUNDS):
        yield stage.dice.between_ms(40, 90) + stage.dice.about_ms(120)
        whole = stage.dice.chance(0.7)
        order.tells(stage, OrderRefunded, order.lines if whole else order.lines[:1])


def _lines(items: list[Item]) -> Iterator[Line]:
    return (Line(item.product.product_id, item.quantity, item.unit_price) for item in items)


def _move_stock(session: Session, product: Product, pieces: int) -> None:
    product.stock += pieces
    session.sold[product.product_id] = product
