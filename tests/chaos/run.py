"""One run: a fresh site under load, a fault, and then everything that must hold."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException, Producer
from msgspec import structs

from agents.recording import Record
from agents.simulator.sending import SendingError, send
from tests.chaos.brokers import Cluster
from tests.chaos.checker import Violation
from tests.chaos.inspection import Inspection
from tests.chaos.offsets import QUICK, Places
from tests.chaos.oracle import Oracle
from tests.chaos.proxy import Detour
from tests.chaos.site import delete_topics, new_site, variables
from tests.chaos.watch import Watch
from tests.chaos.workers import Fleet
from tests.chaos.workload import Shape, Workload
from tests.redis_server import RedisServer

WORKERS = 3
#: I7: work goes on so long after the last fault at most.
RECOVERY_S = 60.0
_READY_S = 90.0
_POLL_S = 0.1


@dataclass
class Outcome:
    """What came of a run. ``evidence``: the first few violations, and the workers' own ends."""

    fault: str
    seed: int
    violations: int = 0
    evidence: list[str] = field(default_factory=list)
    recovery_s: float = 0.0
    seconds: float = 0.0
    records: int = 0
    triggers: int = 0
    samples: int = 0
    ended_by_itself: int = 0

    @property
    def name(self) -> str:
        """Name the run's directory."""
        return f"{self.fault}-{self.seed}"


class Run:
    """What a fault may lay its hands on."""

    def __init__(
        self, cluster: Cluster, redis: RedisServer, directory: Path, *, seed: int,
        shape: Shape,
    ) -> None:  # fmt: skip
        self.cluster = cluster
        self.redis = redis
        self.dice = random.Random(seed)
        self.site = new_site(cluster, redis.url, directory)
        self.workload = Workload(seed, shape)
        self.oracle = Oracle(
            host_topic=self.site.settings.topic_of("SessionStarted"), now_ms=_now_ms()
        )
        self.fleet = Fleet(variables(self.site.settings), directory)
        self.places = Places(self.site)
        self.watch = Watch(self.site, self.places, self.oracle)
        self.healed_s = 0.0
        self.detour: Detour | None = None
        self.stack = ExitStack()  # closed when the run is over
        self.violations: list[Violation] = []

    # --- what faults use -----------------------------------------------------------------------

    def wait(self, least_s: float, most_s: float | None = None) -> None:
        """Let the load go on for a while."""
        time.sleep(self.dice.uniform(least_s, most_s or least_s))

    def pick(self) -> int:
        """Choose a worker."""
        return self.dice.choice(self.fleet.numbers())

    def expect(self, what: str, wanted: object, found: object) -> None:
        """Note a violation of I7 unless it is as it should be."""
        if wanted != found:
            self.violations.append(Violation("I7", what, str(wanted), str(found)))

    def progress(self) -> int:
        """Return the sum of the committed offsets."""
        return sum(self.places.committed().values())

    def until(self, what: str, condition: Callable[[], Any], *, limit_s: float = 30.0) -> None:
        """Wait for something; it is a violation of I7 when it does not come."""
        deadline = time.monotonic() + limit_s
        while not _true(condition):
            if time.monotonic() > deadline:
                self.violations.append(Violation("I7", what, f"within {limit_s:.0f} s", "not yet"))
                return
            time.sleep(_POLL_S)

    def send(self, records: list[Record]) -> None:
        """Send records at once."""
        send(
            map(self._placed, records), producer_config=self._producer(), rate=0.0,
            on_progress=_ignore, stop=None,
        )  # fmt: skip

    def put_state(self, partition: int, key: bytes, value: bytes) -> None:
        """Write a record into the changelog, past everybody."""
        producer = Producer(self._producer())
        producer.produce(self.site.settings.topic_of("state"), value, key, partition)
        assert not producer.flush(30.0), "the changelog takes nothing"

    def _placed(self, record: Record) -> Record:
        return structs.replace(record, topic=self.site.settings.topic_prefix + record.topic)

    def _producer(self) -> dict[str, Any]:
        return {**self.site.settings.confluent_config(), **QUICK, "message.timeout.ms": 180_000}

    # --- the run -------------------------------------------------------------------------------

    def begin(self) -> None:
        """Say what stands before the load, start the workers, and wait until they work."""
        now_ms = _now_ms()
        self.send(list(self.workload.prelude(now_ms)))
        for number in range(WORKERS):
            self.fleet.start(number)
        self.watch.start()
        self.until("the workers are ready", self.places.is_drained, limit_s=_READY_S)
        if self.violations:
            raise RuntimeError(f"the workers do not start:\n{self.fleet[0].last_words()}")

    @contextmanager
    def feeding(self) -> Iterator[Callable[[], int]]:
        """Send the load at its pace; what is yielded ends that and tells how many went."""
        stop = threading.Event()
        records = map(self._placed, self.workload.records(_now_ms()))
        with ThreadPoolExecutor(1) as pool:
            sent: Future[int] = pool.submit(self._send_on, records, stop)

            def ended() -> int:
                stop.set()
                return sent.result()

            try:
                yield ended
            finally:
                stop.set()

    def _send_on(self, records: Iterator[Record], stop: threading.Event) -> int:
        """Send, also when a broker that dies refuses a record for good: upstreams do.

        What went before a refusal is not counted: nobody knows how much of it arrived.
        """
        while True:
            with suppress(SendingError):
                return send(
                    records, producer_config=self._producer(), rate=1.0,
                    on_progress=_ignore, stop=stop,
                )  # fmt: skip

    def recover(self) -> float:
        """Wait until all that had arrived when the fault was over is committed; I7."""
        self.until("recovery", self.places.passes(), limit_s=RECOVERY_S)
        return time.monotonic() - self.healed_s

    # --- the end -------------------------------------------------------------------------------

    def check(self, patience_s: float) -> list[Violation]:
        """Hold everything against the oracle, until it is quiet and right."""
        self.until("the lag drains", self.places.is_drained, limit_s=patience_s)
        self.watch.stop()
        inspection = Inspection(self.site, self.watch, self.fleet, self.oracle)
        deadline = time.monotonic() + patience_s
        while True:
            found = inspection.look()
            if not found or time.monotonic() > deadline:
                held = inspection.held() if self.violations or found else []
                return [*self.violations, *self.watch.violations, *found, *held]
            time.sleep(_POLL_S)

    def close(self) -> list[Violation]:
        """Stop the workers, which must end well, and remove the topics."""
        numbers = self.fleet.numbers()
        codes = self.fleet.close()
        self.stack.close()
        self.watch.close()
        self.places.close()
        with suppress(Exception):  # the cluster is used again; what is left there does no harm
            delete_topics(self.site)
        return [
            Violation("I7", f"worker {number} is asked to stop", "ends with 0", str(code))
            for number, code in zip(numbers, codes, strict=True)
            if code != 0
        ]


def _true(condition: Callable[[], Any]) -> bool:
    """Ask; a cluster that does not answer says no."""
    with suppress(KafkaException, TimeoutError):
        return bool(condition())
    return False


def _ignore(_: int) -> None:
    """Hear of progress."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
