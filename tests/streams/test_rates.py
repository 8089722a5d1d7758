"""Formulas: every rate is what its name says, over a denominator that is large enough."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import rates
from streams.totals import COUNTS, PEOPLE, STEPS, SUMS, WINDOWS, zeros

SESSION = list(WINDOWS).index("session")
SHORT = list(WINDOWS).index("1m")


def line_of(**values: int) -> rates.Line:
    """Make a line from values by name; what is not named is zero."""
    names = (*COUNTS, *SUMS, *STEPS)
    assert set(values) <= set(names)
    return [values.get(name, 0) for name in names]


BUSY = line_of(
    RoomShown=4000, ViewerEntered=800, ProductClicked=400, OrderPlaced=50, OrderPaid=40,
    gmv_gross=120_000, refunded=6_000, ordered_amount=150_000, units=55,
    watch_ms=45_000_000, bounced=200, matured=500, retained=150,
    viewers=600, exposed=500, clicked=200, carted=100, ordered=48, paid=36, interacted=90,
)  # fmt: skip

#: Worked out by hand from BUSY: value, denominator's name.
BY_HAND = {
    "show_gpm": (30_000.0, "room_impressions"),
    "watch_gpm": (150_000.0, "views"),
    "uv_value": (200.0, "viewers"),
    "aov": (3_000.0, "paid_orders"),
    "enter_rate": (0.2, "room_impressions"),
    "ctr": (0.5, "views"),
    "click_to_order": (0.1, "product_clicks"),
    "exposure_rate": (500 / 600, "viewers"),
    "click_rate": (200 / 600, "viewers"),
    "card_click_rate": (0.4, "exposed"),
    "cart_rate": (0.5, "clicked"),
    "order_rate": (0.48, "carted"),
    "pay_rate": (0.75, "ordered"),
    "conversion_rate": (0.06, "viewers"),
    "interaction_rate": (0.15, "viewers"),
    "avg_watch_s": (75.0, "viewers"),
    "retention_5m": (0.3, "visits_begun_5m_ago"),
    "bounce_rate": (0.25, "views"),
    "refund_rate": (0.05, "gmv_gross"),
    "unpaid_rate": (0.2, "placed_orders"),
}


def test_every_rate_of_a_session_is_as_worked_out_by_hand() -> None:
    """Each rate of the whole session has the value and the denominator that its name says."""
    found = rates.rates(BUSY, "session", SESSION)
    assert {name: (rate.value, rate.per) for name, rate in found.items()} == BY_HAND


@given(st.lists(st.integers(1, 1 << 40), min_size=5, max_size=5))
def test_show_gpm_is_the_product_of_its_factors(sums: list[int]) -> None:
    """show_gpm = 1000 * enter_rate * ctr * click_to_order * aov, where all are defined."""
    names = ("RoomShown", "ViewerEntered", "ProductClicked", "OrderPaid", "gmv_gross")
    found = rates.rates(line_of(**dict(zip(names, sums, strict=True))), "session", SESSION)
    product = 1000.0
    for factor in ("enter_rate", "ctr", "click_to_order", "aov"):
        product *= found[factor].value or math.nan
    assert found["show_gpm"].value == pytest.approx(product, rel=1e-12)


@given(st.lists(st.integers(0, 200), min_size=rates.LINE_SIZE, max_size=rates.LINE_SIZE))
def test_a_rate_is_a_number_exactly_if_its_denominator_is_large_enough(sums: list[int]) -> None:
    """Fewer than 30 people, or nothing at all to divide by, give no number."""
    for rate in rates.rates(sums, "session", SESSION).values():
        least = 30 if rate.per in STEPS else 1
        assert (rate.value is not None) == (rate.denominator >= least)


@pytest.mark.parametrize(("viewers", "value"), [(29, None), (30, 0.5)])
def test_thirty_people_are_enough(viewers: int, value: float | None) -> None:
    """A rate over 29 people is too few, over 30 it is a number; both name the 29 or 30."""
    found = rates.rates(line_of(viewers=viewers, paid=15), "session", SHORT)["conversion_rate"]
    assert (found.value, found.numerator, found.denominator) == (value, 15, viewers)


def test_a_product_has_no_rates_over_viewers_views_or_impressions() -> None:
    """What would divide by people of the room is left out where there is only a product."""
    found = rates.rates(BUSY, "product", SESSION)
    assert set(found) == {
        "aov", "click_to_order", "card_click_rate", "cart_rate", "order_rate", "pay_rate",
        "refund_rate", "unpaid_rate",
    }  # fmt: skip
    assert set(rates.people(BUSY, "product")) == {"exposed", "clicked", "carted", "ordered", "paid"}


def test_a_channel_has_all_but_the_rates_over_impressions() -> None:
    """An impression has no channel yet, so a channel has no show_gpm and no enter_rate."""
    session = set(rates.rates(BUSY, "session", SESSION))
    assert session - set(rates.rates(BUSY, "channel", SESSION)) == {"show_gpm", "enter_rate"}


def test_unpaid_is_a_matter_of_the_whole_session() -> None:
    """An order may be paid in a later window, so only the session's own says what is unpaid."""
    assert "unpaid_rate" not in rates.rates(BUSY, "session", SHORT)


def test_more_payments_than_orders_are_none_unpaid() -> None:
    """When the order event of a payment never came, unpaid is zero and not negative."""
    found = rates.rates(line_of(OrderPlaced=3, OrderPaid=5), "session", SESSION)["unpaid_rate"]
    assert (found.value, found.numerator) == (0.0, 0)


def test_net_is_gross_without_refunds() -> None:
    """Money comes in minor units: gross, net, refunded and what was ordered."""
    assert rates.money(BUSY) == {
        "gmv_gross": 120_000, "gmv_net": 114_000, "refunded": 6_000, "ordered_amount": 150_000,
    }  # fmt: skip


def test_counts_leave_out_what_did_not_happen() -> None:
    """Only the types that came are in the row, and the pieces that were ordered."""
    found = rates.counts(line_of(LikesSent=7, units=2, watch_ms=99))
    assert found == {"LikesSent": 7, "units": 2}


@pytest.mark.parametrize("window", range(len(WINDOWS)))
def test_a_line_holds_the_people_of_its_own_window(window: int) -> None:
    """Of the people columns, a line keeps the one of its window for each step."""
    vector = zeros()
    for step in range(len(STEPS)):
        vector[PEOPLE + step * len(WINDOWS) + window] = step + 1
    people = rates.people(rates.line(vector, window), "session")
    assert people == {name: i + 1 for i, name in enumerate(STEPS)}
    for other in set(range(len(WINDOWS))) - {window}:
        assert not any(rates.line(vector, other))
