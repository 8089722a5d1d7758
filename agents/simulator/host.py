"""What the host does: opens the session, fills the shelf, pins, offers coupons, restocks."""

from agents.simulator.catalogue import Product
from agents.simulator.session import Session
from agents.simulator.shopping import look
from agents.simulator.stage import Process, Stage
from schemas.events import (
    OfferListed,
    ProductListed,
    ProductPinned,
    ProductUnpinned,
    SessionEnded,
    SessionStarted,
    StockChanged,
)

SHELF_AT_START = 0.7
PIN_S = (60.0, 180.0)
#: A pinned product reaches the players of those present over so many slices of 200 ms.
SLICES, SLICE_MS = 50, 200
SEES_PIN = 0.8
#: A product that is to run out has this share of what sells in five minutes.
SCARCE = 0.12
#: A flash sale: when the first one begins, the price in per cent, how long it lasts, and pauses.
FIRST_SALE_S, SALE_S, BETWEEN_SALES_S = (20.0, 40.0), (90.0, 150.0), (120.0, 240.0)
FLASH_PERCENT = 70
#: How often a pinned product gets a lower price while it is shown.
FLASH_PRICE = 0.2
STOCK_EVERY_MS = 3_000
RESTOCKS = 0.4
THIRD_OFFER = 0.6
OFFER_LIFE_MS = 4 * 3_600_000


def host(stage: Stage, session: Session) -> Process:
    """Run the show: open, list, offer, then pin one product after another."""
    if session.announced:
        host_id = f"h{session.number}"
        session.says(
            stage, SessionStarted, title=session.title, host_id=host_id, currency=session.currency
        )
    _fill_shelf(stage, session)
    stage.start(_offers(stage, session))
    stage.start(_more_products(stage, session), after_ms=stage.dice.between_ms(30, 90))
    stage.start(_stock_reports(stage, session), after_ms=STOCK_EVERY_MS)
    yield stage.dice.between_ms(0.3, 2)
    if session.character == "flash_sale":
        stage.start(_flash_sales(stage, session), after_ms=stage.dice.between_ms(*FIRST_SALE_S))
    if session.character == "stock_out":
        _make_scarce(stage, session)
        yield stage.dice.between_ms(*PIN_S)
    while True:
        if not session.flash:
            _pin(stage, session)
        yield stage.dice.between_ms(*PIN_S)


def close(stage: Stage, session: Session) -> None:
    """End the show; a session that nobody announced is not closed either."""
    if session.announced:
        session.says(stage, SessionEnded)


def _fill_shelf(stage: Stage, session: Session) -> None:
    for _ in range(max(1, round(SHELF_AT_START * len(session.backstage)))):
        _list_next(stage, session)


def _list_next(stage: Stage, session: Session) -> None:
    product = session.backstage.pop()
    session.shelf.append(product)
    _tell_listed(stage, session, product)


def _tell_listed(stage: Stage, session: Session, product: Product) -> None:
    session.says(
        stage, ProductListed, product_id=product.product_id, price=product.price,
        stock=product.stock, currency=product.currency, title=product.title,
    )  # fmt: skip


def _more_products(stage: Stage, session: Session) -> Process:
    while session.backstage:
        _list_next(stage, session)
        yield stage.dice.between_ms(30, 90)


def _make_scarce(stage: Stage, session: Session) -> None:
    """Pin a product of which there is only so much as sells in a minute or two."""
    product = session.shelf[0]
    product.stock = 5 + int(session.sales * SCARCE)
    session.says(stage, StockChanged, product_id=product.product_id, stock=product.stock)
    _pin(stage, session, product)


def _flash_sales(stage: Stage, session: Session) -> Process:
    """Sell one product for much less, for some minutes; then another one."""
    while True:
        product = stage.dice.choice(session.shelf)
        price, dearness = product.price, product.dearness
        product.price, product.dearness = price * FLASH_PERCENT // 100, dearness / 4
        session.flash = True
        _tell_listed(stage, session, product)
        _pin(stage, session, product)
        yield stage.dice.between_ms(*SALE_S)
        product.price, product.dearness, session.flash = price, dearness, False
        _tell_listed(stage, session, product)
        yield stage.dice.between_ms(*BETWEEN_SALES_S)


def _pin(stage: Stage, session: Session, product: Product | None = None) -> None:
    """Show a product, or any."""
    if session.pinned is not None:
        session.says(stage, ProductUnpinned, product_id=session.pinned.product_id)
    wanted, product = product, product or stage.dice.choice(session.shelf)
    session.pinned = product
    if wanted is None and stage.dice.chance(FLASH_PRICE):
        product.price = product.price * 9 // 10
        _tell_listed(stage, session, product)
    session.says(stage, ProductPinned, product_id=product.product_id)
    stage.start(_show(stage, session, product))


def _show(stage: Stage, session: Session, product: Product) -> Process:
    present = list(session.visits.values())
    for part in range(SLICES):
        for visit in present[part::SLICES]:
            if visit.present and stage.dice.chance(SEES_PIN):
                stage.start(look(stage, visit, product))
        yield SLICE_MS


def _stock_reports(stage: Stage, session: Session) -> Process:
    while True:
        for product in session.sold.values():
            session.says(stage, StockChanged, product_id=product.product_id, stock=product.stock)
            if product.stock == 0 and stage.dice.chance(_restocks(session)):
                wait_ms = stage.dice.between_ms(20, 120)
                stage.start(_restock(stage, session, product), after_ms=wait_ms)
        session.sold.clear()
        yield STOCK_EVERY_MS


def _restocks(session: Session) -> float:
    return 0.0 if session.character == "stock_out" else RESTOCKS


def _restock(stage: Stage, session: Session, product: Product) -> Process:
    product.stock += stage.dice.randint(5, 60)
    session.sold[product.product_id] = product
    yield 0


def _offers(stage: Stage, session: Session) -> Process:
    """Offer two coupons at once and, for some hosts, a third one later."""
    prices = sorted(product.price for product in session.shelf)
    middle = prices[len(prices) // 2]
    tenth = max(1, middle // 10)
    _offer(stage, session, costs=tenth, kind="amount_off", value=tenth, minimum_spend=prices[0])
    _offer(stage, session, costs=middle * 8 // 100, kind="percent_off", value=8, minimum_spend=0)
    if stage.dice.chance(THIRD_OFFER):
        yield stage.dice.between_ms(45, 240)
        _offer(
            stage, session, costs=2 * tenth,
            kind="amount_off", value=2 * tenth, minimum_spend=middle,
        )  # fmt: skip


def _offer(stage: Stage, session: Session, *, costs: int, **terms: str | int) -> None:
    """Set a budget for some hundred coupons that cost about ``costs`` minor units each."""
    session.says(
        stage, OfferListed, offer_id=next(stage.offer_ids), currency=session.currency,
        budget=costs * stage.dice.randint(200, 600),
        per_viewer_cap=stage.dice.randint(1, 2),
        valid_until=stage.now_ms + OFFER_LIFE_MS,
        margin=round(stage.dice.uniform(0.25, 0.5), 2),
        **terms,
    )  # fmt: skip
