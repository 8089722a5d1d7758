"""The conversion table against the batch answer: any order, any restart, the same numbers."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from schemas.results import ConversionRow
from streams.conversion import Conversion
from streams.pace import ROWS_A_TURN
from streams.policy import Policy
from streams.rates import line
from streams.totals import (
    COUNTS,
    PANE_MS,
    PEOPLE,
    SIZE,
    STEPS,
    SUM_OF,
    WINDOWS,
    Mark,
    PaneTotals,
    Vector,
    WindowTotal,
    zeros,
)
from streams.window import WHOLE

POLICY = Policy()
GRACE = POLICY.grace_ms
FIRST = 170_000_010  # a pane at the beginning of a 5-minute block
T0 = FIRST * PANE_MS
BLOCK = 30
assert FIRST % BLOCK == 0

LIKES, PAID = COUNTS.index("LikesSent"), COUNTS.index("OrderPaid")
GROSS = SUM_OF["gmv_gross"]

Identity = tuple[str, str, str, str, int]


def vector(**columns: int) -> Vector:
    """Make a vector from ``c<column>=value``."""
    made = zeros()
    for name, value in columns.items():
        made[int(name[1:])] = value
    return made


def likes(n: int, *, present: int = 0) -> PaneTotals:
    """Make totals of so many likes through one channel."""
    return PaneTotals({"feed": vector(**{f"c{LIKES}": n})}, {}, present)


def total(n: int, *, pane: int = 0, partition: int = 0, session: str = "s") -> WindowTotal:
    """Make a total of so many likes in a pane, counted from the first."""
    return WindowTotal(session, FIRST + pane, partition, likes(n))


def seconds(s: float) -> int:
    """Return the time so many seconds after the beginning, in ms."""
    return T0 + int(s * 1000)


def table(partitions: int = 1, policy: Policy = POLICY) -> Conversion:
    """Make an empty table."""
    return Conversion(partitions, policy)


def statuses(rows: Iterable[ConversionRow], scope: str = "session") -> list[tuple[str, str, int]]:
    """Return window, status and revision of the rows of a scope."""
    return [(r.window, r.status, r.revision) for r in rows if r.scope == scope]


def identity(row: ConversionRow) -> Identity:
    """Return which row it is; the start of a session's window may still move."""
    start = 0 if row.window == "session" else row.start
    return row.session_id, row.window, row.scope, row.scope_id, start


# --- the batch answer ----------------------------------------------------------------------

Newest = dict[tuple[str, int, int], PaneTotals]


def parts(session_id: str, totals: PaneTotals) -> Iterator[tuple[str, str, Vector]]:
    """Yield the vectors of a total by scope and id; the session's own is that of its channels."""
    for name, one in totals.channels.items():
        yield "channel", name, one
        yield "session", session_id, one
    for name, one in totals.products.items():
        yield "product", name, one


def batch_sums(newest: Newest) -> dict[Identity, Vector]:
    """Sum everything at once: the lines of all windows."""
    sums: dict[Identity, Vector] = defaultdict(lambda: [0] * (PEOPLE + len(STEPS)))
    for (session_id, pane, _), totals in newest.items():
        for scope, name, one in parts(session_id, totals):
            for w, (window, size) in enumerate(WINDOWS.items()):
                start = pane // size * size * PANE_MS if size else 0
                row = (session_id, window, scope, name, start)
                sums[row] = [a + b for a, b in zip(sums[row], line(one, w), strict=True)]
    return sums


def batch_presence(newest: Newest, row: Identity) -> tuple[int, int]:
    """Return the viewers present at the end of a window, and the most in any of its panes.

    At the end of a pane each task counts with what it said last, then or before.
    """
    session_id, window, _, _, start = row
    said = {(q, pane): t.present for (of, pane, q), t in newest.items() if of == session_id}
    first = min(pane for _, pane in said) if window == "session" else start // PANE_MS
    end = first + (WINDOWS[window] or 60)
    by_pane = []
    for pane in range(first, end):
        last = {q: said[q, p] for q, p in sorted(said) if p <= pane}
        by_pane.append(sum(last.values()))
    return by_pane[-1], max(by_pane)


def numbers(row: ConversionRow) -> dict[str, int]:
    """Return the numbers in a row that are not zero, by name."""
    named = {**row.counts, **row.people, **row.money}
    named |= {name: rate.numerator for name, rate in row.rates.items()}
    return {name: n for name, n in named.items() if n}


