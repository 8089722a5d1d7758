"""Sessions of different character: one sells out, one has a flash sale, one is calm."""

from collections import defaultdict
from itertools import pairwise

import pytest

from agents.simulator.scenario import Scenario
from agents.simulator.world import simulate
from schemas import events as ev
from tests.agents.test_simulator import START_MS, usable

Told = dict[str, list[ev.Event]]


@pytest.fixture(scope="module")
def told() -> Told:
    """Run six minutes of three sessions, as the demo has them; the host's events by session."""
    scenario = Scenario(
        start_ms=START_MS, seed=1, rate=300, duration_s=360, sessions=3, viewers=4_000,
        characters=("flash_sale", "stock_out", "calm"),
    )  # fmt: skip
    found: Told = defaultdict(list)
    for record in simulate(scenario):
        event = usable(record)
        if event is not None and not isinstance(event, ev.ViewerEvent):
            found[event.session_id].append(event)
    return found


def prices(events: list[ev.Event]) -> dict[str, list[int]]:
    """Return the prices of each product, in the order in which they were told."""
    found: dict[str, list[int]] = defaultdict(list)
    for event in events:
        if isinstance(event, ev.ProductListed):
            found[event.product_id].append(event.price)
    return found


def test_a_flash_sale_begins_and_ends(told: Told) -> None:
    """A product costs 70 % for some minutes, and is pinned; then it costs what it cost."""
    sale = min(told)
    found = [
        (product_id, before, now, after)
        for product_id, all_of in prices(told[sale]).items()
        for before, now, after in zip(all_of, all_of[1:], all_of[2:], strict=False)
        if now == before * 70 // 100
    ]
    assert found
    assert all(before == after for _, before, _, after in found)


def test_one_product_sells_out_for_good(told: Told) -> None:
    """Within the first minutes, while it is pinned, and it does not come back."""
    events = told[sorted(told)[1]]
    first_pin = next(one for one in events if isinstance(one, ev.ProductPinned))
    stock = [
        (one.ts, one.stock)
        for one in events
        if isinstance(one, ev.StockChanged) and one.product_id == first_pin.product_id
    ]
    gone = [ts for ts, pieces in stock if pieces == 0]
    assert gone
    assert gone[0] - START_MS < 300_000
    # A cancelled order may bring pieces back; a delivery would bring many.
    assert max(pieces for ts, pieces in stock if ts >= gone[0]) < 5


def test_a_calm_session_changes_prices_little(told: Told) -> None:
    """No flash sale: what gets cheaper does so by a tenth."""
    calm = told[sorted(told)[2]]
    for all_of in prices(calm).values():
        assert all(now >= before * 9 // 10 for before, now in pairwise(all_of))
