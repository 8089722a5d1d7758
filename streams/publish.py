"""When totals go out: once a second of stream time, newest total of each pane that changed."""

from streams.results import Results
from streams.session import Session
from streams.store import State
from streams.totals import Mark, WindowTotal


def publish(state: State, results: Results) -> None:
    """Publish the totals that changed, then the watermark: who reads it has read them."""
    tick = state.progress.clock // state.policy.publish_every_ms
    if tick <= state.progress.published:
        return
    state.progress.published = tick
    for session in state.sessions.values():
        if session.unpublished:
            panes = session.published()
            _say_present(session, panes[-1])
            results.totals += (
                WindowTotal(
                    session.id, pane, state.partition, session.panes[pane], session.room.behind
                )
                for pane in panes
            )
    if state.progress.watermark is not None:
        results.marks.append(Mark(state.partition, state.progress.watermark))


def _say_present(session: Session, index: int) -> None:
    """Note who is there now in the session's newest pane; older ones have had their end."""
    totals, present = session.panes[index], session.room.present
    if totals.present != present and index == max(session.panes):
        totals.present = present
        session.changed_panes.add(index)
