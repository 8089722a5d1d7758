"""Workers that come and go share the tasks; nothing is lost, nothing is said twice."""

import time
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.integration.cluster import PARTITIONS, WorkerProcess, new_site, twin, until
from tests.integration.kafka import Kafka
from tests.integration.outcome import (
    agree,
    assert_counts,
    outcome,
    reference,
    wait_closed,
    wait_counted,
)
from tests.integration.slow_worker import RESTORE_S
from tests.integration.world import clock_events, live_world

pytestmark = pytest.mark.kafka


def test_who_keeps_a_task_keeps_its_state(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """When a worker comes or goes, only what moves is restored."""
    site = new_site(kafka, redis_url, tmp_path)
    site.create_topics()
    with site.worker() as first:
        first.ready()
        with site.worker() as second:
            share(first, second)
            assert restored(first, second) == (PARTITIONS, PARTITIONS // 2)
            assert second.stop() == 0
        first.ready()
        assert restored(first, second) == (PARTITIONS * 3 // 2, PARTITIONS // 2)
        assert first.stop() == 0


def test_a_static_member_that_comes_back_disturbs_nobody(
    kafka: Kafka, redis_url: str, tmp_path: Path
) -> None:
    """It has its tasks again before the group has missed it; the others never pause."""
    site = new_site(kafka, redis_url, tmp_path, session_timeout_s=30)
    site.create_topics()
    with site.worker(LIVEPULSE_KAFKA_GROUP_INSTANCE_ID="w0") as first:
        first.ready()
        with site.worker(LIVEPULSE_KAFKA_GROUP_INSTANCE_ID="w1") as second:
            share(first, second)
            second.kill()
        joined = assignments(first)
        with site.worker(LIVEPULSE_KAFKA_GROUP_INSTANCE_ID="w1") as second:
            share(first, second)
        assert assignments(first) == joined


def assignments(worker: WorkerProcess) -> int:
    """Return how often a worker was given partitions."""
    return worker.log.read_text().count("Executing _on_partitions_assigned")


def restored(*workers: WorkerProcess) -> tuple[int, ...]:
    """Return how many tasks each worker has restored."""
    return tuple(worker.log.read_text().count("restored in") for worker in workers)


def test_workers_come_and_go_in_a_backlog(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """One worker, then two, then three, then two: the same triggers, tables and dead letters."""
    site, wanted = reference(kafka, redis_url)
    shared = twin(site, tmp_path)
    slowly = {"LIVEPULSE_COMMIT_INTERVAL_MS": "5"}
    with shared.worker(**slowly) as first, shared.worker(**slowly) as second:
        share(first, second)
        with shared.worker(**slowly) as third:
            share(first, second, third)
            assert second.stop() == 0
            share(first, third)
            wait_closed(shared)
            assert third.stop() == 0
        first.ready()
        assert first.stop() == 0
    agree(outcome(shared), wanted)


def test_workers_come_and_go_in_live_traffic(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """One worker, two, three, two, while events come in: every one counts once."""
    site = new_site(kafka, redis_url, tmp_path)
    site.create_topics()
    with site.worker() as first:
        first.ready()
        world = live_world()
        with site.feeding(world.records) as ended, site.worker() as second:
            share(first, second)
            with site.worker() as third:
                share(first, second, third)
                assert second.stop() == 0
                share(first, third)
                world = world.first(ended())
                wait_counted(site, world)
                assert third.stop() == 0
        first.ready()
        assert first.stop() == 0
    assert_counts(world, outcome(site))


def share(*workers: WorkerProcess) -> None:
    """Wait until the workers have all tasks, each about as many."""
    sizes = {PARTITIONS // len(workers), -(-PARTITIONS // len(workers))}

    def shared() -> bool:
        held = [worker.tasks() for worker in workers]
        return sum(held) == PARTITIONS and set(held) <= sizes

    until(lambda: f"{PARTITIONS} tasks shared by {len(workers)}", shared)


def test_a_long_restore_keeps_its_place_in_the_group(
    kafka: Kafka, redis_url: str, tmp_path: Path
) -> None:
    """Who reads state for longer than a member may be silent is not taken for dead."""
    site = new_site(kafka, redis_url, tmp_path)
    assert site.settings.session_timeout_s < RESTORE_S
    site.create_topics()
    with site.worker(program="tests.integration.slow_worker") as worker:
        worker.ready()
        assert worker.log.read_text().count("restored in") == PARTITIONS
        assert worker.stop() == 0


def test_a_worker_is_stopped_while_it_restores(
    kafka: Kafka, redis_url: str, tmp_path: Path
) -> None:
    """It has nothing to commit yet, and leaves at once."""
    site = new_site(kafka, redis_url, tmp_path)
    site.create_topics()
    with site.worker(program="tests.integration.slow_worker") as worker:
        until(worker.last_words, lambda: "on_partitions_assigned" in worker.log.read_text())
        assert worker.stop() == 0
        assert "restored in" not in worker.log.read_text()


def test_a_fenced_worker_ends_without_a_commit(
    kafka: Kafka, redis_url: str, tmp_path: Path
) -> None:
    """Who has the transactional id of a task has the task: the former owner gives up, loudly."""
    site = new_site(kafka, redis_url, tmp_path)
    site.create_topics()
    now_ms = time.time_ns() // 1_000_000
    with site.worker() as worker:
        worker.ready()
        site.feed(clock_events(now_ms, PARTITIONS))
        site.settle()
        before, written = site.committed(), site.ends(*site.output_topics)
        Producer(
            site.settings.confluent_config() | {"transactional.id": f"{site.settings.app_id}-0"}
        ).init_transactions(10)
        site.feed(clock_events(now_ms + 20_000, PARTITIONS))
        assert worker.exit_code() == 1
    host_and_mine = {place: offset for place, offset in site.committed().items() if place[1] == 0}
    assert host_and_mine == {place: before[place] for place in host_and_mine}
    zero = {k: v for k, v in site.ends(*site.output_topics).items() if k[1] == 0}
    assert zero == {k: v for k, v in written.items() if k[1] == 0}
    assert "task 0 failed" in worker.log.read_text()
    assert "fenced" in worker.log.read_text().lower()
