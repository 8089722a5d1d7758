"""Workers on a real Kafka and a real Redis, with topics of their own, and what came of them.

A test makes a ``Site`` (settings that nobody else uses), feeds it, runs workers as processes
of their own, and reads what was committed. Nothing sleeps: ``until`` waits for what is meant.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from msgspec import structs

from agents import admin, topics
from agents.recording import Record
from agents.settings import Settings
from agents.simulator.sending import send
from schemas.events import EVENT_TYPES
from schemas.results import RESULT_TYPES
from tests.integration.kafka import Kafka
from tests.ports import free_port

PARTITIONS = 6
START_S = 40.0
STOP_S = 10.0
PATIENCE_S = 40.0
_POLL_S = 0.1
_ROOT = Path(__file__).parents[2]
_TROUBLE = re.compile(r"^(Traceback|.*(crashed:|\"(error|critical)\"))", re.MULTILINE)

T = TypeVar("T")


def until(what: Callable[[], str], condition: Callable[[], T], *, limit_s: float = PATIENCE_S) -> T:
    """Return the condition's first true value. Raises AssertionError that says what was awaited."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still waiting after {limit_s} s: {what()}"
        time.sleep(_POLL_S)
    return value


class Said(NamedTuple):
    """A committed record, with its headers as a dict."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


class Site:
    """One deployment: an app id, its topics, its keys in Redis."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self.settings = settings
        self.directory = directory
        self._admin = AdminClient(settings.confluent_config())
        self.input_topics = sorted({settings.topic_of(kind.__name__) for kind in EVENT_TYPES})
        self.output_topics = sorted({settings.topic_of(k.__name__) for k in RESULT_TYPES.values()})

    # --- topics and records --------------------------------------------------------------------

    def create_topics(self, *, arrival_time: bool = True) -> None:
        """Make what is missing; without ``arrival_time`` records keep the times they are given."""
        specs = topics.topics(self.settings)
        if not arrival_time:
            specs = [structs.replace(spec, config=_without_arrival(spec.config)) for spec in specs]
        with admin.open_admin(self.settings) as client:
            found = admin.existing(client, [spec.name for spec in specs])
            missing = [spec for spec in specs if spec.name not in found]
            admin.create(client, missing, dry_run=False)

    def make_anew(self, *names: str) -> None:
        """Delete topics and make them again, empty."""
        for deleted in self._admin.delete_topics(list(names)).values():
            deleted.result()
        left = set(names)
        until(
            lambda: f"deleted: {left}", lambda: not left & self._admin.list_topics().topics.keys()
        )
        self.create_topics()

    def feed(
        self, records: Iterable[Record], *, paced: bool = False, stop: threading.Event | None = None
    ) -> int:
        """Produce records as the simulator does; they name types' default topics."""
        prefix = self.settings.topic_of("ViewerEntered").removesuffix("visits")
        config = self.settings.confluent_config() | {"message.max.bytes": 4 << 20}
        return send(
            (structs.replace(r, topic=prefix + r.topic.removeprefix("live.")) for r in records),
            producer_config=config,
            rate=1.0 if paced else 0.0,
            on_progress=lambda _: None,
            stop=stop,
        )

    @contextmanager
    def feeding(self, records: Iterable[Record]) -> Iterator[Callable[[], int]]:
        """Produce records at their own pace; what is yielded ends that and tells how many went."""
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            sent = pool.submit(self.feed, records, paced=True, stop=stop)

            def ended() -> int:
                assert not sent.done(), "there was nothing left to send: give it more records"
                stop.set()
                return sent.result()

            try:
                yield ended
            finally:
                stop.set()

    def read(self, *names: str) -> list[Said]:
        """Read topics from start to end as a careful consumer does: read_committed."""
        return list(_read(self.settings, names))

    def ends(self, *names: str) -> dict[tuple[str, int], int]:
        """Return the offset after the last committed record of each partition that has one."""
        return {(r.topic, r.partition): r.offset + 1 for r in self.read(*names)}

    def committed(self) -> dict[tuple[str, int], int]:
        """Return the group's committed offsets."""
        group = ConsumerGroupTopicPartitions(self.settings.app_id)
        answer = next(iter(self._admin.list_consumer_group_offsets([group]).values())).result()
        return {
            (tp.topic, tp.partition): tp.offset for tp in answer.topic_partitions if tp.offset >= 0
        }

    def forget_offsets(self) -> None:
        """Let the group's coordinator forget what was committed; nobody may be in the group."""
        next(iter(self._admin.delete_consumer_groups([self.settings.app_id]).values())).result()

    def behind(self, wanted: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        """Return the group's offsets where they are lower than these; -1 for none."""
        reached = self.committed()
        return {
            place: reached.get(place, -1)
            for place, offset in wanted.items()
            if reached.get(place, -1) < offset
        }

    def wait_committed(self, wanted: dict[tuple[str, int], int]) -> None:
        """Wait until the group is past all these offsets."""
        until(
            lambda: f"committed, still at: {self.behind(wanted)}", lambda: not self.behind(wanted)
        )

    def settle(self) -> None:
        """Wait until all input is applied, then until all totals of it are in the rows."""
        host = self.settings.topic_of("SessionStarted")
        inputs = self.ends(*(t for t in self.input_topics if t != host))
        self.wait_committed(inputs)
        totals = self.ends(self.settings.topic_of("window-totals"))
        self.wait_committed(totals)

    # --- workers -----------------------------------------------------------------------------

    @contextmanager
    def worker(self, *, program: str = "agents.cli", **variables: str) -> Iterator["WorkerProcess"]:
        """Run a worker for the length of the block, unless the test ends it before."""
        worker = WorkerProcess(self.settings, self.directory, variables, program)
        try:
            yield worker
        finally:
            worker.kill()


class WorkerProcess:
    """``livepulse worker`` in a process of its own, which dies with the tests."""

    def __init__(
        self,
        settings: Settings,
        directory: Path,
        variables: dict[str, str],
        program: str = "agents.cli",
    ) -> None:
        self.started_s = time.monotonic()
        self._port = free_port()
        self.log = directory / f"worker-{uuid.uuid4().hex[:6]}.log"
        command = [sys.executable, "-m", program, "worker", "--metrics-port", str(self._port)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                cwd=directory,
                env=_environment(settings) | variables,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def metrics_text(self) -> bytes:
        """Return what a scrape sees; nothing while the port is closed."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics") as answer:
                return bytes(answer.read())
        except OSError:
            return b""

    def metrics(self) -> Counter[str]:
        """Return the samples by name with labels; none while the port is closed."""
        found: Counter[str] = Counter()
        for line in self.metrics_text().decode().splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] += float(value)  # type: ignore[assignment]
        return found

    def total(self, name: str) -> int:
        """Return a counter's sum over its labels."""
        return int(sum(v for key, v in self.metrics().items() if key.split("{")[0] == name))

    def tasks(self) -> int:
        """Return how many tasks run here. Raises AssertionError when the worker has ended."""
        assert self._process.poll() is None, f"the worker has ended:\n{self.last_words()}"
        return self.total("livepulse_tasks")

    def ready(self, tasks: int = PARTITIONS) -> "WorkerProcess":
        """Wait until the worker runs so many tasks."""
        until(
            lambda: f"{tasks} tasks run\n{self.last_words()}",
            lambda: self.tasks() == tasks,
            limit_s=START_S,
        )
        return self

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end, and return its exit code. Raises TimeoutExpired after ``STOP_S``."""
        self._process.send_signal(signal.SIGTERM)
        return self.exit_code()

    def exit_code(self, *, limit_s: float = STOP_S) -> int:
        """Wait for its end."""
        return self._process.wait(limit_s)

    def last_words(self) -> str:
        """Return the first error in its log with what follows, or the log's end without one."""
        text = self.log.read_text(errors="replace")
        found = _TROUBLE.search(text)
        return text[found.start() :][:6_000] if found else text[-3_000:]


def new_site(kafka: Kafka, redis_url: str, directory: Path, **changes: Any) -> Site:
    """Return a site whose app id, topics and keys nobody else has."""
    name = f"it-{uuid.uuid4().hex[:8]}"
    settings = Settings(
        kafka_bootstrap=kafka.bootstrap, redis_url=redis_url, redis_prefix=name, app_id=name,
        topic_prefix=f"{name}.", partitions=PARTITIONS, session_timeout_s=6,
    )  # fmt: skip
    return Site(structs.replace(settings, **changes), directory)


def twin(site: Site, directory: Path) -> Site:
    """Return a site that reads the same input and has everything else of its own."""
    kinds = {kind.__name__: site.settings.topic_of(kind.__name__) for kind in EVENT_TYPES}
    name = f"it-{uuid.uuid4().hex[:8]}"
    own = {"app_id": name, "redis_prefix": name, "topic_prefix": f"{name}.", "topics": kinds}
    copy = Site(structs.replace(site.settings, **own), directory)
    copy.create_topics()
    return copy


def _without_arrival(config: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in config.items() if key != "message.timestamp.type"}


def _environment(settings: Settings) -> dict[str, str]:
    """Return this process's environment with the settings in place of its own."""
    others = {key: v for key, v in os.environ.items() if not key.startswith("LIVEPULSE_")}
    given = {
        name: json.dumps(value) if isinstance(value, dict) else str(value)
        for name, value in structs.asdict(settings).items()
        if name != "policy" and value is not None and value != {}
    }
    ours = {f"LIVEPULSE_{name.upper()}": value for name, value in given.items()}
    return others | ours | {"PYTHONPATH": str(_ROOT)}  # workers run elsewhere


@contextmanager
def _consumer(settings: Settings) -> Iterator[Consumer]:
    own = {
        "group.id": f"{settings.app_id}-reader",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
    }
    consumer = Consumer(settings.confluent_config() | own)
    try:
        yield consumer
    finally:
        consumer.close()


def _read(settings: Settings, names: Iterable[str]) -> Iterator[Said]:
    left = {(name, p) for name in names for p in range(settings.partitions)}
    with _consumer(settings) as consumer:
        consumer.assign([TopicPartition(name, p, 0) for name, p in sorted(left)])
        deadline = time.monotonic() + PATIENCE_S
        while left:
            assert time.monotonic() < deadline, f"not read to the end: {sorted(left)}"
            for message in consumer.consume(1_000, timeout=0.2):
                error = message.error()
                if error is None:
                    headers = dict(message.headers() or ())
                    yield Said(
                        message.topic(), message.partition(), message.offset(),
                        message.key(), message.value(), headers,
                    )  # fmt: skip
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard((message.topic(), message.partition()))
                else:
                    raise AssertionError(error.str())


def decoded(said: Iterable[Said], kind: type[T]) -> list[T]:
    """Decode records of one result type."""
    decoder = msgspec.json.Decoder(kind)
    return [decoder.decode(record.value or b"") for record in said]
