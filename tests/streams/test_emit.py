"""What is emitted: ids are hashes of their cause, records say all that was decided."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from schemas.codes import WHY_NOT
from schemas.results import CouponTrigger, Decision, Reason, RecommendationTrigger, Suggestion
from streams import decide, emit
from streams.choices import Choice, Refusal
from streams.ids import decision_id, trigger_id
from streams.policy import Policy
from tests.streams.builders import (
    NOW,
    coupon_proposal,
    offer,
    recommendation_proposal,
    session,
    visit,
)

POLICY = Policy()

parts = st.tuples(st.text(), st.text(), st.text(), st.text())


def choice() -> Choice:
    """Return a coupon that was chosen for a cart of one product."""
    room = session(a=1)
    room.shelf.offers = {"o1": offer(kind="percent_off", value=10, minimum_spend=500)}
    found = decide.coupon(room, visit(carted=("a",)), coupon_proposal(), NOW, POLICY)
    assert isinstance(found, Choice)
    return found


@given(parts, parts)
def test_ids_are_equal_only_for_the_same_cause(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    """Moving a character from one part to the next makes another id."""
    assert (trigger_id(*one) == trigger_id(*other)) == (one == other)


def test_moving_a_boundary_makes_another_id() -> None:
    """Parts that read the same when joined are told apart."""
    assert trigger_id("r", "s1", "2", "e") != trigger_id("r", "s", "12", "e")
    assert trigger_id("r", "1:s", "v", "e") != trigger_id("r", "1", ":sv", "e")


def test_the_id_of_a_cause_never_changes() -> None:
    """Consumers keep ids for days: this one is written down."""
    assert trigger_id("cart_waiting", "s1", "v1", "e1") == "6kabri462svtzfywlm77gc6rce"
    assert decision_id("cart_waiting", "s1", "v1", "e1", "sent") != trigger_id(
        "cart_waiting", "s1", "v1", "e1"
    )


def test_a_coupon_says_all_that_was_decided() -> None:
    """The record on the wire has the offer's terms, the discount and the goods."""
    wire = json.decode(json.encode(emit.coupon_trigger(choice(), POLICY)), type=CouponTrigger)
    assert wire.trigger_id == trigger_id("cart_waiting", "s1", "v1", "e1")
    assert (wire.session_id, wire.viewer_id, wire.cause_id) == ("s1", "v1", "e1")
    assert (wire.offer_id, wire.kind, wire.value) == ("o1", "percent_off", 10)
    assert (wire.discount, wire.minimum_spend, wire.currency) == (100, 500, "CNY")
    assert (wire.products, wire.decided_at) == (("a",), NOW)
    assert wire.expires_at == NOW + POLICY.coupon_ttl_ms
    assert (wire.policy_version, wire.propensity) == (POLICY.version, 1.0)


def test_a_recommendation_says_what_and_until_when() -> None:
    """The suggestions keep their order; the record ends after its time to live."""
    chosen = (Suggestion("b", 0.5, "co_click"), Suggestion("a", 0.1, "best_seller"))
    trigger = emit.recommendation_trigger(recommendation_proposal("x"), chosen, POLICY)
    wire = json.decode(json.encode(trigger), type=RecommendationTrigger)
    assert wire.suggestions == chosen
    assert wire.trigger_id == trigger_id("after_order", "s1", "v1", "e1")
    assert wire.expires_at - wire.decided_at == POLICY.recommendation_ttl_ms


def test_reasons_go_out_as_they_were_proposed() -> None:
    """The heaviest reason stays first."""
    reasons = (Reason("idle", 1.3), Reason("few_acts", 0.5))
    proposal = coupon_proposal()
    proposal = type(proposal)(
        **{name: getattr(proposal, name) for name in proposal.__struct_fields__}
        | {"reasons": reasons}
    )
    assert emit.recommendation_trigger(proposal, (), POLICY).reasons == reasons


def test_a_sent_decision_names_its_trigger() -> None:
    """Decisions and triggers can be joined by id."""
    one = choice()
    trigger = emit.coupon_trigger(one, POLICY)
    decision = emit.sent(one.proposal, trigger, POLICY)
    assert (decision.outcome, decision.reason) == ("sent", "sent")
    assert (decision.trigger_id, decision.offer_id) == (trigger.trigger_id, "o1")
    assert (decision.kind, decision.rule, decision.cause_id) == ("coupon", "cart_waiting", "e1")


def test_a_suppressed_decision_says_why_not() -> None:
    """It has the reason, the offer that came furthest, and no trigger."""
    decision = emit.suppressed(coupon_proposal(), Refusal("margin", "o1"), POLICY)
    wire = json.decode(json.encode(decision), type=Decision)
    assert (wire.outcome, wire.reason, wire.offer_id) == ("suppressed", "margin", "o1")
    assert wire.trigger_id is None


def test_a_cause_that_is_refused_and_later_sent_has_two_decisions() -> None:
    """A consumer that drops known ids keeps both, and only one of equal refusals."""
    unavailable = emit.suppressed(coupon_proposal(), Refusal("budget_unavailable"), POLICY)
    later = coupon_proposal(at=NOW + 5_000)
    again = emit.suppressed(later, Refusal("budget_unavailable"), POLICY)
    one = choice()
    sent = emit.sent(one.proposal, emit.coupon_trigger(one, POLICY), POLICY)
    assert unavailable.decision_id == again.decision_id != sent.decision_id


def test_every_reason_is_explained() -> None:
    """The table of reasons has a sentence for each, and no code is 'sent'."""
    assert all(WHY_NOT.values())
    assert "sent" not in WHY_NOT
