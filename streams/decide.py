"""The one module that decides: is a proposal sent, and what becomes of it afterwards.

``coupon`` and ``recommendation`` decide; a later policy that learns takes their place.
``settle``, ``outcome`` and ``expire`` follow a coupon: pending until the budget answers, then
sent, then accepted, declined, failed or expired.
"""

from collections.abc import Iterator

from schemas.events import TriggerAccepted, TriggerDeclined, TriggerEvent, TriggerFailed
from schemas.results import CouponTrigger, Decision, Suggestion
from streams import coupons, emit
from streams.budget import PROMISED, Answer, Release, Reservation
from streams.choices import Choice, Refusal
from streams.ids import trigger_id
from streams.policy import Policy
from streams.propose import Proposal, forget
from streams.recommend import suggestions
from streams.session import Session
from streams.state import Coupon, Visit

__all__ = [
    "Choice", "Refusal", "claims", "coupon", "expire", "outcome", "recommendation",
    "settle", "waits",
]  # fmt: skip

#: A visit remembers so many coupons that never reached the viewer.
_FAILED_KEPT = 4


# --- deciding ----------------------------------------------------------------------------------


def coupon(
    session: Session, visit: Visit, proposal: Proposal, now: int, policy: Policy
) -> Choice | Refusal:
    """Choose an offer for the viewer, and note it as pending so that it counts at once.

    A cause whose budget did not answer may come again. It keeps its trigger id and therefore
    its offer and its amount, because the budget may hold just that for it already; what it takes
    off may be less, never more.
    """
    this_id = trigger_id(proposal.rule, session.id, proposal.viewer_id, proposal.cause_id)
    earlier = _find(visit, this_id)
    refusal = _may_get_coupon(session, visit, earlier, now, policy)
    goods = refusal or coupons.buyable(session, visit, proposal)
    if isinstance(goods, Refusal):
        return goods
    offers = session.shelf.offers
    if earlier is not None:
        offers = {one: offer for one, offer in offers.items() if one == earlier.offer_id}
    picked = coupons.pick(offers, goods, _counted(visit, earlier), now)
    if isinstance(picked, Refusal):
        return picked
    amount = (earlier and earlier.amount) or picked.discount
    choice = _choice(proposal, picked, this_id, amount, now, policy)
    _hold(visit, choice, now)
    return choice


def recommendation(
    session: Session, visit: Visit, proposal: Proposal, now: int, policy: Policy
) -> tuple[Suggestion, ...] | Refusal:
    """Choose products for the viewer, and note when, so that it counts for the cap."""
    absent = _absent(session, visit)
    if absent is not None:
        return absent
    since = now - policy.recommendation_window_ms
    lately = [at for at in visit.recommended or () if at > since]
    if len(lately) >= policy.recommendations_per_window:
        return Refusal("window_cap")
    chosen = suggestions(session, visit, proposal, now, policy)
    if not chosen:
        return Refusal("no_candidate")
    visit.recommended = [*lately, now]
    return chosen


# --- what becomes of a coupon ------------------------------------------------------------------


def waits(visit: Visit, choice: Choice) -> bool:
    """Tell whether the visit still knows of the coupon that the budget was asked for."""
    return _find(visit, choice.trigger_id) is not None


def settle(
    visit: Visit, choice: Choice, answer: Answer, policy: Policy
) -> tuple[CouponTrigger | None, Decision]:
    """Turn the budget's answer into a trigger or a refusal; only for a coupon that ``waits``.

    Unavailable: the coupon stays pending and its rule may propose it again. The budget may
    have heard the question, so only ``expire`` gives the money back.
    """
    held = _find(visit, choice.trigger_id)
    assert held is not None, "nobody waits for this answer"
    held.is_asked = False
    if held.status != "pending":
        return None, emit.suppressed(choice.proposal, _refuse(choice, "answer_late"), policy)
    if answer == "granted":
        held.status = "sent"
        trigger = emit.coupon_trigger(choice, policy)
        return trigger, emit.sent(choice.proposal, trigger, policy)
    if answer == "unavailable":
        forget(visit, choice.proposal)
    else:
        _drop(visit, held)
    return None, emit.suppressed(choice.proposal, _refuse(choice, f"budget_{answer}"), policy)


