"""The scripted sessions contradict nothing: their pictures are what people see of the screen."""

import pytest

from tests.screen.panes import NOW, PANE, Json, panes
from tests.screen.states import STATES

BUSY = [name for name in STATES if panes(STATES[name]())]


@pytest.fixture(params=BUSY)
def snapshot(request: pytest.FixtureRequest) -> Json:
    """Give a session in which something happened."""
    made: Json = STATES[request.param]()
    return made


def test_the_timeline_adds_up_to_the_tiles(snapshot: Json) -> None:
    """Money, orders and the newest five minutes of them are sums over panes."""
    rows = panes(snapshot)
    for name in ("gmv_gross", "gmv_net", "orders"):
        figure = snapshot["money"][name]
        assert sum(row[name] for row in rows) == figure["value"]
        assert sum(row[name] for row in rows[-30:]) == figure["last_5m"]


def test_the_timeline_ends_with_the_viewers_of_now(snapshot: Json) -> None:
    """Its highest pane is the peak, and who came and left explains every other one."""
    session, rows = snapshot["session"], panes(snapshot)
    assert rows[-1]["viewers"] == session["viewers_now"]
    assert max(row["viewers"] for row in rows) == session["peak"]
    viewers = 0
    for row in rows:
        viewers += row["entered"] - row["left"]
        assert viewers == row["viewers"]


def test_nothing_happens_after_the_end(snapshot: Json) -> None:
    """What is over has no later panes, triggers or markers, and sells nothing out."""
    end = snapshot["session"]["ended"] or NOW
    deeds = snapshot["triggers"]["latest"] + snapshot["markers"]
    assert max(row["start"] + PANE for row in panes(snapshot)) <= end
    assert max(one["at"] for one in deeds) <= end
    if end < NOW:
        assert {one["sells_out_in_min"] for one in snapshot["products"]} == {None}


def test_the_shelf_shares_the_session_s_money() -> None:
    """What the products brought is what the session brought."""
    busy = STATES["busy"]()
    assert sum(one["gmv_gross"] for one in busy["products"]) == busy["session"]["gmv_gross"]
    sent = sum(busy["triggers"][kind]["sent"] for kind in ("coupons", "recommendations"))
    assert sum(one["count"] or 0 for one in busy["markers"]) == sent
