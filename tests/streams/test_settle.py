"""Settlement: what the budget and the viewer say, and that caps and money hold for any course."""

from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from schemas.events import (
    TriggerAccepted,
    TriggerDeclined,
    TriggerEvent,
    TriggerFailed,
    TriggerShown,
)
from schemas.results import CouponTrigger
from streams import decide, decisions
from streams.budget import Answer, Ledger, Release, Reservation
from streams.choices import Refusal
from streams.policy import Policy
from streams.results import Results
from streams.session import Session
from streams.state import Visit
from streams.store import State
from tests.streams.builders import NOW, choose, coupon_proposal, offer, shop, visit

POLICY = Policy()


def ask(room: Session, one: Visit, cause: str = "e1", now: int = NOW) -> str:
    """Return the offer that is chosen, or the reason why none is."""
    found = decide.coupon(room, one, coupon_proposal(cause, at=now), now, POLICY)
    return found.reason if isinstance(found, Refusal) else found.offer_id


def send(room: Session, one: Visit, cause: str = "e1", now: int = NOW) -> CouponTrigger:
    """Choose a coupon and have it granted."""
    trigger, _ = decide.settle(one, choose(room, one, cause, now), "granted", POLICY)
    assert trigger is not None
    return trigger


def report(kind: type[TriggerEvent], trigger_id: str) -> TriggerEvent:
    """Return what became of a trigger."""
    return kind(id="x", ts=NOW, session_id="s1", viewer_id="v1", trigger_id=trigger_id)


def test_an_order_that_used_the_coupon_accepts_it() -> None:
    """Its money stays reserved, though nobody reported that the viewer took it."""
    room, one = shop(), visit(carted=("a",))
    trigger = send(room, one)
    decide.redeem(one, trigger.trigger_id)
    assert one.coupons is not None
    assert one.coupons[0].status == "accepted"
    assert not decide.expire(room, one, trigger.expires_at)


def test_a_cause_has_one_coupon() -> None:
    """The same proposal again, after the gap, is refused."""
    room, one = shop(), visit(carted=("a",))
    send(room, one)
    assert ask(room, one, now=NOW + 60_000) == "already_decided"
    assert ask(room, one, "e2", now=NOW + 60_000) == "o1"


# --- what the budget says


def test_granted_is_sent() -> None:
    """The coupon is open until its end, and the decision names its trigger."""
    room, one = shop(), visit(carted=("a",))
    trigger, decision = decide.settle(one, choose(room, one), "granted", POLICY)
    assert trigger is not None
    assert one.coupons is not None
    assert one.coupons[0].status == "sent"
    assert trigger.expires_at == one.coupons[0].expires_at == NOW + POLICY.coupon_ttl_ms
    assert (decision.outcome, decision.trigger_id) == ("sent", trigger.trigger_id)


def test_exhausted_is_refused_for_good() -> None:
    """Nothing is held, nothing counts, and the cause stays considered."""
    room, one = shop(), visit(carted=("a",))
    one.considered = ["cart_waiting:e1"]
    trigger, decision = decide.settle(one, choose(room, one), "exhausted", POLICY)
    assert trigger is None
    assert (decision.outcome, decision.reason, decision.offer_id) == (
        "suppressed",
        "budget_exhausted",
        "o1",
    )
    assert one.coupons is None
    assert one.considered == ["cart_waiting:e1"]


def test_unavailable_is_asked_again_with_the_same_id_and_offer() -> None:
    """The budget may hold the money already, so a better offer must not take the id over."""
    room, one = shop(), visit(carted=("a",))
    one.considered = ["cart_waiting:e1"]
    first = choose(room, one)
    trigger, decision = decide.settle(one, first, "unavailable", POLICY)
    assert (trigger, decision.reason) == (None, "budget_unavailable")
    assert one.considered is None
    room.shelf.offers["better"] = offer(value=60)
    again = choose(room, one, now=NOW + 5_000)
    assert (again.trigger_id, again.offer_id) == (first.trigger_id, "o1")
    assert decide.settle(one, again, "granted", POLICY)[0] is not None
    assert one.coupons is not None
    assert [coupon.status for coupon in one.coupons] == ["sent"]


def test_an_unanswered_coupon_is_given_back_at_its_end() -> None:
    """It was never sent: it does not count, and its id is not used again."""
    room, one = shop(), visit(carted=("a",))
    choice = choose(room, one)
    decide.settle(one, choice, "unavailable", POLICY)
    (release,) = decide.expire(room, one, NOW + POLICY.coupon_ttl_ms)
    assert release.trigger_id == choice.trigger_id
    assert ask(room, one, now=NOW + 120_000) == "already_decided"
    assert ask(room, one, "e2", now=NOW + 120_000) == "o1"