def outcome(session: Session, visit: Visit, event: TriggerEvent) -> Release | None:
    """Note what the viewer did with a coupon; returns the money that is free again.

    An accepted coupon keeps its money. A failed one does not count for the caps, not even when
    the failure is reported after it has expired.
    """
    held = _find(visit, event.trigger_id)
    if held is None:
        return None
    if held.status == "expired" and isinstance(event, TriggerFailed):
        held.status = "failed"
    if held.status not in ("pending", "sent"):
        return None
    if isinstance(event, TriggerAccepted):
        held.status = "accepted"
    elif isinstance(event, (TriggerDeclined, TriggerFailed)):
        held.status = "declined" if isinstance(event, TriggerDeclined) else "failed"
        return Release(session.id, held.offer_id, held.trigger_id)
    return None


def redeem(visit: Visit, trigger_id: str) -> None:
    """Note that an order used a coupon: that accepts it, whether that is reported or not."""
    held = _find(visit, trigger_id)
    if held is not None and held.status == "sent":
        held.status = "accepted"


def claims(session_id: str, visit: Visit, since: int) -> Iterator[Reservation | Release]:
    """Yield what the budget must know of the visit's coupons that end after ``since``.

    It may have lost what they hold, or not have heard that they ended. Of older coupons it has
    forgotten its answer, and would count them twice. A pending one is not among them: it was
    granted nothing, and asks again by itself.
    """
    for one in visit.coupons or ():
        if one.expires_at <= since or one.status == "pending":
            continue
        if one.status in ("sent", "accepted"):
            yield Reservation(
                session_id, one.offer_id, one.trigger_id, one.amount, PROMISED, one.expires_at
            )
        else:
            yield Release(session_id, one.offer_id, one.trigger_id)


def expire(session: Session, visit: Visit, now: int) -> list[Release]:
    """End the coupons that nobody took in time; returns the money that is free again.

    One that was still pending was never sent: it has failed, and does not count for the caps.
    However far time jumps, one that is asked waits for its answer: who catches up sends what was
    sent live.
    """
    ended = [one for one in visit.coupons or () if one.expires_at <= now and one.is_open]
    for one in ended:
        one.status = "expired" if one.status == "sent" else "failed"
    return [Release(session.id, one.offer_id, one.trigger_id) for one in ended]


# --- caps --------------------------------------------------------------------------------------


def _absent(session: Session, visit: Visit) -> Refusal | None:
    if session.shelf.ended is not None:
        return Refusal("session_ended")
    return None if visit.present else Refusal("not_present")


def _may_get_coupon(
    session: Session, visit: Visit, earlier: Coupon | None, now: int, policy: Policy
) -> Refusal | None:
    absent = _absent(session, visit)
    if absent is not None:
        return absent
    if earlier is not None and earlier.status != "pending":
        return Refusal("already_decided")
    others = _counted(visit, earlier)
    if len(others) >= policy.coupons_per_session:
        return Refusal("session_cap")
    if any(now - one.at < policy.coupon_gap_ms for one in others):
        return Refusal("too_soon")
    return None


def _counted(visit: Visit, but: Coupon | None) -> list[Coupon]:
    """Return the coupons that count for the caps; one that is asked again not against itself."""
    return [one for one in visit.coupons or () if one.status != "failed" and one is not but]


def _choice(
    proposal: Proposal, picked: coupons.Pick, this_id: str, amount: int, now: int, policy: Policy
) -> Choice:
    return Choice(
        proposal=proposal,
        offer=picked.offer,
        discount=min(picked.discount, amount),
        products=picked.goods.products,
        reservation=Reservation(
            session_id=proposal.session_id,
            offer_id=picked.offer_id,
            trigger_id=this_id,
            amount=amount,
            budget=picked.offer.budget,
            expires_at=min(now + policy.coupon_ttl_ms, picked.offer.valid_until),
        ),
    )


def _hold(visit: Visit, choice: Choice, now: int) -> None:
    wanted = choice.reservation
    others = [one for one in visit.coupons or () if one.trigger_id != wanted.trigger_id]
    failed = [one for one in others if one.status == "failed"][:-_FAILED_KEPT]
    new = Coupon(
        wanted.trigger_id, wanted.offer_id, now, wanted.expires_at,
        status="pending", amount=wanted.amount, is_asked=True,
    )  # fmt: skip
    visit.coupons = [*(one for one in others if one not in failed), new]


def _find(visit: Visit, this_id: str) -> Coupon | None:
    return next((one for one in visit.coupons or () if one.trigger_id == this_id), None)


def _drop(visit: Visit, held: Coupon) -> None:
    visit.coupons = [one for one in visit.coupons or () if one is not held] or None


def _refuse(choice: Choice, reason: str) -> Refusal:
    return Refusal(reason, choice.offer_id)
