"""First sight: the sum of firsts is the number of distinct people, in every window."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.seen import BLOCK, FIVE, MINUTE, PANE, SESSION, Seen, touch
from streams.totals import STEPS

BASE = 5_866_667 * BLOCK
WINDOW_OF = {PANE: 1, MINUTE: 6, FIVE: 30, SESSION: 0}

#: One viewer's steps: (viewer, step, pane).
Deed = tuple[int, int, int]


def firsts(deeds: list[Deed]) -> dict[tuple[int, int, int], int]:
    """Return how many people each window of each step counts, by (window, step, its first pane)."""
    memory: defaultdict[int, Seen] = defaultdict(Seen)
    counted: defaultdict[tuple[int, int, int], int] = defaultdict(int)
    for viewer, step, pane in deeds:
        first = touch(memory[viewer], step, pane)
        for bit, size in WINDOW_OF.items():
            if first & bit:
                counted[bit, step, pane - pane % size if size else 0] += 1
    return dict(counted)


def distinct(deeds: list[Deed]) -> dict[tuple[int, int, int], int]:
    """Return the same by brute force: sets of people."""
    people: defaultdict[tuple[int, int, int], set[int]] = defaultdict(set)
    for viewer, step, pane in deeds:
        for bit, size in WINDOW_OF.items():
            people[bit, step, pane - pane % size if size else 0].add(viewer)
    return {window: len(viewers) for window, viewers in people.items()}


_viewer = st.integers(0, 2)
_step = st.integers(0, len(STEPS) - 1)


@given(st.lists(st.tuples(_viewer, _step, st.integers(BASE, BASE + 2 * BLOCK - 1)), max_size=60))
@settings(max_examples=80)
def test_any_order_within_two_blocks_is_exact(deeds: list[Deed]) -> None:
    """Whatever comes late by less than the memory is counted as if it were in time."""
    assert firsts(deeds) == distinct(deeds)


@given(st.lists(st.tuples(_viewer, st.integers(0, 1), st.integers(0, 20 * BLOCK)), max_size=60))
@settings(max_examples=80)
def test_any_stream_in_order_is_exact(deeds: list[Deed]) -> None:
    """However long a viewer stays, and whatever the gaps."""
    in_order = sorted((viewer, step, BASE + pane) for viewer, step, pane in deeds)
    in_order.sort(key=lambda deed: deed[2])
    assert firsts(in_order) == distinct(in_order)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, BLOCK)), max_size=60),
    st.lists(_viewer, min_size=60, max_size=60),
)
@settings(max_examples=60)
def test_a_stream_with_events_up_to_a_block_late_is_exact(
    arrivals: list[tuple[int, int]], viewers: list[int]
) -> None:
    """Late by up to 5 min, over hours: the memory moves along."""
    deeds = [
        (v, 0, BASE + at - late) for v, (at, late) in zip(viewers, sorted(arrivals), strict=False)
    ]
    assert firsts(deeds) == distinct(deeds)


def test_what_is_later_than_the_memory_counts_for_the_session_once() -> None:
    """Two blocks behind, only the session can be sure."""
    seen = Seen()
    touch(seen, 0, BASE + 5 * BLOCK)
    assert touch(seen, 1, BASE) == SESSION
    assert touch(seen, 1, BASE) == 0


def test_a_fresh_memory_does_not_share_its_bits() -> None:
    """Two viewers' memories are two."""
    one, other = Seen(), Seen()
    touch(one, 0, BASE)
    assert touch(other, 0, BASE) == PANE | MINUTE | FIVE | SESSION
