"""The screen's own numbers, for Prometheus; served on a port of their own, not to hosts."""

from collections.abc import Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from agents.metrics.families import by, counter, level, total
from agents.metrics.redis_meter import RedisMeter


class Meters(Collector):
    """Counts clients and updates."""

    def __init__(self) -> None:
        self.redis = RedisMeter()
        self._clients = 0
        self._updates = 0
        self._dropped = 0
        self._redis_errors = 0

    def came(self) -> None:
        """Note that a client opened its stream."""
        self._clients += 1

    def went(self) -> None:
        """Note that a client's stream has ended."""
        self._clients -= 1

    def sent(self, skipped: int) -> None:
        """Count an update, and those before it that the client was too slow for."""
        self._updates += 1
        self._dropped += max(skipped, 0)

    def redis_failed(self) -> None:
        """Count a call that failed."""
        self._redis_errors += 1

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics for a scrape."""
        yield level("screen_clients", "Open event streams", self._clients)
        yield total("screen_updates", "Updates sent", self._updates)
        yield total(
            "screen_dropped_updates",
            "Updates replaced by a newer one before the client took them",
            self._dropped,
        )
        yield level("redis_up", "1 when the last call or ping was answered", self.redis.is_up)
        yield counter(
            "redis_errors", "Calls that failed", by("call", {"views": self._redis_errors})
        )
