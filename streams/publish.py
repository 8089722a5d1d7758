"""When totals go out: the newest total of each pane that changed, then how far the task has come.

Marks go from every task to every task, so they are sent once a second of stream time, after
all totals that changed. In between totals go out with every commit, so that a screen follows at
once, unless so many change that this would be too much work.
"""

from collections.abc import Iterable, Iterator

from streams.results import Results
from streams.session import Session
from streams.store import State
from streams.totals import Mark, WindowTotal


def publish(state: State, results: Results) -> None:
    """Publish what is due by stream time, or because the watermark has moved without it."""
    progress, every = state.progress, state.policy.publish_every_ms
    tick, watermark = progress.clock // every, progress.watermark
    # It does when a topic falls silent that had held it back; others wait for it.
    if tick <= progress.published and (watermark or 0) - progress.marked < every:
        return
    progress.published = tick
    results.totals += _totals(state, _changed(state))
    if watermark is not None:  # who reads it has read the totals
        progress.marked = watermark
        results.marks.append(Mark(state.partition, watermark))


def show(state: State, results: Results) -> None:
    """Publish what is not due yet, if it is little."""
    changed = _changed(state)
    if state.pace.may_say(len(changed)):
        results.totals += _totals(state, changed)


def _changed(state: State) -> list[Session]:
    return [session for session in state.sessions.values() if session.unpublished]


def _totals(state: State, sessions: Iterable[Session]) -> Iterator[WindowTotal]:
    for session in sessions:
        for pane in session.published():
            behind = session.room.behind
            yield WindowTotal(session.id, pane, state.partition, session.panes[pane], behind)
