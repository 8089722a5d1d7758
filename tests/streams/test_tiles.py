"""Money, funnel and GPM: five minutes against those before, sums exact, too few is no number."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.results import ConversionRow
from streams import tiles
from streams.screen import Share
from streams.tiles import Span, span
from tests.streams.world import T0

PANE_MS, FIVE_MS = 10_000, 300_000
STEPS = tiles.STEPS


def row(start: int, end: int, *, net: int | None = None, **counted: int) -> ConversionRow:
    """Make a row of the session: counts by event type, people by step, ``gross`` money."""
    gross = counted.pop("gross", 0)
    people: dict[str, int] = {step: counted.pop(step, 0) for step in STEPS}
    return ConversionRow(
        session_id="s1", scope="session", scope_id="s1", window="10s", start=start, end=end,
        status="final", revision=1, announced=True, currency="CNY", counts=counted, people=people,
        money={"gmv_gross": gross, "gmv_net": gross if net is None else net}, rates={},
    )  # fmt: skip


def panes(minutes: int, **each: Any) -> list[ConversionRow]:
    """Make so many minutes of panes that are all the same, from T0 on."""
    starts = range(T0, T0 + minutes * 60_000, PANE_MS)
    return [row(start, start + PANE_MS, **each) for start in starts]


def whole(rows: list[ConversionRow], **people: int) -> ConversionRow:
    """Return the row of the session whose panes these are."""
    names = {name for one in rows for name in one.counts}
    counts = {name: sum(one.counts.get(name, 0) for one in rows) for name in names}
    gross = sum(one.money["gmv_gross"] for one in rows)
    return row(rows[0].start, rows[-1].end, gross=gross, **counts, **people)


def steady(minutes: int, **each: Any) -> Span:
    """Return what is compared after so many minutes in which nothing has changed."""
    found = panes(minutes, **each)
    return span(whole(found, viewers=100), found, [], found[-1].end - 1)


def test_a_steady_session_is_on_its_baseline() -> None:
    """After 20 equal minutes five of them bring what five brought before."""
    tile = tiles.money(steady(20, OrderPaid=2, gross=500))["gmv_gross"]
    assert tile.value == 120 * 500
    assert tile.last_5m == tile.baseline == 30 * 500
    assert tile.of == 240


def test_a_young_session_has_no_baseline() -> None:
    """Within its first ten minutes there are not yet five to compare with five."""
    assert tiles.money(steady(9, OrderPaid=2, gross=500))["orders"].baseline is None
    assert tiles.money(steady(10, OrderPaid=2, gross=500))["orders"].baseline is not None


def test_watch_gpm_names_its_views() -> None:
    """GMV of a thousand views, so far and lately; without views there is none."""
    tile = tiles.money(steady(20, ViewerEntered=4, gross=500))["watch_gpm"]
    assert (tile.value, tile.last_5m, tile.baseline) == (125_000, 125_000, 125_000)
    assert tile.of == 480
    assert tiles.money(steady(20, gross=500))["watch_gpm"].value is None


def test_few_views_make_no_watch_gpm() -> None:
    """Late in a session four come and the audience of old buys: that is no rate of the four."""
    found = [
        row(T0 + n * PANE_MS, T0 + (n + 1) * PANE_MS, ViewerEntered=4 * (n <= 90),
            gross=9_100 * (n >= 90))
        for n in range(120)
    ]  # fmt: skip
    tile = tiles.money(span(whole(found), found, [], found[-1].end - 1))["watch_gpm"]
    assert (tile.value, tile.last_5m, tile.baseline) == (750_000, None, 0)
    young = tiles.money(steady(1, ViewerEntered=4, gross=500))["watch_gpm"]
    assert (young.value, young.of) == (None, 24)


def test_uv_value_compares_full_windows() -> None:
    """Distinct people do not add up over panes: the newest full window against earlier ones."""
    fives = [
        row(T0 + n * FIVE_MS, T0 + (n + 1) * FIVE_MS, viewers=50, gross=gross)
        for n, gross in enumerate((1_000, 3_000, 500, 9_999))
    ]
    total = row(T0, T0 + 4 * FIVE_MS, viewers=150, gross=14_499)
    tile = tiles.money(span(total, [], fives, T0 + 4 * FIVE_MS - 1))["uv_value"]
    assert (tile.value, tile.last_5m, tile.baseline) == (14_499 / 150, 10.0, 40.0)


def test_few_people_make_no_rate() -> None:
    """29 of a step are too few for a share of them, 30 are not; the number is told all the same."""
    total = row(T0, T0 + 1, viewers=30, exposed=29, clicked=20, carted=5)
    steps = {one.step: one for one in tiles.funnel(span(total, [], [], T0))}
    assert steps["exposed"].from_previous == Share(29 / 30, 30)
    assert steps["clicked"].from_previous == Share(None, 29)
    assert steps["carted"].people == 5


def fives(*carted: int) -> list[ConversionRow]:
    """Make windows in which 100 people click and so many of them put something into the cart."""
    return [
        row(
            T0 + n * FIVE_MS, T0 + (n + 1) * FIVE_MS,
            viewers=400, exposed=200, clicked=100, carted=many, ordered=many // 2,
        )
        for n, many in enumerate(carted)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("carted", "expected"),
    [((80, 80, 40), "carted"), ((80, 80, 79), None), ((80, 80, 120), None), ((80,), None)],
)
def test_the_worst_step_is_notably_below_its_baseline(
    carted: tuple[int, ...], expected: str | None
) -> None:
    """Half as many as usual is named; about as many, more, or nothing to compare with is not."""
    found = fives(*carted)
    total = row(T0, found[-1].end, viewers=999, exposed=500, clicked=300, carted=200, ordered=90)
    steps = tiles.funnel(span(total, [], found, found[-1].end))
    assert tiles.worst_step(steps) == expected


def test_a_window_that_is_not_over_is_not_compared() -> None:
    """Its people have not had their five minutes yet."""
    found = fives(80, 80, 5)
    total = row(T0, found[-1].end, viewers=999)
    steps = tiles.funnel(span(total, [], found, found[-1].end - 1))
    assert steps[3].last_5m == Share(0.8, 100)


def test_the_factor_that_drags_is_named() -> None:
    """Fewer orders a click than before, everything else alike."""
    usual = {"RoomShown": 40, "ViewerEntered": 20, "ProductClicked": 10, "OrderPaid": 4}
    found = panes(20, **usual, gross=400)
    late = [
        row(one.start, one.end, **usual | {"OrderPaid": 2}, gross=200)
        for one in found
        if one.start >= found[-1].end - FIVE_MS
    ]
    found = [*found[:-30], *late]
    gpm = tiles.gpm(span(whole(found), found, [], found[-1].end - 1))
    assert gpm.furthest_below == "click_to_order"
    assert {one.name: one.value for one in gpm.factors} == {
        "enter_rate": 0.5, "click_rate": 0.5, "click_to_order": 0.2, "order_value": 100.0,
    }  # fmt: skip


@given(
    st.lists(
        st.tuples(*[st.integers(30, 500)] * 4, st.integers(0, 10**9)), min_size=30, max_size=60
    )
)
def test_the_factors_multiply_to_gpm(counts: list[tuple[int, int, int, int, int]]) -> None:
    """A thousand times their product is the GMV of a thousand impressions."""
    names = ("RoomShown", "ViewerEntered", "ProductClicked", "OrderPaid")
    found = [
        row(T0 + n * PANE_MS, T0 + (n + 1) * PANE_MS, gross=one[4],
            **dict(zip(names, one[:4], strict=True)))
        for n, one in enumerate(counts)
    ]  # fmt: skip
    gpm = tiles.gpm(span(whole(found), found, [], found[-1].end - 1))
    product = 1_000.0
    for factor in gpm.factors:
        assert factor.value is not None
        product *= factor.value
    assert gpm.value == pytest.approx(product)


def test_an_empty_session_has_no_numbers() -> None:
    """Nothing divides by zero; what cannot be told is null."""
    nothing = span(row(T0, T0), [], [], T0)
    assert all(not tile.value for tile in tiles.money(nothing).values())
    assert tiles.gpm(nothing).furthest_below is None
    assert tiles.worst_step(tiles.funnel(nothing)) is None
