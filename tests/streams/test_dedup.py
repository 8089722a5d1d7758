"""Event-id memory: a repeat is known for a while, and the memory does not grow."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.dedup import MEMORY, remember


def memory_of(ids: list[str]) -> bytes:
    """Remember ids one after another; repeats change nothing."""
    recent = b""
    for event_id in ids:
        recent = remember(recent, event_id) or recent
    return recent


def test_a_new_id_is_remembered() -> None:
    """Eight bytes an id."""
    assert len(remember(b"", "e1") or b"") == 8


@given(st.lists(st.text(min_size=1), min_size=1, max_size=MEMORY, unique=True), st.data())
@settings(max_examples=50)
def test_a_repeat_within_the_memory_is_known(ids: list[str], data: st.DataObject) -> None:
    """Each of the newest 32 ids is found again, whatever it is made of."""
    assert remember(memory_of(ids), data.draw(st.sampled_from(ids))) is None


@given(st.lists(st.text(min_size=1), max_size=120))
@settings(max_examples=50)
def test_the_memory_holds_the_newest_thirty_two(ids: list[str]) -> None:
    """Of those that were new when they came: a repeat does not make an id any younger."""
    recent = memory_of(ids)
    new: list[str] = []
    for event_id in ids:
        if event_id not in new[-MEMORY:]:
            new.append(event_id)
    assert len(recent) == 8 * len(new[-MEMORY:])
    assert all(remember(recent, event_id) is None for event_id in new[-MEMORY:])


def test_the_oldest_id_makes_room() -> None:
    """The 33rd id pushes the first one out."""
    ids = [f"e{i}" for i in range(MEMORY + 1)]
    assert remember(memory_of(ids), "e0") is not None
    assert remember(memory_of(ids), "e1") is None
