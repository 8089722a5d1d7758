"""Each invariant by itself: what is right passes, and every way to be wrong is named."""

import msgspec
import pytest

from streams.state import Interest, Order, Visit
from streams.store import PANE, VISIT
from streams.totals import PaneTotals, zeros
from tests.chaos import checker
from tests.chaos.found import COLUMNS, Book
from tests.chaos.oracle import Oracle
from tests.integration.cluster import Said

HOST = "host"
START_MS = 1_790_000_000_000
PANE_AT = START_MS // 10_000
WHO = {"session_id": "s", "viewer_id": "v"}
KEY = ("s", "v")
BROKEN = ("in", 0, 5)

EVENTS: tuple[dict[str, object], ...] = (
    {"type": "ProductClicked", "product_id": "p1"},
    {"type": "ProductClicked", "product_id": "p2"},
    {"type": "LikesSent", "count": 4},
    {"type": "OrderPlaced", "order_id": "o4", "amount": 4},
)


def said(event: dict[str, object], number: int) -> Said:
    """Return the record of an event."""
    whole = event | WHO | {"id": f"v-{number}", "ts": START_MS}
    return Said("in", 0, number, b"v", msgspec.json.encode(whole), {})


@pytest.fixture
def oracle() -> Oracle:
    """Return an oracle that has read the four events, a repeat and a broken record."""
    oracle = Oracle(host_topic=HOST, now_ms=START_MS)
    oracle.replay(said(event, n) for n, event in enumerate(EVENTS))
    oracle.replay([said(EVENTS[0], 0)._replace(offset=4)])
    oracle.replay([Said("in", 0, 5, b"v", b"{", {})])
    return oracle


def book(*, clicks: int = 1, likes: int = 4, order: bool = True) -> Book:
    """Return a state with all four events in it, or with what the arguments make of them."""
    visit = Visit()
    visit.interests = {"p1": Interest(clicks=1), "p2": Interest(clicks=clicks)}
    visit.orders = {"o4": Order(4, placed=True)} if order else None
    row = zeros()
    counts = {"ProductClicked": 1 + clicks, "LikesSent": likes, "OrderPlaced": int(order)}
    for name, count in (counts | {"ordered_amount": 4 * order}).items():
        row[COLUMNS[name]] = count
    told = Book()
    encode = msgspec.msgpack.encode
    told.put("0", encode((VISIT, *KEY)), encode(visit))
    told.put("0", encode((PANE, "s", PANE_AT)), encode(PaneTotals(channels={"v": row})))
    return told


def test_a_right_state_passes(oracle: Oracle) -> None:
    """Nothing is wrong with a state that has every event once."""
    expected = oracle.expected
    assert list(checker.state_equals_oracle(expected, book(), what="state")) == []
    assert list(checker.all_accounted(expected, book(), [BROKEN])) == []
    assert list(checker.offsets_follow_effects(oracle.log, {("in", 0): 6}, book())) == []


def test_the_oracle_counts_repeats_and_broken_records(oracle: Oracle) -> None:
    """Each record is good, a repeat or a dead letter."""
    expected = oracle.expected
    assert (expected.records, expected.duplicates) == (6, 1)
    assert expected.dead_letters == {BROKEN}
    assert {one["rule"] for one in expected.triggers.values()} == {"hesitating", "after_order"}


@pytest.mark.parametrize(
    ("wrong", "event"),
    [
        (book(clicks=0), "v-1 ProductClicked"),
        (book(clicks=2), "v-1 ProductClicked"),
        (book(likes=0), "v-2 LikesSent"),
        (book(likes=8), "v-2 LikesSent"),
        (book(order=False), "v-3 OrderPlaced"),
    ],
)
def test_a_lost_or_doubled_event_is_named(oracle: Oracle, wrong: Book, event: str) -> None:
    """I1 and I6 see what is missing and what is there twice."""
    assert list(checker.state_equals_oracle(oracle.expected, wrong, what="state"))
    found = list(checker.all_accounted(oracle.expected, wrong, [BROKEN]))
    assert [one.where for one in found] == [f"event {event}"]


@pytest.mark.parametrize(
    "letters", [[], [("in", 0, 5), ("in", 0, 5)], [("in", 0, 5), ("in", 0, 0)]]
)
def test_dead_letters_are_exact(oracle: Oracle, letters: list[tuple[str, int, int]]) -> None:
    """I6 sees a dead letter that is missing, comes twice, or is of a good record."""
    assert len(list(checker.all_accounted(oracle.expected, book(), letters))) == 1


def test_triggers_are_exact(oracle: Oracle) -> None:
    """I2 sees lost, invented and changed triggers, I3 those that come twice."""
    right = [{"trigger_id": this, **one} for this, one in oracle.expected.triggers.items()]
    cases = {
        (): right,
        ("I2",): right[1:],
        ("I3",): [*right, right[0]],
        ("I2", "I2"): [right[0] | {"trigger_id": "invented"}, *right[1:]],
    }
    for wanted, triggers in cases.items():
        found = checker.triggers_equal_oracle(oracle.expected, triggers)
        assert tuple(one.invariant for one in found) == wanted
    changed = [right[0] | {"decided_at": 1}, *right[1:]]
    [one] = checker.triggers_equal_oracle(oracle.expected, changed)
    assert one.invariant == "I2"


def test_an_offset_before_its_effect_is_seen(oracle: Oracle) -> None:
    """I4: the order stands below the committed offset, and the state does not have it."""
    without = book(order=False)
    assert list(checker.offsets_follow_effects(oracle.log, {("in", 0): 3}, without)) == []
    [one] = checker.offsets_follow_effects(oracle.log, {("in", 0): 4}, without)
    assert "OrderPlaced o4" in one.wanted


def test_memory_that_differs_is_seen() -> None:
    """I5: the same visit with another count is told; a timer that was moved is not."""
    assert list(checker.memory_equals_changelog(book(), book())) == []
    assert len(list(checker.memory_equals_changelog(book(), book(clicks=2)))) == 2


def test_violations_are_summed_up() -> None:
    """All are counted and a few of each kind are told."""
    many = [checker.Violation("I1", f"state {n}", "", "") for n in range(100)]
    count, told = checker.summarised(many)
    assert (count, len(told)) == (100, checker.TOLD)
