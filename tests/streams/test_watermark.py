"""The watermark: behind all topics that are not idle, and never going back."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.policy import Policy
from streams.watermark import Watermark

POLICY = Policy(watermark_bound_ms=2_000, idle_ms=5_000)
T = 1_760_000_000_000

_topics = st.sampled_from(["visits", "likes", "carts"])
_newest = st.dictionaries(_topics, st.integers(T, T + 100_000))
_quiet = st.dictionaries(_topics, st.integers(0, 100_000))


def test_nothing_is_known_before_the_first_event() -> None:
    """Without events there is no stream time."""
    assert Watermark(POLICY).advance({}, {"visits": 60_000}) is None


def test_it_follows_the_slowest_topic_behind_the_bound() -> None:
    """The hindmost topic decides."""
    reached = Watermark(POLICY).advance({"visits": T + 9_000, "likes": T + 7_000}, {})
    assert reached == T + 5_000


@given(st.lists(st.tuples(_newest, _quiet), max_size=20))
@settings(max_examples=50)
def test_it_never_goes_back(steps: list[tuple[dict[str, int], dict[str, int]]]) -> None:
    """Whatever topics say, and whoever wakes up again."""
    watermark = Watermark(POLICY)
    reached = [watermark.advance(newest, quiet) for newest, quiet in steps]
    known = [value for value in reached if value is not None]
    assert known == sorted(known)
    assert None not in reached[len(reached) - len(known) :]


def test_it_goes_on_from_where_it_was() -> None:
    """A restored watermark is not lowered by the first events read."""
    assert Watermark(POLICY, T).advance({"visits": T - 60_000}, {}) == T


def test_an_idle_topic_does_not_hold_it_back() -> None:
    """A topic that is caught up and silent for 5 s expects nothing."""
    newest = {"visits": T + 60_000, "likes": T}
    assert Watermark(POLICY).advance(newest, {"likes": 5_000}) == T + 58_000


def test_a_short_silence_holds_it_back() -> None:
    """4.999 s of silence may still be a slow producer."""
    newest = {"visits": T + 60_000, "likes": T}
    assert Watermark(POLICY).advance(newest, {"likes": 4_999}) == T - 2_000


def test_a_lagging_topic_holds_it_back_for_ever() -> None:
    """Only topics that are caught up have a quiet time; without one, time does not pass."""
    newest = {"visits": T + 3_600_000, "likes": T}
    assert Watermark(POLICY).advance(newest, {"visits": 3_600_000}) == T - 2_000


def test_a_quiet_room_still_closes() -> None:
    """When all are caught up and silent, elapsed time moves it."""
    newest, quiet = {"visits": T, "likes": T - 40_000}, {"visits": 30_000, "likes": 70_000}
    assert Watermark(POLICY).advance(newest, quiet) == T + 30_000 - 2_000


def test_a_topic_that_never_spoke_does_not_hold_it_back() -> None:
    """A topic nobody writes to is not expected to bring anything."""
    assert Watermark(POLICY).advance({"visits": T}, {"likes": 0}) == T - 2_000
