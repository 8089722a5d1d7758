"""The snapshot of a simulated session: sums over tasks, and no viewer's id anywhere in it."""

from collections import Counter
from hashlib import sha256

import msgspec
import pytest
from msgspec import structs

from streams.glance import Looked, glance
from streams.journal import Marked
from streams.material import AnyTrigger, Material
from streams.screen import Snapshot, TriggerCounts
from streams.snapshot import STALE_MS, line, pane, risk, snapshot, triggers
from tests.streams.world import World, simulated

AT = 1_800_000_000_000


def short(viewer_id: str) -> str:
    """Return a name of a viewer."""
    return "~" + sha256(viewer_id.encode()).hexdigest()[:8]


@pytest.fixture(scope="module")
def world() -> World:
    """Run some minutes of one session through three tasks."""
    records = simulated(tasks=3, events=12_000, sessions=1, ends=False, rate=60.0, viewers=900)
    return World(tasks=3).run(records)


@pytest.fixture
def m(world: World) -> Material:
    """Return what the views would hold of it."""
    (session_id,) = world.state.sessions
    rows = [row for row in world.rows.values() if row.session_id == session_id]
    shelf = world.state.sessions[session_id].shelf
    found: list[AnyTrigger] = sorted(
        (*world.results.coupons, *world.results.recommendations),
        key=lambda one: -one.decided_at,
    )
    return Material(
        session_id=session_id,
        at=AT,
        total=next(r for r in rows if r.scope == "session" and r.window == "session"),
        shelf=structs.replace(shelf, products=dict(shelf.products)),
        glances=[
            glance(task.state, task.state.sessions[session_id], Looked(), AT - 100)
            for task in world.tasks
        ],
        panes=[r for r in rows if r.scope == "session" and r.window == "10s"],
        fives=[r for r in rows if r.scope == "session" and r.window == "5m"],
        products=[r for r in rows if r.scope == "product" and r.window == "session"],
        risks=world.results.churn[-20:],
        triggers=found,
        counts={"coupon": TriggerCounts(sent=len(world.results.coupons))},
        held={"too_soon": 3, "no_candidate": 9, "margin": 0},
        spent=dict.fromkeys(shelf.offers, 10),
        markers=[Marked(session_id, 5, "pin", "p1"), Marked(session_id, 3, "offer")],
        sent_by_minute={4: 7, 6: 0},
    )


def test_the_numbers_are_those_of_the_rows(m: Material) -> None:
    """People, money and orders stand in the snapshot as the table has them."""
    shown, total = snapshot(m, short, 1), m.total
    assert {one.step: one.people for one in shown.funnel} == {
        step: people for step, people in total.people.items() if step != "interacted"
    }
    assert shown.money["gmv_gross"].value == total.money["gmv_gross"] > 0
    assert shown.session.orders == total.counts["OrderPaid"]
    assert sum(one.gmv_gross for one in shown.products) == sum(
        row.money["gmv_gross"] for row in m.products
    )


def test_before_the_first_row_the_shelf_says_the_currency(m: Material) -> None:
    """Prices are shown at once, and without it those in yen would be a hundredth."""
    m.total, m.shelf.currency = structs.replace(m.total, currency=None), "JPY"
    assert line(m).currency == "JPY"


def test_the_tasks_parts_add_up(m: Material) -> None:
    """Bins, carts and comings of three tasks; who is present and scored is in one bin."""
    shown = snapshot(m, short, 1)
    assert shown.risk.bins == tuple(map(sum, zip(*(one.bins for one in m.glances), strict=True)))
    assert 0 < sum(shown.risk.bins) <= sum(one.present for one in m.glances)
    assert shown.risk.carts == sum(one.carts.carts for one in m.glances) > 0
    assert sum(one.carts for one in shown.products) >= shown.risk.carts
    assert shown.now.joining_per_min == sum(one.entered for one in m.glances) > 0


def test_no_viewer_is_named(m: Material, world: World) -> None:
    """Nothing that goes out holds an id of a viewer; the same viewer has the same name."""
    everything = triggers(m, short, latest=200)
    parts = (snapshot(m, short, 1), risk(m, m.carts(), short, top=200), everything)
    text = msgspec.json.encode(parts).decode()
    viewers = {one for t in world.tasks for s in t.state.sessions.values() for one in s.visits}
    assert len(viewers) > 100
    assert [one for one in viewers if one in text] == []
    sent_to = {short(one.viewer_id) for one in m.triggers[:200]}
    assert {one.viewer for one in everything.latest} == sent_to


def test_products_are_pinned_first_then_the_shelf(m: Material) -> None:
    """And among themselves by what they sold; one that is no longer listed comes last."""
    del m.shelf.products[next(iter(m.shelf.products))]
    lines = snapshot(m, short, 1).products
    order = [(not one.pinned, not one.listed, -one.gmv_gross) for one in lines]
    assert order == sorted(order)
    assert {one.id for one in lines} == m.shelf.products.keys() | {r.scope_id for r in m.products}
    assert all((one.stock is None) == (not one.listed) for one in lines)


