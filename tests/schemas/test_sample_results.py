"""The sample results are what livepulse makes of the sample events, and every code is explained."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from schemas import codes, samples
from schemas import events as ev
from schemas.contract import json_schema
from schemas.results import (
    ChurnRow,
    ConversionRow,
    CouponTrigger,
    DeadLetter,
    Decision,
    RecommendationTrigger,
)
from streams import churn, propose, rates, totals
from tests.streams.world import World

LIPSTICK: dict[str, Any] = {"product_id": "lipstick-03"}


def listed(product_id: str) -> dict[str, Any]:
    """Return the fields of a listing."""
    return {"product_id": product_id, "price": 5_900, "stock": 80, "currency": "CNY"}


def order(*products: str) -> dict[str, Any]:
    """Return the fields of an order of one piece each, for 59.00."""
    lines = tuple(ev.Line(product_id, 1, 5_900) for product_id in products)
    amount = 5_900 * len(products)
    return {"order_id": "o1", "lines": lines, "amount": amount, "currency": "CNY"}


#: What happens beside the sample events: in which second, what, to how many others.
BESIDE: tuple[tuple[int, type[ev.Event], range, dict[str, Any]], ...] = (
    (1, ev.ProductListed, range(1), listed("mirror-01")),
    (1, ev.ProductListed, range(1), listed("brush-07")),
    (61, ev.ProductExposed, range(80), LIPSTICK),
    (64, ev.ProductClicked, range(60), LIPSTICK),
    (70, ev.CartAdded, range(40), LIPSTICK | {"unit_price": 5_900, "currency": "CNY"}),
    (80, ev.OrderPlaced, range(6), order("lipstick-03", "mirror-01")),
    (80, ev.OrderPlaced, range(6, 12), order("lipstick-03")),
    (80, ev.OrderPlaced, range(12, 14), order("brush-07")),
    (86, ev.OrderPaid, range(6), order("lipstick-03", "mirror-01")),
    (86, ev.OrderPaid, range(6, 12), order("lipstick-03")),
)


def beside() -> Iterator[ev.Event]:
    """Yield what happens beside the sample events."""
    start = samples.EVENTS[0]
    for place, (second, kind, others, fields) in enumerate(BESIDE):
        for number in others:
            common: dict[str, Any] = {"id": f"{place}-{number}", "ts": start.ts + second * 1_000}
            if issubclass(kind, ev.ViewerEvent):
                common["viewer_id"] = f"other-{number}"
            yield kind(session_id=start.session_id, **common, **fields)


@pytest.fixture(scope="module")
def made() -> dict[type, list[Any]]:
    """Let livepulse read the sample events; returns its results by type."""
    world = World()
    for event in sorted([*samples.EVENTS, *beside()], key=lambda event: event.ts):
        world.feed(event)
    results = world.results
    return {
        CouponTrigger: results.coupons,
        RecommendationTrigger: results.recommendations,
        ConversionRow: results.rows,
        ChurnRow: results.churn,
        Decision: results.decisions,
    }


@pytest.mark.parametrize("sample", [one for one in samples.RESULTS if type(one) is not DeadLetter])
def test_sample_result_is_made_of_the_sample_events(
    sample: Struct, made: dict[type, list[Any]]
) -> None:
    """Whoever builds on an example meets the same in production, to the last digit."""
    assert sample in made[type(sample)]


CORE = Path(propose.__file__)
#: What the core can say, as its sources tell it.
SAID: dict[str, set[str]] = {
    "RULES": set(re.findall(r'(?:rule=|_recommend\()"(\w+)"', CORE.read_text())),
    "WHY": {
        *re.findall(r'Reason\("(\w+)"', CORE.read_text()),
        *(code for _, up, down in churn._PARTS for code in (up, down)),
    },
    "PEOPLE": set(totals.STEPS),
    "MONEY": set(rates.money([0] * rates.LINE_SIZE)),
    "RATES": {one.name for one in rates._DEFINITIONS},
}


@pytest.mark.parametrize("name", SAID)
def test_codes_are_those_of_the_core(name: str) -> None:
    """None is missing from what we publish, and none stands there that the core cannot say."""
    assert set(getattr(codes, name)) == SAID[name]


def test_rates_name_their_denominator() -> None:
    """In the word that stands in the row."""
    for scope in rates._ALL:
        for name, rate in rates.rates([0] * rates.LINE_SIZE, scope, rates.SESSION_WINDOW).items():
            assert f"per {rate.per}" in codes.RATES[name]


@pytest.mark.parametrize(
    ("record_type", "meanings"),
    [
        (CouponTrigger, codes.RULES | codes.WHY),
        (RecommendationTrigger, codes.RULES | codes.WHY),
        (ConversionRow, codes.PEOPLE | codes.MONEY | codes.RATES),
        (ChurnRow, codes.WHY),
        (Decision, codes.RULES | codes.WHY_NOT),
        (DeadLetter, codes.REFUSALS),
    ],
)
def test_every_code_stands_in_the_schema(
    record_type: type[Struct], meanings: dict[str, str]
) -> None:
    """With its meaning: whoever reads only the schema knows what may come."""
    text = json.dumps(json_schema(record_type))
    lines = [f"- `{code}`: {meaning}" for code, meaning in meanings.items()]
    assert [line for line in lines if line not in text] == []
