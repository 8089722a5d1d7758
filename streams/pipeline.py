"""START HERE: the way of an event through the core, in the order in which data passes.

``step`` takes events in stream-time order and returns what came of them, ``settle`` takes the
budget's answers, ``advance`` lets time pass, ``merge`` sums over the tasks, and ``show`` tells
what a screen need not wait for. No clock and no dice: time is what events and the watermark
say, so the same input gives the same output.
"""

from collections.abc import Mapping, Sequence

from streams import decisions, publish
from streams.apply import apply
from streams.budget import Answer
from streams.clock import pass_time, reach
from streams.records import Arrival
from streams.results import Results
from streams.store import State
from streams.sweep import sweep
from streams.totals import Mark, WindowTotal


def step(state: State, arrivals: Sequence[Arrival]) -> Results:
    """Apply events in their order; timers fire as stream time reaches them."""
    results = Results()
    for event, record in arrivals:
        reach(state, event.ts, results)
        apply(state, event, record, results)
    return results


def advance(
    state: State,
    newest: Mapping[str, int],
    quiet_ms: Mapping[str, int],
    *,
    lagging: bool = False,
) -> Results:
    """Let time pass, publish what is due, forget what is over; once all that came is applied.

    ``newest``: the newest event time taken from each topic; ``quiet_ms``: for how long each
    topic that is caught up has been silent (see ``Watermark.advance``).
    """
    results = Results()
    pass_time(state, newest, quiet_ms, results, lagging=lagging)
    publish.publish(state, results)
    sweep(state)
    return results


def settle(state: State, results: Results, answers: Sequence[Answer]) -> None:
    """Send the coupons whose budget was granted, suppress the others."""
    for choice, answer in zip(results.choices, answers, strict=True):
        decisions.settle(state, choice, answer, results)
    results.choices = []


def merge(state: State, messages: Sequence[WindowTotal | Mark]) -> Results:
    """Merge the tasks' running totals into rows of the conversion table."""
    for message in messages:
        if isinstance(message, Mark):
            state.conversion.mark(message)
        else:
            state.conversion.apply(message)
    return Results(rows=state.conversion.rows())


def show(state: State) -> Results:
    """Publish what has changed but is not due yet, as far as it is little; once a commit."""
    results = Results(rows=state.conversion.brief_rows())
    publish.show(state, results)
    return results
