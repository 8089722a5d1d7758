"""What both processes say of themselves: build, event loop, certificates."""

import asyncio
import platform
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from agents.metrics.families import gauge, histogram
from agents.metrics.histogram import LOOP_S, Histogram
from agents.settings import Settings

#: The settings that name certificates of ours; a CA file may hold several, the first counts.
CERTIFICATES = ("kafka_ssl_ca_file", "kafka_ssl_cert_file", "redis_ssl_ca_file")
#: Certificates are renewed in place.
_READ_EVERY_S = 3_600.0
_BEAT_S = 0.1


class Vitals(Collector):
    """The collector that worker and screen have in common."""

    def __init__(self, settings: Settings, role: Literal["worker", "screen"]) -> None:
        self.loop_seconds = Histogram(LOOP_S)
        self.ticked_s = time.monotonic()  # when the event loop was alive last
        self._role = role
        self._files = {
            name: file for name in CERTIFICATES if (file := getattr(settings, name)) is not None
        }
        self._expiries: dict[str, float] = {}
        self._read_s = float("-inf")

    async def beat(self) -> None:
        """Measure how late the event loop is, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + _BEAT_S
            await asyncio.sleep(_BEAT_S)
            self.loop_seconds.observe(max(loop.time() - due_s, 0.0))
            self.ticked_s = time.monotonic()

    @property
    def silent_s(self) -> float:
        """For how long the event loop has given no sign of life."""
        return time.monotonic() - self.ticked_s

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics for a scrape."""
        build = gauge(
            "build_info", "Always 1; role is worker or screen", "version", "python", "role"
        )
        build.add_metric([metadata.version("livepulse"), platform.python_version(), self._role], 1)
        yield build
        yield histogram(
            "event_loop_lag_seconds",
            "How much later than asked a timer of 100 ms fires",
            {"": self.loop_seconds},
        )
        expiry = gauge(
            "certificate_expiry_timestamp_seconds",
            "Until when the first certificate of the file that this setting names is valid",
            "setting",
        )
        for name, until_s in self._valid_until().items():
            expiry.add_metric([name], until_s)
        yield expiry

    def _valid_until(self) -> dict[str, float]:
        if time.monotonic() - self._read_s >= _READ_EVERY_S:
            self._read_s = time.monotonic()
            self._expiries = {name: expiry_s(Path(file)) for name, file in self._files.items()}
        return self._expiries


def registry(*collectors: Collector) -> CollectorRegistry:
    """Return a registry with these and with what Prometheus' client knows of the process."""
    made = CollectorRegistry()
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    for collector in collectors:
        made.register(collector)
    return made


def expiry_s(file: Path) -> float:
    """Return until when a file's first certificate is valid, epoch seconds; NaN if unreadable."""
    from cryptography import x509  # noqa: PLC0415 - only where certificates are used

    try:
        return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return float("nan")
