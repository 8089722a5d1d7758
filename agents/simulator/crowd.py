"""Who may come: a population in which few are everywhere and most are hardly ever there."""

import math
from itertools import islice

from msgspec import Struct, field

from agents.simulator.catalogue import Product
from agents.simulator.stage import Dice, salted_ids

#: How unequal: the exponent of the Zipf law of who comes next.
ACTIVITY_EXPONENT = 0.8
FOLLOWER_SHARE = 0.12
TRIES = 16


class Viewer(Struct, gc=False):
    """One person: tastes and habits that stay the same in every session.

    ``taste`` (0 to 1, a place on the circle of flavours), ``thrift`` (how much a price puts
    off), ``pace`` (how much faster than others they act), ``follows`` (numbers of sessions).
    """

    viewer_id: str
    key: bytes
    taste: float
    thrift: float
    pace: float
    chinese: bool
    watching: bool = False
    follows: set[int] = field(default_factory=set)

    def interest(self, product: Product) -> float:
        """How much the product suits this viewer, from 0 to 1."""
        distance = abs(self.taste - product.flavour)
        match = 1 - 2 * min(distance, 1 - distance)
        return match * match

    def can_spend(self, product: Product) -> float:
        """How willing this viewer is to pay the price, from 0 to 1."""
        return math.exp(-self.thrift * product.dearness)


class Crowd:
    """The population; a viewer's character is made when they first turn up."""

    def __init__(self, dice: Dice, *, size: int, sessions: int, seed: int) -> None:
        self._dice = dice
        self._size = size
        self._sessions = sessions
        self._ids = list(islice(salted_ids("v", seed), size))
        self._known: dict[int, Viewer] = {}

    def somebody(self) -> Viewer:
        """Anybody, watching or not: the busy ones come up more often."""
        return self._viewer(self._dice.zipf(self._size, ACTIVITY_EXPONENT))

    def somebody_free(self) -> Viewer | None:
        """Somebody who is not watching now, or None when that is hard to find."""
        for attempt in range(TRIES):
            # The busiest are mostly inside already: half of the tries look at everybody alike.
            busy = attempt < TRIES // 2
            viewer = self.somebody() if busy else self._viewer(self._dice.randrange(self._size))
            if not viewer.watching:
                return viewer
        return None

    def _viewer(self, rank: int) -> Viewer:
        viewer = self._known.get(rank)
        if viewer is None:
            viewer = self._known[rank] = self._meet(self._ids[rank])
        return viewer

    def _meet(self, viewer_id: str) -> Viewer:
        dice = self._dice
        follows = {n for n in range(min(self._sessions, 20)) if dice.chance(FOLLOWER_SHARE)}
        return Viewer(
            viewer_id=viewer_id,
            key=viewer_id.encode(),
            taste=dice.random(),
            thrift=dice.expovariate(1 / 1.2),
            pace=dice.lognormvariate(0, 0.5),
            chinese=dice.chance(0.75),
            follows=follows,
        )
