"""A cluster of three brokers, each a process that a test kills, freezes and starts again."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

from tests.chaos.offsets import QUICK
from tests.integration.cluster import until
from tests.integration.kafka import SCRIPT, wait_until_it_answers
from tests.ports import free_port

BROKERS = 3
#: A JVM on a busy machine, and the log to be read again after a kill.
START_S = 120.0
#: Of memory, and only as far as it is used; the fault makes it as small as what is on it.
SMALL_DISK_BYTES = 8 << 30
_NEW_MOUNT_NAMESPACE = 0x0002_0000


class Broker:
    """One of the brokers. ``node`` is its id, ``pid`` the JVM's."""

    def __init__(self, directory: Path, node: int, first_port: int) -> None:
        self.node = node
        self.port = first_port + node - 1
        self.home = directory / str(node)
        self._command = [
            sys.executable, str(SCRIPT), "start", "--foreground", "--dir", str(directory),
            "--port", str(first_port), "--brokers", str(BROKERS), "--only", str(node),
        ]  # fmt: skip
        self._script: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """The JVM's process id."""
        return int((self.home / "kafka.pid").read_text().split()[0])

    def start(self) -> None:
        """Start it; ``wait`` says when it answers."""
        self._script = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip

    def wait(self) -> None:
        """Return when it answers."""
        assert self._script is not None
        wait_until_it_answers(self._script)

    def kill(self) -> None:
        """End the JVM as a power cut does."""
        assert self._script is not None
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._script.communicate()

    def stop(self) -> None:
        """Ask it to hand its partitions over and end."""
        assert self._script is not None
        self._script.terminate()
        self._script.communicate()

    def is_up(self) -> bool:
        """Tell whether its process runs."""
        return self._script is not None and self._script.poll() is None

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Leave no room on the small disk that its data are on, for the length of the block."""
        data = self.home / "data"
        until(lambda: "a full disk", lambda: _resized(data, _used(data)))
        try:
            yield
        finally:
            assert _resized(data, SMALL_DISK_BYTES)

    def freeze(self) -> None:
        """Stop it where it stands."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after ``freeze``."""
        os.kill(self.pid, signal.SIGCONT)


class Cluster:
    """Three brokers that keep three copies, of which two must agree."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        first = free_port_row(BROKERS)
        self.small: Broker | None = None  # one whose disk can be filled
        self.brokers = {n: Broker(directory, n, first) for n in range(1, BROKERS + 1)}
        self._asker: Consumer | None = None
        self.bootstrap = ",".join(f"127.0.0.1:{b.port}" for b in self.brokers.values())

    def start(self) -> None:
        """Start what does not run, and wait until all answer and every partition is whole."""
        down = [broker for broker in self.brokers.values() if not broker.is_up()]
        for broker in down:
            broker.start()
        for broker in down:
            broker.wait()
        until(lambda: f"in sync: {self.behind()}", lambda: not self.behind(), limit_s=START_S)

    def stop(self) -> None:
        """End all."""
        for broker in self.brokers.values():
            if broker.is_up():
                broker.kill()

    def admin(self) -> AdminClient:
        """Return a client that changes topics."""
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def metadata(self) -> ClusterMetadata:
        """Return what the cluster says of itself. Raises KafkaException."""
        if self._asker is None:
            self._asker = Consumer(
                {"bootstrap.servers": self.bootstrap, "group.id": "asker"} | QUICK
            )
        return self._asker.list_topics(timeout=5)

    def behind(self) -> list[str]:
        """Return the partitions that lack a copy, and the brokers that are missing."""
        try:
            metadata = self.metadata()
        except KafkaException as error:
            return [str(error)]
        missing = [f"broker {n}" for n in self.brokers if n not in metadata.brokers]
        return missing + [
            f"{topic.topic}/{p.id}"
            for topic in metadata.topics.values()
            for p in topic.partitions.values()
            if len(p.isrs) < len(p.replicas)
        ]

    def leader(self, topic: str, partition: int) -> Broker:
        """Return the broker that leads a partition."""
        topics = self.metadata().topics
        return self.brokers[topics[topic].partitions[partition].leader]

    def transaction_coordinator(self, transactional_id: str) -> Broker:
        """Return the broker that coordinates the transactions of an id."""
        return self._keeper("__transaction_state", transactional_id)

    def group_coordinator(self, group: str) -> Broker:
        """Return the broker that coordinates a group."""
        return self._keeper("__consumer_offsets", group)

    def _keeper(self, topic: str, name: str) -> Broker:
        count = len(self.metadata().topics[topic].partitions)
        return self.leader(topic, _java_hash(name) % count)


def _java_hash(text: str) -> int:
    """Return what Kafka takes of String.hashCode: without its sign."""
    value = 0
    for char in text:
        value = (31 * value + ord(char)) & 0xFFFFFFFF
    return value & 0x7FFFFFFF


def free_port_row(count: int) -> int:
    """Return the first of so many ports in a row that nobody listens on now."""
    while True:
        first = free_port()
        with suppress(OSError, OverflowError):
            for port in range(first + 1, first + count):
                _refuse_taken(port)
            return first


def _refuse_taken(port: int) -> None:
    socket.create_server(("127.0.0.1", port)).close()


@contextmanager
def running_cluster(directory: Path) -> Iterator[Cluster]:
    """Run three brokers that end with the block or this process.

    Raises FileNotFoundError when Java or Maven is not installed.
    """
    cluster = Cluster(directory)
    with ExitStack() as stack:
        small = cluster.brokers[BROKERS]
        if stack.enter_context(_small_disk(small.home / "data")):
            cluster.small = small
        stack.callback(cluster.stop)
        cluster.start()
        yield cluster


@contextmanager
def _small_disk(directory: Path) -> Iterator[bool]:
    """Mount a file system of a limited size, where that is allowed; yield whether it was."""
    directory.mkdir(parents=True)
    mounted = _own_mounts() and not subprocess.call(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "tmpfs", str(directory)]
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(directory)], check=True)


def _used(directory: Path) -> int:
    """Return how many bytes are taken on a file system."""
    disk = os.statvfs(directory)
    return (disk.f_blocks - disk.f_bfree) * disk.f_frsize


def _resized(directory: Path, size: int) -> bool:
    """Give a tmpfs another size; False when more is on it by now."""
    command = ["mount", "-o", f"remount,size={size}", str(directory)]
    return subprocess.call(command, stderr=subprocess.DEVNULL) == 0


def _own_mounts() -> bool:
    """See to it that what is mounted here is gone when this process is; False: not allowed."""
    if ctypes.CDLL(None).unshare(_NEW_MOUNT_NAMESPACE):
        return False
    return not subprocess.call(["mount", "--make-rprivate", "/"])
