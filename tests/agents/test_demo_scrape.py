"""The worker's numbers as the demo reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from agents.demo import scrape
from agents.engine.exposition import Exposition
from agents.metrics.histogram import LATENCY_S, Histogram
from agents.metrics.meters import Meters
from agents.metrics.redis_meter import RedisMeter

INF = float("inf")


def _text(meters: Meters) -> str:
    registry = CollectorRegistry()
    registry.register(Exposition(meters, RedisMeter(), ["live.carts"]))
    return generate_latest(registry).decode()


def test_the_numbers_are_those_of_the_worker() -> None:
    """What the meters count is what is read from their Prometheus text."""
    meters = Meters()
    meters.events.update(CartAdded=3, Heartbeat=40)
    meters.dead_letters.update(null_value=2, future=5)
    meters.duplicates = 4
    meters.results.update(coupons=6)
    for partition in range(3):
        meters.begin(partition).restore_s = 0.5
    meters.begin(3)  # is being restored: not a task yet
    meters.trigger_seconds.observe(0.3)
    numbers = scrape.parse(_text(meters))
    assert numbers.events == {"CartAdded": 3, "Heartbeat": 40}
    assert (numbers.dead_letters, numbers.duplicates, numbers.tasks) == (7, 4, 3)
    assert numbers.records == 43 + 7 + 4
    assert numbers.results["coupons"] == 6
    assert (numbers.latency[0.25], numbers.latency[0.3], numbers.latency[INF]) == (0, 1, 1)


def test_nobody_answers() -> None:
    """A worker that is not there has no numbers."""
    assert scrape.read(1) is None


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.25, 0.5), (0.5, 1.0), (0.75, 1.5), (0.99, 1.98)],
)
def test_a_quantile_lies_evenly_inside_its_bucket(share: float, expected: float) -> None:
    """As Prometheus does it: a straight line between the edges."""
    assert scrape.quantile(share, {1.0: 50, 2.0: 100, INF: 100}) == pytest.approx(expected)


def test_a_quantile_beyond_the_last_edge_is_that_edge() -> None:
    """No number is invented for what no bucket bounds."""
    assert scrape.quantile(0.99, {1.0: 1, 2.0: 1, INF: 100}) == 2.0


def test_nothing_measured_has_no_quantile() -> None:
    """An empty histogram has no latency, rather than one of 0."""
    assert scrape.quantile(0.5, {1.0: 0, INF: 0}) is None


def test_the_past_is_taken_out() -> None:
    """Only what came after an earlier reading remains."""
    assert scrape.since({1.0: 5, INF: 9}, {1.0: 5, INF: 6}) == {1.0: 0, INF: 3}


@given(st.lists(st.floats(0, 9.9), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    """The estimate is never further off than its bucket is wide."""
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    buckets, total = {}, 0
    for edge, count in zip((*LATENCY_S, INF), histogram.counts, strict=True):
        total += count
        buckets[edge] = float(total)
    estimate = scrape.quantile(share, buckets)
    rank = share * len(values)
    true = next(v for i, v in enumerate(sorted(values), start=1) if i >= rank)
    upper = next(edge for edge in LATENCY_S if edge >= true)
    lower = max((edge for edge in LATENCY_S if edge < true), default=0.0)
    assert estimate is not None
    assert lower <= estimate <= upper
