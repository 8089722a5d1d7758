"""A histogram of plain integers: cheap to count into; made Prometheus' own at the scrape."""

from bisect import bisect_left

from prometheus_client.core import Exemplar
from prometheus_client.utils import floatToGoString

#: Seconds; the objective of 2 s stands on an edge.
LATENCY_S = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0, 10.0,
)  # fmt: skip
#: From an event's own time: seconds live, hours after an outage.
AGE_S = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
#: A row is final 12 s after its pane at the earliest; the objective of 30 s stands on an edge.
FINAL_S = (12.0, 14.0, 16.0, 18.0, 20.0, 25.0, 30.0, 45.0, 60.0, 300.0, 3600.0)
REBALANCE_S = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0)
CALL_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
LOOP_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Histogram:
    """Counts per bucket; the last one is for all that is more than the last edge."""

    __slots__ = ("_examples", "counts", "edges", "sum")

    def __init__(self, edges: tuple[float, ...] = LATENCY_S) -> None:
        self.edges = edges
        self.counts = [0] * (len(edges) + 1)
        self.sum = 0.0
        self._examples: dict[int, Exemplar] = {}

    def observe(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.edges, value)] += 1
        self.sum += value

    def observe_example(self, value: float, labels: dict[str, str], at_s: float) -> None:
        """Count one observation, and keep it as its bucket's example; ``at_s`` is epoch time."""
        self.observe(value)
        self._examples[bisect_left(self.edges, value)] = Exemplar(labels, value, at_s)

    @property
    def count(self) -> int:
        """How many observations there were."""
        return sum(self.counts)

    def buckets(self) -> list[tuple[str, float, Exemplar | None]]:
        """Return edge, how many were up to it, and an example, as Prometheus wants them."""
        total, buckets = 0, []
        for i, edge in enumerate((*self.edges, float("inf"))):
            total += self.counts[i]
            name = floatToGoString(edge)  # type: ignore[no-untyped-call]
            buckets.append((name, float(total), self._examples.get(i)))
        return buckets
