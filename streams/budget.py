"""What a coupon budget promises: reserve once per trigger id, give back once, never overspend.

`Ledger` is the rule in memory. `agents/engine/budget.lua` is the same rule inside Redis, and the
tests hold the one against the other.
"""

from typing import Literal

from msgspec import Struct

Answer = Literal["granted", "exhausted", "unavailable"]

#: A budget out of which everything is granted: what was promised already.
PROMISED = 2**53 - 1


class Reservation(Struct, frozen=True):
    """Hold ``amount`` of an offer's ``budget`` (minor units) for one coupon.

    ``expires_at`` (epoch ms) is when the coupon ends; the answer is remembered for longer.
    Raises ValueError for a negative amount or budget: it would enlarge what may be promised.
    """

    session_id: str
    offer_id: str
    trigger_id: str
    amount: int
    budget: int
    expires_at: int

    def __post_init__(self) -> None:
        for name, value in (("amount", self.amount), ("budget", self.budget)):
            if value < 0:
                raise ValueError(f"Reservation.{name} is {value}; give 0 or more minor units")


class Release(Struct, frozen=True):
    """The coupon was declined, failed or expired: what it holds is free again."""

    session_id: str
    offer_id: str
    trigger_id: str


class Ledger:
    """The budgets of every session, in memory and for ever; for replays and as the oracle.

    A trigger id is answered once. Repeats get that answer, even after a release. A release
    of an id that was never reserved closes the id: its reservation, should it still arrive
    (a request that was overtaken), is answered ``exhausted`` and holds nothing.
    """

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], Answer] = {}
        self._held: dict[tuple[str, str], tuple[str, int]] = {}
        self._spent: dict[tuple[str, str], int] = {}

    def reserve(self, wanted: Reservation) -> Answer:
        """Answer ``granted`` while the promises stay within the budget, else ``exhausted``."""
        trigger = (wanted.session_id, wanted.trigger_id)
        if trigger not in self._answers:
            self._answers[trigger] = self._first_answer(trigger, wanted)
        return self._answers[trigger]

    def release(self, done: Release) -> None:
        """Give back what the trigger id holds, if it holds anything."""
        trigger = (done.session_id, done.trigger_id)
        self._answers.setdefault(trigger, "exhausted")
        offer_id, amount = self._held.pop(trigger, (done.offer_id, 0))
        offer = (done.session_id, offer_id)
        self._spent[offer] = self._spent.get(offer, 0) - amount

    def spent(self, session_id: str, offer_id: str) -> int:
        """Return what the offer's coupons hold at the moment, in minor units."""
        return self._spent.get((session_id, offer_id), 0)

    def _first_answer(self, trigger: tuple[str, str], wanted: Reservation) -> Answer:
        spent = self.spent(wanted.session_id, wanted.offer_id)
        if wanted.amount > wanted.budget - spent:
            return "exhausted"
        self._held[trigger] = (wanted.offer_id, wanted.amount)
        self._spent[wanted.session_id, wanted.offer_id] = spent + wanted.amount
        return "granted"