def expected_numbers(sums: Vector, row: ConversionRow) -> dict[str, int]:
    """Return the same from the batch answer, with nothing but column numbers."""
    named = dict(zip(COUNTS, sums, strict=False)) | {"units": sums[SUM_OF["units"]]}
    named |= dict(zip(STEPS, sums[PEOPLE:], strict=True))
    named |= {name: sums[SUM_OF[name]] for name in ("gmv_gross", "refunded", "ordered_amount")}
    named["gmv_net"] = named["gmv_gross"] - named["refunded"]
    if row.scope == "product":
        del named["viewers"], named["interacted"]
    part_of = {
        "show_gpm": "gmv_gross", "watch_gpm": "gmv_gross", "uv_value": "gmv_gross",
        "aov": "gmv_gross", "enter_rate": "ViewerEntered", "ctr": "ProductClicked",
        "click_to_order": "OrderPaid", "exposure_rate": "exposed", "click_rate": "clicked",
        "card_click_rate": "clicked", "cart_rate": "carted", "order_rate": "ordered",
        "pay_rate": "paid", "conversion_rate": "paid", "interaction_rate": "interacted",
        "refund_rate": "refunded",
    }  # fmt: skip
    sums_of = {"avg_watch_s": "watch_ms", "retention_5m": "retained", "bounce_rate": "bounced"}
    for name in row.rates:
        if name == "unpaid_rate":
            named[name] = max(named["OrderPlaced"] - named["OrderPaid"], 0)
        else:
            own = sums_of.get(name)
            named[name] = sums[SUM_OF[own]] if own else named[part_of[name]]
    return {name: n for name, n in named.items() if n}


# --- random histories ------------------------------------------------------------------------

PARTITIONS = 3
SESSIONS = ("a", "b\0c")  # an id may hold anything

names = st.sampled_from([("c", "feed"), ("c", "search"), ("p", "p1"), ("p", "p2")])
cells = st.lists(st.tuples(names, st.integers(0, SIZE - 1), st.integers(0, 40)), max_size=3)


def pane_totals(cells: list[tuple[tuple[str, str], int, int]], present: int) -> PaneTotals:
    """Make totals of a few cells: whose vector, which column, what value."""
    made = PaneTotals(present=present)
    for (kind, name), column, value in cells:
        rows = made.channels if kind == "c" else made.products
        rows.setdefault(name, zeros())[column] = value
    return made


totals = st.builds(
    WindowTotal,
    session_id=st.sampled_from(SESSIONS),
    pane=st.integers(FIRST - 3, FIRST + 34),
    partition=st.integers(0, PARTITIONS - 1),
    totals=st.builds(pane_totals, cells, st.integers(0, 9)),
)
marks = st.builds(
    Mark,
    partition=st.integers(0, PARTITIONS - 1),
    watermark=st.none() | st.integers(T0 - 30_000, T0 + 400_000),
)
#: All tasks reach a time at once.
clocks = st.integers(T0, T0 + 400_000).map(
    lambda ms: tuple(Mark(partition, ms) for partition in range(PARTITIONS))
)
commits = st.sampled_from(["commit", "show"])
messages = totals | marks | clocks | commits
steps = st.lists(messages | totals.map(lambda t: (t, t)), max_size=30)
Step = Any


def play(conversion: Conversion, step: Step) -> list[ConversionRow]:
    """Let the table take a step: publish, or take a message or several."""
    if step == "commit":
        return conversion.rows()
    if step == "show":
        return conversion.brief_rows()
    for message in step if isinstance(step, tuple) else (step,):
        if isinstance(message, Mark):
            conversion.mark(message)
        else:
            conversion.apply(message)
    return []


def close_all(conversion: Conversion, ms: int = 3_600_000) -> list[ConversionRow]:
    """End the sessions, let every task pass that, and return the rows that come of it."""
    for session_id in SESSIONS:
        conversion.end(session_id, T0 + 400_000)
    for partition in range(PARTITIONS):
        conversion.mark(Mark(partition, T0 + ms))
    return conversion.rows()


def correct(conversion: Conversion, late: list[WindowTotal]) -> list[ConversionRow]:
    """Bring late totals, a second apart, and return the rows that come of it."""
    rows = []
    for second, message in enumerate(late, 3_601):
        for partition in range(PARTITIONS):
            conversion.mark(Mark(partition, seconds(second)))
        rows += play(conversion, message) + conversion.rows()
    return rows


def newest_of(history: list[Step]) -> Newest:
    """Return the newest total for each session, pane and partition."""
    newest = {}
    for step in history:
        message = step[0] if isinstance(step, tuple) else step
        if isinstance(message, WindowTotal):
            newest[message.session_id, message.pane, message.partition] = message.totals
    return newest


