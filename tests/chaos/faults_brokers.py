"""Faults of brokers: killed, restarted, frozen, slow, full, and refusing what is written.

A worker may end by itself here, when a commit fails; it is started again, as everywhere.
"""

from contextlib import suppress

from confluent_kafka import KafkaException
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.chaos.brokers import Broker, Cluster
from tests.chaos.checker import Violation
from tests.chaos.engine import Engine
from tests.chaos.faults import Impossible, fault
from tests.chaos.proxy import Detour
from tests.chaos.run import Run

#: Less than a changelog batch has.
TINY_BYTES = 300
#: What a request to the slow broker, and its answer, take longer.
DELAY_S = 0.3


def _state_leader(run: Run) -> Broker:
    topic = run.site.settings.topic_of("state")
    return run.cluster.leader(topic, run.dice.randrange(run.site.settings.partitions))


@fault(10)
def broker_leader_killed(run: Run) -> None:
    """Kill -9 of the broker that leads a partition of the changelog."""
    run.wait(1.0, 3.0)
    _state_leader(run).kill()


@fault(6)
def transaction_coordinator_killed(run: Run) -> None:
    """Kill -9 of the broker that coordinates a task's transactions."""
    run.wait(1.0, 3.0)
    task = run.dice.randrange(run.site.settings.partitions)
    run.cluster.transaction_coordinator(f"{run.site.settings.app_id}-{task}").kill()


@fault(4)
def group_coordinator_killed(run: Run) -> None:
    """Kill -9 of the broker that coordinates the workers' group."""
    run.wait(1.0, 3.0)
    run.cluster.group_coordinator(run.site.settings.app_id).kill()


@fault(3)
def two_brokers_killed(run: Run) -> None:
    """Kill -9 of two of three: nothing is committed until one is back."""
    run.wait(1.0, 3.0)
    victims = run.dice.sample(sorted(run.cluster.brokers), 2)
    for node in victims:
        run.cluster.brokers[node].kill()
    run.wait(2.0)
    before = _progress(run)
    run.wait(3.0, 6.0)
    after = _progress(run)
    if None not in (before, after) and before != after:
        run.violations.append(
            Violation("I4", "one broker of three", "commits nothing", f"{before} to {after}")
        )
    run.cluster.start()


def _progress(run: Run) -> int | None:
    """Return how far the group is, None when nobody can tell."""
    with suppress(KafkaException):
        return run.progress()
    return None


@fault(3)
def rolling_brokers(run: Run) -> None:
    """Every broker is asked to end and started again, one after the other."""
    for broker in run.cluster.brokers.values():
        run.wait(0.5, 1.5)
        broker.stop()
        run.cluster.start()


@fault(4)
def broker_frozen(run: Run) -> None:
    """SIGSTOP of a leader for longer than its session, then SIGCONT."""
    run.wait(1.0, 3.0)
    broker = _state_leader(run)
    broker.freeze()
    run.wait(8.0, 10.0)
    broker.thaw()


# --- slow --------------------------------------------------------------------------------------


def _slow_way(run: Run) -> None:
    """Let the workers reach one broker through a proxy only."""
    broker = run.dice.choice(list(run.cluster.brokers.values()))
    run.detour = run.stack.enter_context(Detour(broker.port))
    engine = Engine(detours={broker.port: run.detour.port})
    run.fleet.engines.default_factory = lambda: engine


@fault(6, prepare=_slow_way)
def slow_broker(run: Run) -> None:
    """Let everything to and from one broker take 0.3 s longer, for some seconds."""
    assert run.detour is not None
    run.wait(1.0, 2.0)
    run.detour.delay(DELAY_S)
    run.wait(5.0, 8.0)
    run.detour.delay(0.0)


# --- refused -----------------------------------------------------------------------------------


@fault(6)
def produce_too_large(run: Run) -> None:
    """Let the brokers refuse the changelog's batches: the workers end without a commit."""
    run.wait(1.0, 2.0)
    topic = run.site.settings.topic_of("state")
    _limit(run.cluster, topic, TINY_BYTES)
    run.until("a worker gives up", lambda: any(not end.asked for end in run.fleet.ends))
    run.wait(1.0, 2.0)
    _limit(run.cluster, topic, 4 << 20)


def _limit(cluster: Cluster, topic: str, most_bytes: int) -> None:
    entry = ConfigEntry(
        "max.message.bytes", str(most_bytes), incremental_operation=AlterConfigOpType.SET
    )
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    client = cluster.admin()  # its answers die with it
    for done in client.incremental_alter_configs([resource]).values():
        done.result()


def _small_disk(run: Run) -> None:
    """Say so when there is no disk that can be filled."""
    if run.cluster.small is None:
        raise Impossible("no file system of a limited size can be mounted here")


@fault(4, prepare=_small_disk)
def disk_full(run: Run) -> None:
    """Fill the disk of a broker that leads partitions of the changelog; free it, start it again."""
    run.wait(1.0, 2.0)
    broker = run.cluster.small
    assert broker is not None
    with broker.full_disk():
        run.until("the broker gives up", lambda: not broker.is_up(), limit_s=20.0)
        broker.kill()


# --- unreadable --------------------------------------------------------------------------------


@fault(6)
def changelog_unreadable(run: Run) -> None:
    """Spoil a record of the changelog: no worker may run that task, and it says which."""
    run.wait(2.0, 3.0)
    partition = run.dice.randrange(run.site.settings.partitions)
    run.fleet.pause_keeping()
    run.fleet.each(run.fleet.kill)
    newest = {
        record.key: record.value
        for record in run.site.read(run.site.settings.topic_of("state"))
        if record.partition == partition and record.value is not None
    }
    key = run.dice.choice(sorted(k for k in newest if k is not None))
    before = _of(run, partition)
    run.put_state(partition, key, b"\xc1 spoilt")
    run.fleet.go_on()
    run.until(
        "a worker refuses, naming the task",
        lambda: _said(run, f"task {partition} cannot start: ValueError: changelog record"),
    )
    run.expect("offsets of the task", before, _of(run, partition))
    run.put_state(partition, key, newest[key] or b"")


def _said(run: Run, words: str) -> bool:
    """Tell whether a worker's log has the words."""
    logs = run.site.directory.glob("worker-*.log")
    return any(words in log.read_text(errors="replace") for log in logs)


def _of(run: Run, partition: int) -> dict[str, int]:
    return {topic: end for (topic, p), end in run.places.committed().items() if p == partition}
