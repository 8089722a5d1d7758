"""Game day: three workers under load, things are killed, and the right alerts fire and clear.

Real workers, Kafka, Redis and Prometheus with our rules, all spans twelve times as short (see
``tests.integration.prometheus``). Breakdowns do not shrink with them: what holds up a share of
the triggers for ten seconds weighs as two minutes would. So an objective may be missed where
people wait, and must not be where they do not.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import dropwhile
from pathlib import Path

import pytest

from agents.recording import Record
from agents.simulator.scenario import Scenario, Tally
from agents.simulator.world import simulate
from tests.integration.cluster import PARTITIONS, Site, WorkerProcess, new_site, until
from tests.integration.conftest import entered
from tests.integration.kafka import Kafka
from tests.integration.prometheus import Prometheus, running_prometheus
from tests.redis_server import RedisServer, newest, running

pytestmark = [pytest.mark.kafka, pytest.mark.long]

WORKERS = 3
HANG = signal.SIGRTMIN + 2
HANG_S = 45
HANGING = f"import signal, time\nsignal.signal({HANG:d}, lambda *_: time.sleep({HANG_S}))\n"
#: What may fire beside where viewers really wait: the slower burn rates fire on for long.
FAST = {"LivepulseTriggersSlow/14.4", "LivepulseFinalRowsLate/14.4"}
WAITING = {alert.replace("14.4", burn) for alert in FAST for burn in ("14.4", "6", "1")}


class GameDay:
    """The deployment, and what its Prometheus said."""

    def __init__(self, site: Site, redis: RedisServer, prometheus: Prometheus) -> None:
        self.site = site
        self.redis = redis
        self.prometheus = prometheus
        self.workers: list[WorkerProcess] = []
        self._records: Iterator[Record] = iter(())

    def start_workers(self) -> None:
        """Start all workers, and let Prometheus scrape them."""
        (self.site.directory / "sitecustomize.py").write_text(HANGING)
        self.workers = [
            WorkerProcess(
                self.site.settings, self.site.directory, {"PYTHONPATH": str(self.site.directory)}
            )
            for _ in range(WORKERS)
        ]
        self.prometheus.targets(worker._port for worker in self.workers)
        until(
            lambda: f"{self.tasks()} tasks\n{self.workers[0].last_words()}",
            lambda: self.tasks() == [PARTITIONS // WORKERS] * WORKERS,
            limit_s=90,
        )

    def tasks(self) -> list[int]:
        """Return how many tasks each worker runs."""
        return [worker.tasks() for worker in self.workers]

    def kill_workers(self) -> None:
        """End all workers as a power cut does."""
        for worker in self.workers:
            worker.kill()
        self.workers = []

    def open_rooms(self) -> None:
        """Let sessions begin now, with goods and offers and the first viewers."""
        scenario = Scenario(
            start_ms=time.time_ns() // 1_000_000, rate=150.0, viewers=2_000, sessions=3,
            duration_s=600.0, warm_up_s=1.0, bad_share=0.0,
        )  # fmt: skip
        self._records = simulate(scenario, tally=Tally())

    def skip_past(self) -> None:
        """Leave out what the viewers did until now: it was never sent."""
        now_ms = time.time_ns() // 1_000_000
        self._records = dropwhile(lambda record: record.timestamp < now_ms, self._records)

    @contextmanager
    def load(self) -> Iterator[None]:
        """Send what the simulated viewers do, while they do it."""
        with self.site.feeding(self._records) as ended:
            yield
            ended()

    @contextmanager
    def expects(self, *must: str, may: set[str] = frozenset()) -> Iterator[None]:  # type: ignore[assignment]
        """Note what fires from the start of the block until these alerts have fired and cleared.

        Raises AssertionError when another one fires.
        """
        seen: set[str] = set()
        over = threading.Event()
        allowed = {*must, *may}
        others: list[str] = []

        def watch() -> None:
            while not over.wait(0.5):
                firing = self.prometheus.firing()
                seen.update(firing)
                if firing - allowed:
                    others.extend(self.prometheus.alerts())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
            wanted = set(must)
            until(lambda: f"{wanted - seen} fire: {self.said()}", lambda: wanted <= seen)
            self.cleared(wanted)
        finally:
            over.set()
            watcher.join()
        assert not others, f"{seen - allowed} fired: {others}"

    def fires(self, alert: str) -> None:
        """Wait until an alert fires."""
        until(lambda: f"{alert} fires: {self.said()}", lambda: alert in self.prometheus.firing())

    def cleared(self, alerts: set[str]) -> None:
        """Wait until none of these fires."""
        until(
            lambda: f"{alerts} clear: {self.said()}",
            lambda: not alerts & self.prometheus.firing(),
            limit_s=90,
        )

    def said(self) -> str:
        """Return what Prometheus sees, for people."""
        expressions = (
            "sum(livepulse_lag_records)", "sum(livepulse_tasks)", "min(livepulse_redis_up)",
            "time() - max(livepulse_last_event_timestamp_seconds)", "sum(livepulse_sessions)",
            "time() - min(livepulse_watermark_timestamp_seconds)",
            "livepulse:slow_triggers:ratio_rate5m", "livepulse:late_rows:ratio_rate5m",
        )  # fmt: skip
        values = {one: self.prometheus.value(one) for one in expressions}
        return f"{self.prometheus.alerts()} {values}"


@pytest.fixture
def day(kafka: Kafka, tmp_path: Path) -> Iterator[GameDay]:
    """Give a deployment that is watched and does well under load."""
    with ExitStack() as stack:
        prometheus = entered(stack, running_prometheus(tmp_path / "prometheus"))
        redis = stack.enter_context(running(newest()))
        site = new_site(kafka, redis.url, tmp_path)
        site.create_topics()
        day = GameDay(site, redis, prometheus)
        stack.callback(day.kill_workers)
        day.start_workers()
        day.open_rooms()
        yield day


def test_the_right_alerts_fire_and_clear_and_no_others(day: GameDay) -> None:
    """Redis dies, a worker hangs, all workers are killed, the feed falls silent."""
    with day.load():
        with day.expects():
            until(
                lambda: f"all is well: {day.said()}",
                lambda: (
                    (day.prometheus.value("sum(livepulse_tasks)") or 0) == PARTITIONS
                    and (day.prometheus.value("sum(livepulse_sessions)") or 0) > 0
                ),
            )
            time.sleep(10)  # long enough for any alert that waits a minute, twelve times quicker
        with day.expects("LivepulseRedisDown"):
            day.redis.kill()
            day.fires("LivepulseRedisDown")
            day.redis.start()
        with day.expects("LivepulsePartitionStuck", may=WAITING):
            day.workers[0]._process.send_signal(HANG)
        with day.expects("LivepulseTasksMissing", may=WAITING):
            day.kill_workers()
            day.fires("LivepulseTasksMissing")
            day.start_workers()
    with day.expects("LivepulseInputStale", may=WAITING):
        day.fires("LivepulseInputStale")
        day.skip_past()
        with day.load():
            day.cleared({"LivepulseInputStale"})
            day.cleared(FAST)
