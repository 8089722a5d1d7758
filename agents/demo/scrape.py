"""The worker's own numbers, read from its metrics port."""

from collections import Counter
from itertools import pairwise
from urllib.error import URLError
from urllib.request import urlopen

from msgspec import Struct, field
from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT_S = 2.0
_LATENCY = "livepulse_event_to_trigger_seconds_bucket"


class Numbers(Struct, frozen=True, kw_only=True):
    """What the worker has counted. ``latency``: bucket edge in s -> triggers up to it."""

    tasks: int = 0
    events: Counter[str] = field(default_factory=Counter)
    dead_letters: int = 0
    duplicates: int = 0
    results: Counter[str] = field(default_factory=Counter)
    latency: dict[float, float] = {}

    @property
    def records(self) -> int:
        """Input records that are dealt with: every one is an event, a repeat or a dead letter."""
        return self.events.total() + self.duplicates + self.dead_letters


def read(port: int) -> Numbers | None:
    """Return the numbers of the worker on this port, None when nothing answers."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_TIMEOUT_S) as reply:
            return parse(reply.read().decode())
    except (URLError, OSError):
        return None


def parse(text: str) -> Numbers:
    """Read Prometheus' text format."""
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]

    def labelled(name: str, label: str) -> Counter[str]:
        values = {s.labels[label]: int(s.value) for s in samples if s.name == name}
        return +Counter(values)  # without those that have not happened yet

    def plain(name: str) -> int:
        return sum(int(s.value) for s in samples if s.name == name)

    return Numbers(
        tasks=plain("livepulse_tasks"),
        events=labelled("livepulse_events_total", "type"),
        dead_letters=labelled("livepulse_dead_letters_total", "reason").total(),
        duplicates=plain("livepulse_duplicates_total"),
        results=labelled("livepulse_results_total", "kind"),
        latency={float(s.labels["le"]): s.value for s in samples if s.name == _LATENCY},
    )


def since(latency: dict[float, float], before: dict[float, float]) -> dict[float, float]:
    """Return what a histogram has got since an earlier reading of it."""
    return {edge: count - before.get(edge, 0) for edge, count in latency.items()}


def quantile(share: float, buckets: dict[float, float]) -> float | None:
    """Return about the value (s) below which that share lies; None when there are no values.

    As Prometheus' histogram_quantile: even inside a bucket; what lies beyond the last finite
    edge counts as that edge.
    """
    edges = [(0.0, 0.0), *sorted(buckets.items())]
    total = edges[-1][1]
    if not total:
        return None
    rank = share * total
    for (low, below), (high, up_to) in pairwise(edges):
        if up_to >= rank and up_to > below:
            if high == float("inf"):
                return low
            return low + (high - low) * (rank - below) / (up_to - below)
    return edges[-1][0]
