"""Erasure: a viewer's state goes for good, presence stays right, totals stay."""

from schemas.events import CartAdded, Event, ViewerEntered, ViewerErased
from streams import pipeline
from streams.partitioner import partition_of
from streams.policy import Policy
from streams.records import Record
from streams.results import Results
from streams.store import State

PARTITIONS = 3
VIEWER = "canary"


def task() -> State:
    """Return the task of the viewer, who is in two rooms."""
    state = State(partition_of(VIEWER, PARTITIONS), PARTITIONS, Policy())
    say(state, entered(1, "a"), entered(2, "b"), in_cart(3, "a"))
    return state


def say(state: State, *events: Event) -> Results:
    """Apply events, each from a record on the task's own partition."""
    arrivals = [
        (event, Record("t", state.partition, at, event.ts, b"", b""))
        for at, event in enumerate(events)
    ]
    return pipeline.step(state, arrivals)


def entered(number: int, session_id: str) -> ViewerEntered:
    """Let the viewer enter a room."""
    return ViewerEntered(
        id=f"e{number}", ts=10_000_000 + number, session_id=session_id, viewer_id=VIEWER
    )


def in_cart(number: int, session_id: str) -> CartAdded:
    """Let the viewer put something into the cart."""
    return CartAdded(
        id=f"e{number}", ts=10_000_000 + number, session_id=session_id, viewer_id=VIEWER,
        product_id="p", unit_price=100, currency="CNY",
    )  # fmt: skip


def erased(session_id: str = "*", viewer_id: str = VIEWER) -> ViewerErased:
    """Order the erasure."""
    return ViewerErased(id="x", ts=10_000_100, session_id=session_id, viewer_id=viewer_id)


def log_of(state: State, log: dict[bytes, bytes] | None = None) -> dict[bytes, bytes]:
    """Return the changelog as it stands once compacted."""
    log = {} if log is None else log
    for key, value in state.puts({}):
        if value is None:
            log.pop(key, None)
        else:
            log[key] = value
    return log


def named_in(log: dict[bytes, bytes]) -> bool:
    """Tell whether the viewer is named in the log."""
    return VIEWER.encode() in b"".join([*log.keys(), *log.values()])


def test_a_viewer_is_gone_from_all_sessions_and_from_the_log() -> None:
    """No visit, and tombstones for what the changelog had."""
    state = task()
    log = log_of(state)
    assert named_in(log)
    say(state, erased())
    assert all(VIEWER not in session.visits for session in state.sessions.values())
    assert not named_in(log_of(state, log))


def test_who_was_present_has_left_and_the_screen_is_told() -> None:
    """The count of viewers goes down by one, and is published."""
    state = task()
    pipeline.advance(state, {"t": 10_000_003}, {})
    assert state.sessions["a"].room.present == 1
    say(state, erased())
    assert state.sessions["a"].room.present == 0
    totals = pipeline.advance(state, {"t": 10_002_000}, {}).totals
    assert {total.session_id: total.totals.present for total in totals} == {"a": 0, "b": 0}


def test_totals_stay() -> None:
    """What was counted of the viewer stays counted."""
    state = task()
    before = {
        s.id: {i: dict(p.channels) for i, p in s.panes.items()} for s in state.sessions.values()
    }
    say(state, erased())
    after = {
        s.id: {i: dict(p.channels) for i, p in s.panes.items()} for s in state.sessions.values()
    }
    assert after == before


def test_one_session_only() -> None:
    """The other sessions keep theirs."""
    state = task()
    say(state, erased("a"))
    assert VIEWER not in state.sessions["a"].visits
    assert VIEWER in state.sessions["b"].visits
    assert state.sessions["b"].room.present == 1


def test_again_is_harmless() -> None:
    """The second order finds nothing, changes nothing, and is passed on to the views again."""
    state = task()
    say(state, erased())
    log = log_of(state)
    results = say(state, erased())
    assert results.erased == [("*", VIEWER)]
    assert log_of(state, dict(log)) == log
    assert state.sessions["a"].room.present == 0


def test_an_unknown_viewer_or_session_is_harmless() -> None:
    """Nothing is opened for the sake of closing it."""
    state = State(partition_of(VIEWER, PARTITIONS), PARTITIONS, Policy())
    say(state, erased(), erased("nowhere"))
    assert state.sessions == {}


def test_a_viewer_of_another_task_is_refused() -> None:
    """An order on the wrong partition would find nothing and seem done."""
    state = task()
    stranger = next(v for v in map(str, range(99)) if not state.owns(v))
    results = say(state, erased(viewer_id=stranger))
    assert [why.reason for _, why in results.refused] == ["wrong_partition"]
    assert results.erased == []


def test_who_comes_back_begins_anew() -> None:
    """The visit after an erasure knows nothing of the one before."""
    state = task()
    say(state, erased())
    say(state, ViewerEntered(id="n", ts=10_000_200, session_id="a", viewer_id=VIEWER))
    visit = state.sessions["a"].visits[VIEWER]
    assert visit.cart is None
    assert visit.first == 10_000_200
    assert state.sessions["a"].room.present == 1


def test_a_restart_does_not_bring_the_viewer_back() -> None:
    """The restored task has everybody but the viewer."""
    state = task()
    log = log_of(state)
    say(state, erased())
    restored = State(state.partition, PARTITIONS, Policy())
    restored.restore(log_of(state, log))
    assert all(VIEWER not in session.visits for session in restored.sessions.values())
    assert restored.sessions["a"].room.present == 0
