"""When totals go out: the newest total of each pane that changed, then how far the task has come.

Marks go from every task to every task, so they are sent once a second of stream time. Totals
go to one task each: four times a second, so that a screen follows at once, unless a task has
so many sessions that once a second is work enough.
"""

from streams.results import Results
from streams.session import Session
from streams.store import State
from streams.totals import FEW, Mark, WindowTotal


def publish(state: State, results: Results) -> None:
    """Publish what is due by stream time."""
    progress, policy = state.progress, state.policy
    shown, published = (
        progress.clock // every for every in (policy.show_every_ms, policy.publish_every_ms)
    )
    if shown <= progress.shown:
        return
    progress.shown = shown
    changed = [session for session in state.sessions.values() if session.unpublished]
    is_due = published > progress.published
    if is_due or len(changed) <= FEW:
        for session in changed:
            results.totals += _totals(session, state.partition)
    if is_due:
        progress.published = published
        if progress.watermark is not None:  # who reads it has read the totals
            results.marks.append(Mark(state.partition, progress.watermark))


def _totals(session: Session, partition: int) -> list[WindowTotal]:
    behind = session.room.behind
    return [
        WindowTotal(session.id, pane, partition, session.panes[pane], behind)
        for pane in session.published()
    ]
