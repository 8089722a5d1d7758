"""The screen's own numbers, for Prometheus; served on a port of their own, not to hosts."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from agents.metrics.redis_meter import RedisMeter


class Meters:
    """Counts clients and updates."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._clients = Gauge(
            "livepulse_screen_clients", "Open event streams", registry=self.registry
        )
        self._updates = Counter("livepulse_screen_updates", "Updates sent", registry=self.registry)
        self._dropped = Counter(
            "livepulse_screen_dropped_updates",
            "Updates replaced by a newer one before the client took them",
            registry=self.registry,
        )
        self.redis = RedisMeter()
        Gauge(
            "livepulse_redis_up", "1 when the last call or ping was answered",
            registry=self.registry,
        ).set_function(lambda: self.redis.is_up)  # fmt: skip
        self._redis_errors = Counter(
            "livepulse_redis_errors", "Calls that failed", ["call"], registry=self.registry
        )
        self._redis_errors.labels("views")

    def came(self) -> None:
        """Note that a client opened its stream."""
        self._clients.inc()

    def went(self) -> None:
        """Note that a client's stream has ended."""
        self._clients.dec()

    def sent(self, skipped: int) -> None:
        """Count an update, and those before it that the client was too slow for."""
        self._updates.inc()
        if skipped > 0:
            self._dropped.inc(skipped)

    def redis_failed(self) -> None:
        """Count a call that failed."""
        self._redis_errors.labels("views").inc()