def test_a_window_that_was_forgotten_has_no_rows() -> None:
    """Who shows a table again in steps may come too late for it."""
    assert table(PARTITIONS).published(("s1", WHOLE)) == []


@settings(max_examples=40, deadline=None)
@given(history=steps)
def test_what_was_published_can_be_shown_again(history: list[Step]) -> None:
    """A view that was lost gets the newest row of everything, and no revision is spent."""
    conversion = table(PARTITIONS)
    rows = [row for step in history for row in play(conversion, step)]
    rows += close_all(conversion)
    newest = {identity(row): structs.replace(row, status="final") for row in rows}
    for _ in range(2):
        shown = [row for key in conversion.windows() for row in conversion.published(key)]
        assert {identity(row): row for row in shown} == newest


@settings(max_examples=80, deadline=None)
@given(history=steps, late=st.lists(totals, max_size=4))
def test_the_last_rows_are_the_batch_answer(history: list[Step], late: list[WindowTotal]) -> None:
    """Whatever the order, repeats and closings between, the table ends as one sum over all."""
    conversion = table(PARTITIONS)
    rows = [row for step in history for row in play(conversion, step)]
    rows += close_all(conversion) + correct(conversion, late)
    last = {identity(row): row for row in rows}
    newest = newest_of([*history, *late])
    sums = batch_sums(newest)
    assert {key for key, one in sums.items() if any(one)} <= set(last)
    for key, row in last.items():
        assert row.status != "provisional"
        if row.scope == "session":
            assert (row.present, row.peak_present) == batch_presence(newest, key)
        if row.window == "session":
            panes = [pane for session_id, pane, _ in newest if session_id == row.session_id]
            assert (row.start, row.end) == (min(panes) * PANE_MS, T0 + 400_000)
        assert numbers(row) == expected_numbers(sums[key], row)


hosts = (
    st.tuples(st.just("announce"), st.sampled_from(SESSIONS), st.booleans())
    | st.tuples(st.just("end"), st.sampled_from(SESSIONS), st.integers(T0, T0 + 300_000))
    | st.tuples(st.just("go on"), st.sampled_from(SESSIONS))
)
FORGETFUL = Policy(past_limit_ms=100_000)


def play_all(conversion: Conversion, step: Step) -> list[ConversionRow]:
    """Let the table take a step, which may be one of the host."""
    if isinstance(step, tuple) and step[0] == "announce":
        conversion.announce(step[1], currency="EUR" if step[2] else None, announced=step[2])
        return []
    if isinstance(step, tuple) and step[0] == "end":
        conversion.end(step[1], step[2])
        return []
    if isinstance(step, tuple) and step[0] == "go on":
        conversion.go_on(step[1])
        return []
    return play(conversion, step)


@settings(max_examples=40, deadline=None)
@given(history=st.lists(messages | hosts, max_size=30), late=st.lists(totals, max_size=4))
def test_each_row_grows_closes_once_and_is_then_corrected(
    history: list[Step], late: list[WindowTotal]
) -> None:
    """A row's life is provisional*, final, correction*; its revisions count from 1.

    Also when the host ends the session and starts it again.
    """
    conversion = table(PARTITIONS)
    rows = [row for step in history for row in play_all(conversion, step)]
    rows += close_all(conversion) + correct(conversion, late)
    lives = defaultdict(list)
    for row in rows:
        lives[identity(row)].append(row)
    for life in lives.values():
        states = [row.status for row in life]
        before = states.index("final")
        after = len(states) - before - 1
        assert states == ["provisional"] * before + ["final"] + ["correction"] * after
        assert [row.revision for row in life] == list(range(1, len(life) + 1))


def reopened(
    changelog: dict[bytes, bytes], policy: Policy = POLICY, partitions: int = PARTITIONS
) -> Conversion:
    """Make a table from a changelog."""
    conversion = table(partitions, policy)
    for key, value in changelog.items():
        conversion.restore(key, value)
    conversion.restored()
    return conversion


def save(conversion: Conversion, changelog: dict[bytes, bytes]) -> None:
    """Write what changed, as a compacted topic keeps it."""
    for key, value in conversion.puts():
        if value is None:
            changelog.pop(key, None)
        else:
            changelog[key] = value


