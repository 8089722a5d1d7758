"""Timers fire in a fixed order, and know what is next."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.timers import NEVER, Timers

_timer = st.tuples(st.integers(0, 50), st.sampled_from(["s1", "s2"]), st.sampled_from("abc"))


@given(st.lists(_timer), st.integers(0, 60))
@settings(max_examples=50)
def test_due_timers_fire_oldest_first_and_the_others_stay(
    entries: list[tuple[int, str, str]], now: int
) -> None:
    """Ties are broken by session and viewer, so that a replay fires alike."""
    timers = Timers()
    for entry in entries:
        timers.set(*entry)
    assert list(timers.due(now)) == sorted(entry for entry in entries if entry[0] <= now)
    later = [entry[0] for entry in entries if entry[0] > now]
    assert timers.next == min(later, default=NEVER)
    assert len(timers) == len(later)


@given(st.lists(_timer))
@settings(max_examples=50)
def test_the_order_of_setting_does_not_matter(entries: list[tuple[int, str, str]]) -> None:
    """A restored heap, filled in any order, fires like the one before."""
    forward, backward = Timers(), Timers()
    for entry in entries:
        forward.set(*entry)
    for entry in reversed(entries):
        backward.set(*entry)
    assert list(forward.due(NEVER)) == list(backward.due(NEVER))


def test_a_timer_set_while_firing_fires_too_when_it_is_due() -> None:
    """Waking a visit may make it wait for something that is due already."""
    timers = Timers()
    timers.set(10, "s", "a")
    fired = []
    for entry in timers.due(30):
        fired.append(entry[0])
        if len(fired) < 4:
            timers.set(entry[0] + 10, "s", "a")
    assert fired == [10, 20, 30]
    assert timers.next == 40


def test_without_timers_nothing_is_next() -> None:
    """An empty heap never wakes anybody."""
    assert Timers().next == NEVER
