"""Refunds: they correct the net GMV of the payment's windows, until a day after it."""

from hypothesis import given
from hypothesis import strategies as st

from schemas import events as ev
from schemas.events import Event
from tests.streams.batch import batch
from tests.streams.clockwork import Site, statuses
from tests.streams.outcome import assert_batch
from tests.streams.stories import punctual
from tests.streams.world import T0, event, order

DAY_S = 24 * 3_600
PRICE = 2_000
#: When it is paid, s; after how long it is refunded, s; how much of it, at one or two times.
_orders = st.lists(
    st.tuples(
        st.integers(0, 300), st.sampled_from([3, 40, 700, 8_000, 50_000, DAY_S - 5, DAY_S]),
        st.sampled_from([(2_000,), (500,), (1_000, 1_000), (1_500, 200)]),
        st.sampled_from(["v0", "v1", "v2"]), st.booleans(),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


def shopping(drawn: list[tuple[int, int, tuple[int, ...], str, bool]]) -> list[Event]:
    """Return the orders of a session that ends after 400 s, with their payments and refunds."""
    told: list[Event] = [event(ev.SessionStarted, 0), event(ev.SessionEnded, 400)]
    for number, (second, later, amounts, viewer_id, placed) in enumerate(drawn):
        who = {"viewer_id": viewer_id, "order_id": f"o{number}"}
        if placed:
            told.append(order(ev.OrderPlaced, second, **who))
        told.append(order(ev.OrderPaid, second + 1, **who))
        for nth, amount in enumerate(amounts):
            told.append(order(ev.OrderRefunded, second + 1 + later - nth, amount=amount, **who))
    return sorted(told, key=lambda one: one.ts)


def day_of(told: list[Event], tasks: int) -> Site:
    """Let a day pass: second by second where something happens, in leaps where nothing does."""
    site = Site(punctual(told, tasks=tasks), tasks=tasks)
    after = (0, 2_000, 7_000, 14_000, 16_000, 18_000)
    for now_ms in sorted({one.ts + after_ms for one in told for after_ms in after}):
        site.tick(now_ms)
    for second in range(0, 720, 60):
        site.tick(max(one.ts for one in told) + 20_000 + 1_000 * second)
    return site


@given(_orders, st.integers(1, 2))
def test_refunds_lower_the_net_of_the_payment(
    drawn: list[tuple[int, int, tuple[int, ...], str, bool]], tasks: int
) -> None:
    """Every window, the products' and the session's own: in the end the batch answer."""
    told = shopping(drawn)
    site = day_of(told, tasks)
    assert_batch(site.newest_rows(), batch(r for log in site.logs.values() for r in log))


def test_a_refund_after_a_day_is_a_correction_of_a_row_that_was_final() -> None:
    """The row of the payment's pane: open, final, and corrected 24 h after the payment."""
    told = shopping([(5, DAY_S, (500,), "v0", True)])
    site = day_of(told, 1)
    pane = ("s1", "session", "s1", "10s", T0)
    rows = [row for _, row in site.rows if row.scope == "session" and row.window == "10s"]
    paid = [row for row in rows if row.start == T0]
    assert [row.money["gmv_net"] for row in paid][-2:] == [PRICE, PRICE - 500]
    assert statuses(site.rows)[pane][-2:] == ["final", "correction"]
    assert [row.revision for row in paid] == list(range(1, len(paid) + 1))


def test_more_than_was_paid_cannot_be_refunded() -> None:
    """Two refunds of an order take off no more than its amount."""
    paid = order(ev.OrderPaid, 1)
    refunds = [order(ev.OrderRefunded, second, amount=1_500) for second in (10, 20)]
    site = day_of([paid, *refunds], 1)
    row = site.newest_rows()["s1", "session", "s1", "session", 0]
    assert (row.money["refunded"], row.money["gmv_net"]) == (PRICE, 0)
