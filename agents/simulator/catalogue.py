"""What is sold: products with a name in two languages, a price, a stock and a flavour."""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from agents.simulator.stage import Dice


class Sort(NamedTuple):
    """A sort of thing to sell, and what it costs, in yuan."""

    chinese: str
    english: str
    low: int
    high: int


SORTS = (
    Sort("口红", "lipstick", 59, 320),
    Sort("面膜", "face mask", 39, 199),
    Sort("精华液", "serum", 129, 890),
    Sort("防晒霜", "sunscreen", 69, 260),
    Sort("卫衣", "hoodie", 99, 399),
    Sort("连衣裙", "dress", 129, 699),
    Sort("运动鞋", "sneakers", 199, 999),
    Sort("羽绒服", "down jacket", 299, 1_299),
    Sort("坚果礼盒", "nut box", 49, 168),
    Sort("咖啡豆", "coffee beans", 45, 188),
    Sort("茶叶", "tea", 68, 520),
    Sort("空气炸锅", "air fryer", 199, 599),
    Sort("吸尘器", "vacuum cleaner", 399, 1_999),
    Sort("蓝牙耳机", "earbuds", 89, 1_299),
    Sort("保温杯", "thermos", 49, 229),
    Sort("儿童积木", "building blocks", 79, 459),
)
STYLES = (
    ("经典", "classic"), ("限量", "limited"), ("新款", "new"), ("升级", "improved"),
    ("家庭装", "family"), ("旅行装", "travel"), ("联名", "collab"), ("冬季", "winter"),
)  # fmt: skip
YUAN_PER_DOLLAR = 7
DEAREST_YUAN = 2_000


class Product(Struct, gc=False):
    """One product of one session.

    ``flavour`` (0 to 1, a place on a circle) says whom it suits, ``dearness`` (0 to 1) how
    much of a hurdle its price is; ``price`` is in minor units.
    """

    product_id: str
    chinese: str
    english: str
    title: str
    price: int
    currency: str
    stock: int
    flavour: float
    dearness: float


def products(
    dice: Dice, ids: Iterator[str], *, count: int, currency: str, sales: float
) -> list[Product]:
    """Make a session's assortment; ``sales`` is about how many pieces sell in five minutes."""
    picks = dice.sample(range(len(SORTS) * len(STYLES)), min(count, len(SORTS) * len(STYLES)))
    picks += [dice.randrange(len(SORTS)) for _ in range(count - len(picks))]
    return [_product(dice, next(ids), pick, currency=currency, sales=sales) for pick in picks]


def _product(dice: Dice, product_id: str, pick: int, *, currency: str, sales: float) -> Product:
    sort, style = SORTS[pick % len(SORTS)], STYLES[pick // len(SORTS)]
    yuan = dice.randint(sort.low, sort.high)
    return Product(
        product_id=product_id,
        chinese=sort.chinese,
        english=sort.english,
        title=f"{style[0]}{sort.chinese} {style[1]} {sort.english}",
        price=yuan * 100 if currency == "CNY" else yuan * 100 // YUAN_PER_DOLLAR - 1,
        currency=currency,
        stock=_stock(dice, sales),
        flavour=dice.random(),
        dearness=(yuan / DEAREST_YUAN) ** 0.5,
    )


def _stock(dice: Dice, sales: float) -> int:
    """Every third product is scarce: it can sell out while the session runs."""
    share = dice.uniform(0.01, 0.1) if dice.chance(1 / 3) else dice.uniform(0.5, 3)
    return 3 + int(sales * share)
