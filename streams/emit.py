"""The one module that emits: what was decided, written as the records that go out.

``decided_at`` is the stream time of the proposal: when the budget answers changes nothing.
"""

from schemas.results import CouponTrigger, Decision, RecommendationTrigger, Suggestion
from streams.choices import Choice, Refusal
from streams.ids import decision_id, trigger_id
from streams.policy import Policy
from streams.propose import Proposal


def coupon_trigger(choice: Choice, policy: Policy) -> CouponTrigger:
    """Return the coupon as it is sent; its money is reserved until ``expires_at``."""
    proposal, offer = choice.proposal, choice.offer
    return CouponTrigger(
        trigger_id=choice.trigger_id,
        session_id=proposal.session_id,
        viewer_id=proposal.viewer_id,
        rule=proposal.rule,
        cause_id=proposal.cause_id,
        decided_at=proposal.at,
        expires_at=choice.reservation.expires_at,
        reasons=proposal.reasons,
        policy_version=policy.version,
        offer_id=choice.offer_id,
        kind=offer.kind,
        value=offer.value,
        discount=choice.discount,
        minimum_spend=offer.minimum_spend,
        currency=offer.currency,
        products=choice.products,
    )


def recommendation_trigger(
    proposal: Proposal, chosen: tuple[Suggestion, ...], policy: Policy
) -> RecommendationTrigger:
    """Return the recommendation as it is sent."""
    return RecommendationTrigger(
        trigger_id=trigger_id(
            proposal.rule, proposal.session_id, proposal.viewer_id, proposal.cause_id
        ),
        session_id=proposal.session_id,
        viewer_id=proposal.viewer_id,
        rule=proposal.rule,
        cause_id=proposal.cause_id,
        decided_at=proposal.at,
        expires_at=proposal.at + policy.recommendation_ttl_ms,
        reasons=proposal.reasons,
        policy_version=policy.version,
        suggestions=chosen,
    )


def sent(
    proposal: Proposal, trigger: CouponTrigger | RecommendationTrigger, policy: Policy
) -> Decision:
    """Return the decision that a trigger was sent."""
    offer_id = trigger.offer_id if isinstance(trigger, CouponTrigger) else None
    return _decision(proposal, "sent", policy, trigger.trigger_id, offer_id, trigger.propensity)


def suppressed(proposal: Proposal, refusal: Refusal, policy: Policy) -> Decision:
    """Return the decision that nothing was sent, and why."""
    return _decision(proposal, refusal.reason, policy, None, refusal.offer_id)


def _decision(
    proposal: Proposal,
    reason: str,
    policy: Policy,
    sent_id: str | None,
    offer_id: str | None,
    propensity: float = 1.0,
) -> Decision:
    whose = (proposal.rule, proposal.session_id, proposal.viewer_id, proposal.cause_id)
    return Decision(
        decision_id=decision_id(*whose, reason),
        kind=proposal.kind,
        rule=proposal.rule,
        session_id=proposal.session_id,
        viewer_id=proposal.viewer_id,
        cause_id=proposal.cause_id,
        decided_at=proposal.at,
        outcome="sent" if sent_id else "suppressed",
        reason=reason,
        trigger_id=sent_id,
        offer_id=offer_id,
        policy_version=policy.version,
        propensity=propensity,
    )
