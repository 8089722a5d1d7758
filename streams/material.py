"""What the views hold of a session: the material of which the screen is made.

A reader fills it in; ``streams/snapshot.py`` and ``streams/wares.py`` make of it what goes out.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from schemas.results import ChurnRow, ConversionRow, CouponTrigger, RecommendationTrigger
from streams.glance import Carts, CartsOf, Glance
from streams.journal import Marked, Outcome
from streams.screen import TriggerCounts, TriggerKind
from streams.state import Shelf

AnyTrigger = CouponTrigger | RecommendationTrigger


class Material(Struct, kw_only=True):
    """Everything that the views hold of a session.

    ``total`` is its whole row, ``products`` the whole rows of its products; ``panes`` are the
    rows of 10 s of at least the last 5 min, ``fives`` all of 5 min. ``sent_by_minute`` counts
    triggers by the start of their minute, ``spent`` is what offers have promised.
    """

    session_id: str
    at: int
    total: ConversionRow
    title: str = ""
    shelf: Shelf = field(default_factory=Shelf)
    glances: list[Glance] = field(default_factory=list)
    panes: Sequence[ConversionRow] = ()
    fives: Sequence[ConversionRow] = ()
    products: list[ConversionRow] = field(default_factory=list)
    risks: list[ChurnRow] = field(default_factory=list)
    triggers: list[AnyTrigger] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    counts: dict[TriggerKind, TriggerCounts] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)
    markers: list[Marked] = field(default_factory=list)
    sent_by_minute: dict[int, int] = field(default_factory=dict)

    @property
    def clock(self) -> int:
        """The event time that the tasks have reached."""
        return max((one.clock for one in self.glances), default=self.total.end)

    @property
    def currency(self) -> str | None:
        """The session's currency; before its first row the host alone has said it."""
        return self.total.currency or self.shelf.currency

    def carts(self) -> Carts:
        """Return the carts of all tasks' viewers."""
        found = Carts()
        for one in self.glances:
            found.carts += one.carts.carts
            found.value += one.carts.value
            found.at_risk += one.carts.at_risk
            found.at_risk_value += one.carts.at_risk_value
            for product_id, of in one.carts.products.items():
                found.products.setdefault(product_id, CartsOf()).add(of)
        return found


def most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return what there is at all by its count, the most first."""
    found = [(name, count) for name, count in counts.items() if count]
    return sorted(found, key=lambda one: (-one[1], one[0]))