def test_an_answer_is_waited_for_however_far_time_jumps() -> None:
    """A worker that catches up sends what it would have sent; then the coupon ends."""
    room, one = shop(), visit(carted=("a",))
    choice = choose(room, one)
    assert decide.expire(room, one, NOW + POLICY.coupon_ttl_ms) == []
    trigger, _ = decide.settle(one, choice, "granted", POLICY)
    assert trigger is not None
    assert len(decide.expire(room, one, NOW + POLICY.coupon_ttl_ms)) == 1


def test_an_outcome_that_overtakes_the_answer_is_kept() -> None:
    """Logs that are read again hold it; the trigger was sent when they were read first."""
    room, one = shop(), visit(carted=("a",))
    choice = choose(room, one)
    decide.outcome(room, one, report(TriggerAccepted, choice.trigger_id))
    trigger, decision = decide.settle(one, choice, "granted", POLICY)
    assert (trigger, decision.reason) == (None, "answer_late")


# --- what the viewer does


@pytest.mark.parametrize(
    ("kind", "status", "frees"),
    [
        (TriggerAccepted, "accepted", False),
        (TriggerDeclined, "declined", True),
        (TriggerFailed, "failed", True),
        (TriggerShown, "sent", False),
    ],
)
def test_outcomes(kind: type[TriggerEvent], status: str, *, frees: bool) -> None:
    """An accepted coupon keeps its money, a declined or failed one gives it back, once."""
    room, one = shop(), visit(carted=("a",))
    sent = send(room, one)
    release = decide.outcome(room, one, report(kind, sent.trigger_id))
    assert one.coupons is not None
    assert one.coupons[0].status == status
    assert (release is not None) == frees
    if status != "sent":
        assert decide.outcome(room, one, report(TriggerDeclined, sent.trigger_id)) is None
        assert decide.expire(room, one, sent.expires_at) == []


def test_a_failure_that_is_reported_after_the_end_still_does_not_count() -> None:
    """The money is back already; the place under the cap becomes free too."""
    room, one = shop(), visit(carted=("a",))
    sent = send(room, one)
    assert len(decide.expire(room, one, sent.expires_at)) == 1
    assert decide.outcome(room, one, report(TriggerFailed, sent.trigger_id)) is None
    assert one.coupons is not None
    assert one.coupons[0].status == "failed"


def test_outcomes_of_unknown_triggers_change_nothing() -> None:
    """A recommendation's outcome, or that of another viewer, is no coupon's."""
    assert decide.outcome(shop(), visit(), report(TriggerDeclined, "unknown")) is None


def test_a_coupon_that_ended_long_ago_is_not_claimed_again() -> None:
    """A budget that remembers the sum may have forgotten the coupon, and would add it again."""
    room, one = shop(), visit(carted=("a",))
    sent = send(room, one)
    decide.outcome(room, one, report(TriggerAccepted, sent.trigger_id))
    assert len(list(decide.claims("s1", one, sent.expires_at - 1))) == 1
    assert list(decide.claims("s1", one, sent.expires_at)) == []


def test_the_money_of_an_ended_coupon_is_claimed_back() -> None:
    """A worker may have crashed before the budget heard of the end."""
    room, one, ledger = shop(), visit(carted=("a",)), Ledger()
    choice = choose(room, one)
    decide.settle(one, choice, ledger.reserve(choice.reservation), POLICY)
    decide.expire(room, one, NOW + POLICY.coupon_ttl_ms)
    (claim,) = decide.claims("s1", one, NOW)
    assert isinstance(claim, Release)
    ledger.release(claim)
    assert ledger.spent("s1", "o1") == 0


def test_a_coupon_that_is_asked_again_takes_off_no_more_than_is_held() -> None:
    """The budget may have heard the first question; it answers by the trigger id alone."""
    room, one, ledger = shop(), visit(carted=("a",)), Ledger()
    room.shelf.offers["o1"] = offer(kind="percent_off", value=20, budget=500)
    first = choose(room, one)
    ledger.reserve(first.reservation)
    decide.settle(one, first, "unavailable", POLICY)
    assert one.cart is not None
    one.cart["a"].quantity = 2
    again = choose(room, one, now=NOW + 5_000)
    trigger, _ = decide.settle(one, again, ledger.reserve(again.reservation), POLICY)
    assert trigger is not None
    assert trigger.discount == ledger.spent("s1", "o1") == 200


# --- any course