def test_stock_lasts_as_long_as_it_sells(m: Material) -> None:
    """Pieces left by pieces a minute; what does not sell lasts for ever."""
    for one in snapshot(m, short, 1).products:
        if one.stock and one.units_per_min:
            assert one.sells_out_in_min == pytest.approx(
                one.stock / one.units_per_min, rel=0.05, abs=0.1
            )
        else:
            assert one.sells_out_in_min is None


def test_nothing_sells_out_when_the_session_is_over(m: Material) -> None:
    """What was sold in its last minutes is no forecast any more."""
    assert any(one.units_per_min for one in snapshot(m, short, 1).products)
    over = structs.replace(m, shelf=structs.replace(m.shelf, ended=AT - 60_000))
    lines = snapshot(over, short, 1).products
    assert {(one.units_per_min, one.sells_out_in_min) for one in lines} == {(0.0, None)}


def test_budgets_are_what_is_not_promised(m: Material) -> None:
    """And never below zero."""
    assert all(one.left == one.budget - 10 for one in snapshot(m, short, 1).offers)
    m.spent = dict.fromkeys(m.shelf.offers, 10**12)
    assert {one.left for one in snapshot(m, short, 1).offers} == {0}


def test_triggers_say_what_became_of_them(m: Material) -> None:
    """What was heard of, or expired by the session's clock."""
    first, second, *_ = m.triggers
    m.outcomes = {first.trigger_id: "accepted"}
    m.triggers = [first, structs.replace(second, expires_at=m.clock)]
    states = [one.state for one in triggers(m, short, latest=50).latest]
    assert states == ["accepted", "expired"]


def test_what_was_held_back_is_counted_by_reason(m: Material) -> None:
    """The most frequent first; what did not happen is left out."""
    found = triggers(m, short, latest=0).suppressed
    assert [(one.reason, one.count) for one in found] == [("no_candidate", 9), ("too_soon", 3)]


def test_markers_are_in_order_of_time(m: Material) -> None:
    """Triggers by the minute among what the host did; an empty minute is no marker."""
    found = [(one.at, one.kind, one.count) for one in snapshot(m, short, 1).markers]
    assert found == [(3, "offer", None), (4, "trigger", 7), (5, "pin", None)]


def test_reasons_are_those_that_raise_the_risk(m: Material) -> None:
    """Counted over the rows; what speaks for staying is none."""
    counted = Counter(r.code for row in m.risks for r in row.reasons if r.weight > 0)
    found = {one.code: one.viewers for one in snapshot(m, short, 1).risk.reasons}
    assert found == counted


@pytest.mark.parametrize(("silent_ms", "stale"), [(STALE_MS, False), (STALE_MS + 1, True)])
def test_old_numbers_are_called_stale(m: Material, silent_ms: int, *, stale: bool) -> None:
    """When nobody has written for too long; and then nothing is suggested."""
    m.at = max(one.written_at for one in m.glances) + silent_ms
    assert line(m).stale == stale
    assert not (stale and snapshot(m, short, 1).suggestions)


def test_the_part_of_a_worker_that_is_gone_makes_all_old(m: Material) -> None:
    """Its viewers stand still until another takes over; the survivors' parts do not hide it."""
    assert all(one.present for one in m.glances)
    m.at += 60_000
    lost, *others = m.glances
    m.glances = [lost, *(structs.replace(one, written_at=m.at - 100) for one in others)]
    assert (line(m).written_at, line(m).stale) == (lost.written_at, True)


def test_a_part_without_viewers_may_rest(m: Material) -> None:
    """A task writes no more of a session that nobody there has entered for long."""
    m.at += 60_000
    left, *others = m.glances
    fresh = [structs.replace(one, written_at=m.at - 100) for one in others]
    m.glances = [structs.replace(left, present=0), *fresh]
    assert (line(m).written_at, line(m).stale) == (m.at - 100, False)
    m.glances = [structs.replace(one, present=0) for one in m.glances]
    assert (line(m).written_at, line(m).stale) == (m.at - 100, False)


def test_a_session_that_has_ended_is_never_stale(m: Material) -> None:
    """Its numbers are final, however old."""
    m.shelf = structs.replace(m.shelf, ended=5)
    m.at += 10**9
    assert (line(m).stale, line(m).ended) == (False, 5)
    assert snapshot(m, short, 1).suggestions == ()


def test_without_tasks_parts_there_is_still_a_snapshot(m: Material) -> None:
    """The rows alone: no bins, no carts, stale because nobody has written."""
    m.glances = []
    shown = snapshot(m, short, 1)
    assert shown.risk.bins == (0,) * 10
    assert (shown.stale, shown.written_at, shown.data_at) == (True, None, m.total.end)


def test_a_snapshot_reads_back(m: Material) -> None:
    """Its JSON is what its type describes."""
    shown = snapshot(m, short, 7)
    assert msgspec.json.decode(msgspec.json.encode(shown), type=Snapshot) == shown


def test_panes_add_up_to_the_session(m: Material) -> None:
    """What the timeline shows in all is what the whole row says."""
    found = [pane(row) for row in m.panes]
    assert sum(one.orders for one in found) == m.total.counts["OrderPaid"]
    assert sum(one.gmv_gross for one in found) == m.total.money["gmv_gross"]
    assert sum(one.likes for one in found) == m.total.counts["LikesSent"]
