"""Carries a proposal through decide and emit into the results.

propose says what might be done, decide whether and what, emit how it is written. A coupon
waits in between for its budget, which is kept outside; ``settle`` takes the answer.
"""

from streams import decide, emit
from streams.budget import Answer, Release
from streams.decide import Choice, Refusal
from streams.propose import Proposal
from streams.results import Results
from streams.session import Session
from streams.state import Visit
from streams.store import State
from streams.visits import schedule


def consider(
    state: State, session: Session, visit: Visit, proposal: Proposal, results: Results
) -> None:
    """Decide on a proposal: every one leaves a trigger or a decision that says why not."""
    if proposal.kind == "coupon":
        _consider_coupon(state, session, visit, proposal, results)
    else:
        _consider_recommendation(state, session, visit, proposal, results)


def _consider_coupon(
    state: State, session: Session, visit: Visit, proposal: Proposal, results: Results
) -> None:
    choice = decide.coupon(session, visit, proposal, proposal.at, state.policy)
    if isinstance(choice, Refusal):
        results.decisions.append(emit.suppressed(proposal, choice, state.policy))
    else:
        results.choices.append(choice)


def _consider_recommendation(
    state: State, session: Session, visit: Visit, proposal: Proposal, results: Results
) -> None:
    chosen = decide.recommendation(session, visit, proposal, proposal.at, state.policy)
    if isinstance(chosen, Refusal):
        results.decisions.append(emit.suppressed(proposal, chosen, state.policy))
        return
    trigger = emit.recommendation_trigger(proposal, chosen, state.policy)
    results.recommendations.append(trigger)
    results.decisions.append(emit.sent(proposal, trigger, state.policy))


def settle(state: State, choice: Choice, answer: Answer, results: Results) -> None:
    """Send a coupon whose budget was granted, or suppress it."""
    session = state.sessions.get(choice.session_id)
    visit = session.visits.get(choice.viewer_id) if session else None
    if session is None or visit is None or not decide.waits(visit, choice):
        # Stream time has jumped, or the viewer was erased: nobody else knows what may be held.
        results.releases.append(Release(choice.session_id, choice.offer_id, choice.trigger_id))
        late = Refusal("answer_late", choice.offer_id)
        results.decisions.append(emit.suppressed(choice.proposal, late, state.policy))
        return
    trigger, decision = decide.settle(visit, choice, answer, state.policy)
    results.decisions.append(decision)
    if trigger is not None:
        results.coupons.append(trigger)
    schedule(state, session.id, choice.viewer_id, visit)