class Course(RuleBasedStateMachine):
    """Any course of proposals, answers, outcomes and time for one viewer with a changing cart.

    The budget hears a question and answers, or its answer is lost, or it hears nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.room, self.one, self.ledger, self.now = shop(), visit(carted=("a",)), Ledger(), NOW
        self.room.shelf.offers = {
            "o1": offer(budget=250, per_viewer_cap=1),
            "o2": offer(value=60, budget=100, per_viewer_cap=2),
            "o3": offer(kind="percent_off", value=12, budget=300),
        }
        self.sent: dict[str, CouponTrigger] = {}

    @rule(
        cause=st.integers(0, 9).map(str),
        how=st.sampled_from(["heard", "heard", "lost", "deaf"]),
        later_ms=st.sampled_from([0, 1_000, 30_000]),
    )
    def propose(self, cause: str, how: str, later_ms: int) -> None:
        """Decide on a proposal, ask the budget, settle."""
        self.now += later_ms
        proposal = coupon_proposal(cause, at=self.now)
        choice = decide.coupon(self.room, self.one, proposal, self.now, POLICY)
        if isinstance(choice, Refusal):
            return
        answer: Answer = "unavailable" if how == "deaf" else self.ledger.reserve(choice.reservation)
        told: Answer = "unavailable" if how == "lost" else answer
        trigger, _ = decide.settle(self.one, choice, told, POLICY)
        if trigger is not None:
            assert trigger.trigger_id not in self.sent
            self.sent[trigger.trigger_id] = trigger

    @rule(pieces=st.integers(1, 3))
    def change_cart(self, pieces: int) -> None:
        """Want more or less of it: what is asked for the next time is another amount."""
        assert self.one.cart is not None
        self.one.cart["a"].quantity = pieces

    @rule(
        which=st.integers(0, 3),
        kind=st.sampled_from([TriggerAccepted, TriggerDeclined, TriggerFailed]),
    )
    def report(self, which: int, kind: type[TriggerEvent]) -> None:
        """Tell what became of a coupon."""
        if which < len(self.sent):
            event = report(kind, list(self.sent)[which])
            release = decide.outcome(self.room, self.one, event)
            if release is not None:
                self.ledger.release(release)

    @rule(later_ms=st.sampled_from([0, 60_000, 120_000]))
    def expire(self, later_ms: int) -> None:
        """Let time pass and end what is over."""
        self.now += later_ms
        for release in decide.expire(self.room, self.one, self.now):
            self.ledger.release(release)

    @invariant()
    def the_caps_hold(self) -> None:
        """Count what reached the viewer: not too much, never too close together."""
        reached = [one for one in self.sent.values() if self._status(one) not in ("failed", None)]
        times = sorted(one.decided_at for one in reached)
        assert len(reached) <= POLICY.coupons_per_session
        assert all(later - earlier >= POLICY.coupon_gap_ms for earlier, later in pairwise(times))
        for offer_id, terms in self.room.shelf.offers.items():
            assert sum(one.offer_id == offer_id for one in reached) <= terms.per_viewer_cap

    @invariant()
    def the_money_is_there(self) -> None:
        """Every open or accepted coupon is paid for, and no offer promises more than it has."""
        for offer_id, terms in self.room.shelf.offers.items():
            assert self._owed(offer_id) <= self.ledger.spent("s1", offer_id) <= terms.budget

    @invariant()
    def a_budget_that_was_lost_is_told_what_is_owed(self) -> None:
        """Ask the visit what its open and accepted coupons hold."""
        empty = Ledger()
        for one in decide.claims("s1", self.one, NOW):
            if isinstance(one, Reservation):
                assert empty.reserve(one) == "granted"
            else:
                empty.release(one)
        for offer_id in self.room.shelf.offers:
            spent = empty.spent("s1", offer_id)
            assert self._owed(offer_id) <= spent <= self.ledger.spent("s1", offer_id)

    def teardown(self) -> None:
        """When all coupons have ended, only the accepted ones hold money."""
        self.expire(POLICY.coupon_ttl_ms)
        taken = sum(one.amount for one in self.one.coupons or () if one.status == "accepted")
        assert sum(self.ledger.spent("s1", one) for one in self.room.shelf.offers) == taken

    def _owed(self, offer_id: str) -> int:
        held = ("sent", "accepted")
        sent = [one for one in self.sent.values() if one.offer_id == offer_id]
        return sum(one.discount for one in sent if self._status(one) in held)

    def _status(self, trigger: CouponTrigger) -> str | None:
        found = {coupon.trigger_id: coupon.status for coupon in self.one.coupons or ()}
        return found.get(trigger.trigger_id)


TestAnyCourse = Course.TestCase
TestAnyCourse.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


def test_an_answer_for_a_forgotten_visit_gives_the_money_back() -> None:
    """Stream time may jump while the budget is asked: nothing is sent, and nothing is lost."""
    room, one = shop(), visit(carted=("a",))
    choice, results = choose(room, one), Results()
    decisions.settle(State(0, 1, POLICY), choice, "granted", results)
    assert results.coupons == []
    assert [d.reason for d in results.decisions] == ["answer_late"]
    assert [r.trigger_id for r in results.releases] == [choice.trigger_id]


def test_an_answer_for_a_visit_that_began_anew_gives_the_money_back() -> None:
    """The viewer was erased while the budget was asked, and came again."""
    room, results, state = shop(), Results(), State(0, 1, POLICY)
    choice = choose(room, visit(carted=("a",)))
    state.sessions["s1"] = room
    room.visits.add("v1", visit())
    decisions.settle(state, choice, "granted", results)
    assert results.coupons == []
    assert [d.reason for d in results.decisions] == ["answer_late"]
    assert [r.trigger_id for r in results.releases] == [choice.trigger_id]
