"""The budget's rule, in memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.budget import Ledger, Release, Reservation


def reservation(trigger_id: str = "t1", amount: int = 40, budget: int = 100) -> Reservation:
    """Ask for a coupon of the one offer."""
    return Reservation("room", "offer", trigger_id, amount, budget, expires_at=0)


def release(trigger_id: str = "t1") -> Release:
    """Give that coupon back."""
    return Release("room", "offer", trigger_id)


def test_grants_while_the_budget_lasts_and_then_refuses() -> None:
    """Two coupons of 40 fit into 100, the third does not."""
    ledger = Ledger()
    answers = [ledger.reserve(reservation(f"t{n}")) for n in range(3)]
    assert answers == ["granted", "granted", "exhausted"]
    assert ledger.spent("room", "offer") == 80


def test_exactly_the_whole_budget_is_granted() -> None:
    """The limit itself is within the limit."""
    ledger = Ledger()
    assert ledger.reserve(reservation(amount=100)) == "granted"
    assert ledger.reserve(reservation("t2", amount=1)) == "exhausted"


def test_a_repeat_is_answered_as_at_first_and_costs_nothing() -> None:
    """A replayed grant is a grant, and a replayed refusal stays one when money is back."""
    ledger = Ledger()
    ledger.reserve(reservation("granted", amount=100))
    ledger.reserve(reservation("refused"))
    ledger.release(release("granted"))
    assert ledger.reserve(reservation("granted", amount=100)) == "granted"
    assert ledger.reserve(reservation("refused")) == "exhausted"
    assert ledger.spent("room", "offer") == 0


def test_a_release_gives_back_once() -> None:
    """A second release of the same coupon gives nothing."""
    ledger = Ledger()
    ledger.reserve(reservation("t1"))
    ledger.reserve(reservation("t2"))
    ledger.release(release("t1"))
    ledger.release(release("t1"))
    assert ledger.spent("room", "offer") == 40


def test_a_release_of_a_refused_coupon_gives_nothing() -> None:
    """What was never held cannot be given back."""
    ledger = Ledger()
    ledger.reserve(reservation("t1", amount=100))
    ledger.reserve(reservation("t2"))
    ledger.release(release("t2"))
    assert ledger.spent("room", "offer") == 100


def test_a_release_that_overtakes_its_reservation_closes_the_id() -> None:
    """The late reservation of a coupon that was given up holds nothing."""
    ledger = Ledger()
    ledger.release(release("t1"))
    assert ledger.reserve(reservation("t1")) == "exhausted"
    assert ledger.spent("room", "offer") == 0


def test_a_release_gives_back_to_the_offer_that_was_charged() -> None:
    """A release that names another offer cannot enlarge that one's budget."""
    ledger = Ledger()
    ledger.reserve(reservation("t1"))
    ledger.release(Release("room", "other", "t1"))
    assert (ledger.spent("room", "offer"), ledger.spent("room", "other")) == (0, 0)


def test_sessions_and_offers_do_not_share_budgets() -> None:
    """The same offer id in another session is another budget."""
    ledger = Ledger()
    ledger.reserve(reservation(amount=100))
    elsewhere = Reservation("other room", "offer", "t1", 100, 100, expires_at=0)
    assert ledger.reserve(elsewhere) == "granted"


@pytest.mark.parametrize(("amount", "budget"), [(-1, 5), (1, -5)])
def test_negative_money_is_refused_by_name(amount: int, budget: int) -> None:
    """A negative amount would enlarge the budget: the error names the field."""
    field = "amount" if amount < 0 else "budget"
    with pytest.raises(ValueError, match=rf"Reservation\.{field} is -"):
        reservation(amount=amount, budget=budget)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 60))))
def test_never_spends_more_than_the_budget_nor_less_than_nothing(
    steps: list[tuple[bool, int, int]],
) -> None:
    """Whatever is asked in whatever order, promises stay between nothing and the budget."""
    ledger = Ledger()
    for reserve, trigger, amount in steps:
        if reserve:
            ledger.reserve(reservation(f"t{trigger}", amount))
        else:
            ledger.release(release(f"t{trigger}"))
        assert 0 <= ledger.spent("room", "offer") <= 100


@given(st.lists(st.integers(0, 60)))
def test_everything_released_leaves_nothing_spent(amounts: list[int]) -> None:
    """Give back all that was asked for, granted or not, and the budget is whole."""
    ledger = Ledger()
    ids = [f"t{n}" for n in range(len(amounts))]
    for trigger_id, amount in zip(ids, amounts, strict=True):
        ledger.reserve(reservation(trigger_id, amount))
    for trigger_id in ids:
        ledger.release(release(trigger_id))
    assert ledger.spent("room", "offer") == 0