@settings(max_examples=100, deadline=None)
@given(
    history=st.lists(st.tuples(messages | hosts, st.booleans(), st.booleans()), max_size=40),
    policy=st.sampled_from([POLICY, FORGETFUL]),
)
def test_a_restored_table_goes_on_with_the_same_rows(
    history: list[tuple[Step, bool, bool]], policy: Policy
) -> None:
    """A table that dies whenever it was just saved and one that never does say the same."""
    steady, mortal = table(PARTITIONS, policy), table(PARTITIONS, policy)
    changelog: dict[bytes, bytes] = {}
    for step, publishes, dies in history:
        assert play_all(mortal, step) == play_all(steady, step)
        if publishes:
            assert mortal.rows() == steady.rows()
        if dies:
            save(mortal, changelog)
            mortal = reopened(changelog, policy)
    assert close_all(mortal, 20_000_000) == close_all(steady, 20_000_000)
    assert mortal.watermark == steady.watermark


def restarted(conversion: Conversion) -> Conversion:
    """Let a table of one partition die and return its heir."""
    changelog: dict[bytes, bytes] = {}
    save(conversion, changelog)
    return reopened(changelog, partitions=1)


def test_what_the_host_said_outlives_a_restart() -> None:
    """Currency, announcement and end are in the rows of the heir."""
    conversion = table()
    conversion.announce("s", currency="EUR", announced=True)
    conversion = restarted(conversion)
    conversion.end("s", seconds(33))
    conversion = restarted(conversion)
    conversion.apply(total(1))
    row = next(row for row in conversion.rows() if row.window == "session")
    assert (row.currency, row.announced, row.end) == ("EUR", True, seconds(33))


def test_the_cadence_outlives_a_restart() -> None:
    """The heir does not publish again before it is time."""
    conversion = table()
    conversion.mark(Mark(0, seconds(1)))
    conversion.apply(total(1))
    conversion.rows()
    conversion.apply(total(2))
    conversion = restarted(conversion)
    conversion.mark(Mark(0, seconds(1.5)))
    assert conversion.rows() == []


def test_what_was_saved_before_it_was_published_is_published_by_the_heir() -> None:
    """A late total that came just before the end is a correction after the restart."""
    conversion = closed_table()
    conversion.apply(total(2))
    conversion = restarted(conversion)
    assert statuses(conversion.rows()) == [(window, "correction", 2) for window in WINDOWS]


def test_what_is_forgotten_stays_so_after_a_restart() -> None:
    """The heir, too, ignores a total of a pane that it cannot have."""
    policy = Policy(past_limit_ms=600_000)
    conversion = closed_table(past_limit_ms=600_000)
    changelog: dict[bytes, bytes] = {}
    conversion.mark(Mark(0, seconds(1200)))
    save(conversion, changelog)
    conversion.rows()
    save(conversion, changelog)
    heir = reopened(changelog, policy, partitions=1)
    heir.apply(total(9))
    assert (heir.rows(), heir.too_late) == ([], 1)


@settings(max_examples=25, deadline=None)
@given(history=st.lists(messages, max_size=30))
def test_rows_come_in_order(history: list[Step]) -> None:
    """Rows of one call are ordered by session, window, start, scope and id."""
    conversion = table(PARTITIONS)
    scopes, windows = ["session", "channel", "product"], list(WINDOWS)
    for rows in [play(conversion, step) for step in history] + [close_all(conversion)]:
        keys = [
            (r.session_id, windows.index(r.window), r.start, scopes.index(r.scope), r.scope_id)
            for r in rows
        ]
        assert keys == sorted(set(keys))


# --- when rows come ----------------------------------------------------------------------------


def test_a_burst_of_totals_gives_one_row_per_window() -> None:
    """Many totals between two publications are seen once, with the newest number."""
    conversion = table()
    for n in range(1, 100):
        conversion.apply(total(n))
    rows = [row for row in conversion.rows() if row.scope == "session"]
    assert statuses(rows) == [(window, "provisional", 1) for window in WINDOWS]
    assert {row.counts["LikesSent"] for row in rows} == {99}


def test_provisional_rows_wait_for_a_second_of_stream_time() -> None:
    """Between two publications the marks must move on by the policy's interval."""
    conversion = table()
    conversion.mark(Mark(0, seconds(1)))
    conversion.apply(total(1))
    assert conversion.rows()
    conversion.apply(total(2))
    conversion.mark(Mark(0, seconds(1.999)))
    assert conversion.rows() == []
    conversion.mark(Mark(0, seconds(2)))
    assert statuses(conversion.rows()) == [(window, "provisional", 2) for window in WINDOWS]


def test_rows_of_whole_sessions_are_shown_before_they_are_due() -> None:
    """Products and channels wait for the second, and all come then."""
    conversion = table()
    conversion.mark(Mark(0, seconds(1)))
    conversion.apply(total(1))
    conversion.rows()
    conversion.apply(total(2))
    shown = conversion.brief_rows()
    assert {row.scope for row in shown} == {"session"}
    assert statuses(shown) == [(window, "provisional", 2) for window in WINDOWS]
    assert conversion.brief_rows() == []
    conversion.mark(Mark(0, seconds(2)))
    detailed = [row for row in conversion.rows() if row.scope != "session"]
    assert {row.revision for row in detailed} == {2}


def test_who_has_shown_many_rows_is_silent_for_some_turns() -> None:
    """What changes meanwhile is shown after them."""
    conversion = table()
    for n in range(2 * ROWS_A_TURN // len(WINDOWS)):
        conversion.apply(total(2, session=f"s{n}"))
    assert len(conversion.brief_rows()) == 2 * ROWS_A_TURN
    conversion.apply(total(3))
    assert [len(conversion.brief_rows()) for _ in range(3)] == [0, len(WINDOWS), 0]


@pytest.mark.parametrize("task", [0, 1])
def test_one_task_that_moves_keeps_the_screen_alive(task: int) -> None:
    """Neither a task that stands still nor one far ahead stops provisional rows."""
    conversion = table(3)  # the third is never heard of
    conversion.mark(Mark(0, seconds(0)))
    conversion.mark(Mark(1, seconds(20)))
    conversion.apply(total(1))
    conversion.rows()
    conversion.apply(total(2))
    conversion.mark(Mark(task, seconds(20 * task + 1)))
    assert statuses(conversion.rows()) == [(window, "provisional", 2) for window in WINDOWS]


def test_marks_in_turn_give_no_more_than_one_publication_a_second() -> None:
    """Four tasks that tell their watermarks a quarter of a second apart are one clock."""
    conversion, published = table(4), 0
    for quarter in range(400):
        conversion.apply(total(quarter + 1, pane=3))
        conversion.mark(Mark(quarter % 4, seconds(quarter / 4)))
        published += any(row.status == "provisional" for row in conversion.rows())
        if quarter / 4 >= 30:
            break
    assert published <= 31


def test_a_window_closes_when_the_watermark_passes_its_end_and_grace() -> None:
    """One millisecond before there is no final row; then there is, though nothing changed."""
    conversion = table()
    conversion.apply(total(1))
    conversion.rows()
    conversion.mark(Mark(0, seconds(10) + GRACE - 1))
    assert conversion.rows() == []
    conversion.mark(Mark(0, seconds(10) + GRACE))
    assert statuses(conversion.rows()) == [("10s", "final", 2)]
    assert conversion.rows() == []


def test_a_lagging_task_closes_nothing_early() -> None:
    """The slowest of the tasks decides, and one that was never heard of holds all back."""
    conversion = table(3)
    conversion.apply(total(1))
    conversion.rows()
    conversion.mark(Mark(0, seconds(3000)))
    conversion.mark(Mark(1, seconds(3000)))
    assert conversion.watermark is None
    assert conversion.rows() == []
    conversion.mark(Mark(2, seconds(5)))
    assert conversion.watermark == seconds(5)
    assert conversion.rows() == []
    conversion.mark(Mark(2, seconds(70) + GRACE))
    assert statuses(conversion.rows()) == [("10s", "final", 2), ("1m", "final", 2)]


def test_a_quiet_task_holds_nothing_back() -> None:
    """A task that has never seen an event says so, and windows close without it."""
    conversion = table(2)
    conversion.apply(total(1))
    conversion.rows()
    conversion.mark(Mark(0, seconds(10) + GRACE))
    conversion.mark(Mark(1, None))
    assert statuses(conversion.rows()) == [("10s", "final", 2)]


def test_nothing_closes_while_no_task_has_an_event() -> None:
    """Marks without a time are no watermark."""
    conversion = table(1)
    conversion.mark(Mark(0, None))
    assert conversion.watermark is None


def closed_table(**policy: int) -> Conversion:
    """Make a table in which all windows of a session are final."""
    conversion = table(policy=Policy(**policy))  # type: ignore[arg-type]
    conversion.apply(total(1))
    conversion.end("s", seconds(10))
    conversion.mark(Mark(0, seconds(300) + GRACE))
    assert statuses(conversion.rows()) == [(window, "final", 1) for window in WINDOWS]
    return conversion


def test_a_late_total_corrects_every_window_that_holds_it() -> None:
    """One for each window, with a higher revision each time."""
    conversion = closed_table()
    for revision in (2, 3):
        conversion.apply(total(revision))
        conversion.mark(Mark(0, seconds(300 + revision) + GRACE))
        rows = conversion.rows()
        assert statuses(rows) == [(window, "correction", revision) for window in WINDOWS]
        assert {row.counts["LikesSent"] for row in rows} == {revision}


def test_corrections_of_a_whole_session_come_once_a_second() -> None:
    """Its window may hold very many rows; those of short windows are corrected at once."""
    conversion = closed_table()
    came = []
    for tenth in range(1, 31):
        conversion.apply(total(1 + tenth))
        conversion.mark(Mark(0, seconds(300 + tenth / 10) + GRACE))
        came += [row.window for row in conversion.rows() if row.scope == "session"]
    assert (came.count("10s"), came.count("session")) == (30, 3)


def test_a_late_total_that_waits_for_its_turn_outlives_its_session() -> None:
    """The session is forgotten only when its last correction is out."""
    conversion = closed_table(past_limit_ms=600_000)
    mark = seconds(900) + GRACE - 500
    for n, ms in enumerate((mark, mark, mark + 500)):
        conversion.apply(total(2 + n))
        conversion.mark(Mark(0, ms))
        conversion.rows()
    conversion.mark(Mark(0, mark + 1_000))
    assert statuses(conversion.rows()) == [("session", "correction", 3)]


def test_a_session_that_starts_again_is_corrected_in_its_turn_until_its_end() -> None:
    """What was final comes as often as an open row, and what is new has a life of its own."""
    conversion = closed_table()
    conversion.go_on("s")
    lives: defaultdict[str, list[str]] = defaultdict(list)
    for tenth in range(1, 31):
        late = likes(1 + tenth)
        late.products["p"] = vector(**{f"c{PAID}": tenth})
        conversion.apply(WindowTotal("s", FIRST + 31, 0, late))
        conversion.mark(Mark(0, seconds(310 + tenth / 10) + GRACE))
        for row in conversion.rows():
            if row.window == "session":
                lives[row.scope].append(row.status)
    conversion.end("s", seconds(330))
    conversion.mark(Mark(0, seconds(330) + GRACE))
    for row in conversion.rows():
        if row.window == "session":
            lives[row.scope].append(row.status)
    assert lives == {
        "session": ["correction"] * 4,
        "channel": ["correction"] * 4,
        "product": ["provisional"] * 3 + ["final"],
    }


def test_a_repeat_changes_nothing() -> None:
    """The same total again, even when all is closed, gives no row."""
    conversion = closed_table()
    conversion.apply(total(1))
    assert conversion.rows() == []


def test_what_first_appears_in_a_closed_window_is_final_once() -> None:
    """A product that only a late total knows has its final row, then corrections."""
    conversion = closed_table()
    for gmv, status in ((500, "final"), (700, "correction")):
        late = likes(1)
        late.products["p"] = vector(**{f"c{PAID}": 1, f"c{GROSS}": gmv})
        conversion.apply(WindowTotal("s", FIRST, 0, late))
        conversion.mark(Mark(0, seconds(gmv)))
        rows = conversion.rows()
        assert [(r.scope, r.window, r.status) for r in rows] == [
            ("product", window, status) for window in WINDOWS
        ]
        assert {row.money["gmv_gross"] for row in rows} == {gmv}


def test_a_session_closes_a_grace_after_its_end() -> None:
    """The session's own window stays open until the host has ended it and time has passed."""
    conversion = table()
    conversion.apply(total(1))
    conversion.mark(Mark(0, seconds(1000)))
    assert ("session", "provisional", 1) in statuses(conversion.rows())
    conversion.end("s", seconds(1005.5))
    conversion.mark(Mark(0, seconds(1005.5) + GRACE - 1))
    assert statuses(conversion.rows()) == [("session", "provisional", 2)]
    conversion.mark(Mark(0, seconds(1005.5) + GRACE))
    (row, *_) = conversion.rows()
    assert (row.window, row.status, row.end) == ("session", "final", seconds(1005.5))


def test_the_sessions_row_spans_its_panes() -> None:
    """It starts at the first pane and ends at the newest, also when an older one comes late."""
    conversion = table()
    conversion.apply(total(1, pane=4))
    conversion.apply(total(1, pane=2))
    row = next(r for r in conversion.rows() if (r.scope, r.window) == ("session", "session"))
    assert (row.start, row.end) == (seconds(20), seconds(50))


def test_who_is_present_adds_up_over_tasks() -> None:
    """Present is the sum for the newest pane, peak the highest such sum."""
    conversion = table(2)
    for pane, partition, present in [(0, 0, 5), (0, 1, 7), (1, 0, 4), (1, 1, 2), (0, 1, 6)]:
        conversion.apply(WindowTotal("s", FIRST + pane, partition, likes(1, present=present)))
    rows = {r.window: r for r in conversion.rows() if r.scope == "session" and r.end > seconds(10)}
    for window in ("1m", "5m", "session"):
        assert (rows[window].present, rows[window].peak_present) == (6, 11)
    assert (rows["10s"].present, rows["10s"].peak_present) == (6, 6)


def room_of(*said: tuple[int, int, int]) -> Conversion:
    """Make a table that heard of pane, partition and who is present, of two tasks."""
    conversion = table(2)
    for pane, partition, present in said:
        conversion.apply(WindowTotal("s", FIRST + pane, partition, likes(1, present=present)))
    return conversion


def presence(rows: Iterable[ConversionRow], pane: int) -> dict[str, tuple[int | None, int | None]]:
    """Return who is present, and at most, by the windows that hold a pane."""
    at = (FIRST + pane) * PANE_MS
    return {
        row.window: (row.present, row.peak_present)
        for row in rows
        if row.scope == "session" and row.start <= at < row.end
    }


def test_a_task_that_is_silent_in_the_newest_pane_still_has_its_viewers() -> None:
    """When a pane has just begun, who is present does not drop to those of the first task."""
    rows = room_of((0, 0, 5), (0, 1, 7), (1, 0, 6)).rows()
    assert presence(rows, 1) == dict.fromkeys(WINDOWS, (13, 13))


def test_a_task_that_says_nothing_of_a_pane_keeps_its_viewers_in_it() -> None:
    """Also in the pane's last word: their heartbeats may fall beside it."""
    conversion = room_of((0, 0, 5), (0, 1, 7), (1, 0, 5), (2, 0, 5), (2, 1, 7))
    for partition in range(2):
        conversion.mark(Mark(partition, seconds(20) + GRACE))
    rows = [row for row in conversion.rows() if row.status == "final"]
    assert presence(rows, 1) == {"10s": (12, 12)}


def test_the_peak_of_a_window_holds_those_who_left_in_its_first_words() -> None:
    """They were there at the end of panes in which nobody said anything."""
    rows = room_of((5, 0, 5), (5, 1, 7), (8, 0, 0), (8, 1, 0)).rows()
    assert presence(rows, 8)["1m"] == (0, 12)
    assert presence(rows, 8)["10s"] == (0, 0)


def test_who_turns_out_to_have_left_has_left_in_later_panes_too() -> None:
    """A task's late word corrects the panes that it says nothing of itself."""
    conversion = room_of((0, 0, 5), (0, 1, 7), (1, 0, 5))
    for partition in range(2):
        conversion.mark(Mark(partition, seconds(60)))
    assert presence(conversion.rows(), 1)["10s"] == (12, 12)
    conversion.apply(WindowTotal("s", FIRST, 1, likes(1, present=2)))
    rows = [row for row in conversion.rows() if row.status == "correction"]
    assert presence(rows, 1) == {"10s": (7, 7)}


def test_presence_alone_is_a_change() -> None:
    """When only the number of viewers present changes, the session's rows come again."""
    conversion = table()
    conversion.apply(total(1))
    conversion.rows()
    conversion.apply(WindowTotal("s", FIRST, 0, likes(1, present=3)))
    conversion.mark(Mark(0, seconds(1)))
    rows = conversion.rows()
    assert {(row.scope, row.present) for row in rows} == {("session", 3)}


def test_a_publisher_may_go_on_counting_in_what_it_told() -> None:
    """The table keeps what a total said, not the object that said it."""
    conversion = table()
    mine = likes(1)
    conversion.apply(WindowTotal("s", FIRST, 0, mine))
    mine.channels["feed"][LIKES] = 50
    assert {row.counts["LikesSent"] for row in conversion.rows()} == {1}


# --- what the host says ------------------------------------------------------------------------


def test_a_session_is_unannounced_until_it_is_announced() -> None:
    """The announcement alone brings the open rows again; the same one again does not."""
    conversion = table()
    conversion.apply(total(1))
    assert {(row.announced, row.currency) for row in conversion.rows()} == {(False, None)}
    for n in (1, 2, 3):
        conversion.announce("s", currency="EUR", announced=True)
        conversion.mark(Mark(0, seconds(n)))
        rows = conversion.rows()
        assert {(row.announced, row.currency) for row in rows} == (
            {(True, "EUR")} if n == 1 else set()
        )


# --- what is forgotten -------------------------------------------------------------------------


def test_an_ended_session_is_forgotten_after_the_past_limit() -> None:
    """Every key of it gets its tombstone, and only the marks stay."""
    conversion = closed_table(past_limit_ms=600_000)
    changelog: dict[bytes, bytes] = {}
    save(conversion, changelog)
    assert len(changelog) > 5
    conversion.mark(Mark(0, seconds(1200)))
    assert conversion.rows() == []
    save(conversion, changelog)
    assert list(changelog) == [b"k\0"]


def test_a_session_without_an_end_closes_by_silence() -> None:
    """When nothing came for as long as the past limit, its own row is final, once."""
    conversion = table(policy=Policy(past_limit_ms=600_000))
    for pane in (0, 50):
        conversion.apply(total(1, pane=pane))
        conversion.mark(Mark(0, seconds(10 * pane)))
        conversion.rows()
    conversion.mark(Mark(0, seconds(510 + 600) - 1))
    assert ("session", "final", 3) not in statuses(conversion.rows())
    conversion.mark(Mark(0, seconds(510 + 600)))
    assert statuses(conversion.rows() + conversion.rows()) == [("session", "final", 3)]


def test_a_total_older_than_the_past_limit_is_counted_and_ignored() -> None:
    """What is forgotten cannot be counted again from the start."""
    conversion = closed_table(past_limit_ms=600_000)
    conversion.mark(Mark(0, seconds(1200)))
    conversion.rows()
    conversion.apply(total(9))
    assert (conversion.rows(), conversion.too_late) == ([], 1)


def test_a_session_longer_than_the_past_limit_keeps_its_sums() -> None:
    """The session's own row still counts panes that are forgotten, their peak too."""
    conversion = table(policy=Policy(past_limit_ms=600_000))
    changelog: dict[bytes, bytes] = {}
    for pane in range(300):
        message = total(1, pane=pane)
        message.totals.present = 8 if pane == 5 else 2
        conversion.apply(message)
        conversion.mark(Mark(0, seconds(pane * 10)))
        last = next(row for row in conversion.rows() if row.window == "session")
        save(conversion, changelog)
    assert (last.counts["LikesSent"], last.peak_present, last.start) == (300, 8, T0)
    assert sum(key.startswith(b"m\0") for key in changelog) <= 60 + 1 + BLOCK + 1


def test_an_announced_session_without_viewers_is_forgotten_too() -> None:
    """What the host told of long ago, and nobody came to, leaves nothing behind."""
    conversion = table(policy=Policy(past_limit_ms=600_000))
    conversion.announce("empty", currency="EUR", announced=True)
    changelog: dict[bytes, bytes] = {}
    for s in (0, 300, 600, 900, 1200, 1500):
        conversion.mark(Mark(0, seconds(s)))
        conversion.rows()
        save(conversion, changelog)
        assert (b"s\0empty" in changelog) == (s < 1200)


# --- what cannot be ------------------------------------------------------------------------------


@pytest.mark.parametrize("partition", [-1, 2])
def test_a_partition_that_cannot_be_is_refused(partition: int) -> None:
    """A mark or total of a task beyond the known number says what to mend."""
    conversion = table(2)
    with pytest.raises(ValueError, match=f"partition {partition} does not exist"):
        conversion.mark(Mark(partition, T0))
    with pytest.raises(ValueError, match="number of partitions"):
        conversion.apply(structs.replace(total(1), partition=partition))


def test_a_changelog_of_another_number_of_partitions_is_refused() -> None:
    """Totals by partition mean something else then, so nothing is restored."""
    conversion = table(2)
    conversion.mark(Mark(1, T0))
    ((key, value),) = conversion.puts()
    assert value is not None
    with pytest.raises(ValueError, match="of 2 partitions, this task merges 3"):
        table(3).restore(key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"x\0s", b"\x90"),
        (b"w\0s", b"\x90"),
        (b"m\0s\x005\x000", b"\x90"),
        (b"s\0s", b"?"),
        (b"k\0", b""),
    ],
)
def test_a_record_that_cannot_be_read_is_refused(key: bytes, value: bytes) -> None:
    """An unknown kind, missing numbers or a spoiled value raise ValueError."""
    with pytest.raises(ValueError, match=r"."):
        table().restore(key, value)
