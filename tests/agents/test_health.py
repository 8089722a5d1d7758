"""When a worker is alive, started and ready, and what it says when it is not."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents.engine.exposition import Exposition
from agents.metrics.health import LOOP_SILENT_S, TASK_SILENT_S, Health
from agents.metrics.meters import Meters
from agents.metrics.probes import routes, serve
from agents.metrics.redis_meter import RedisMeter
from agents.metrics.vitals import Vitals, registry
from agents.settings import Settings, SettingsError


class Patient:
    """A worker's meters, brought into a state by hand."""

    def __init__(self) -> None:
        self.meters = Meters()
        self.vitals = Vitals(Settings(), "worker")
        self.redis = RedisMeter()
        self.redis.is_up = True
        self.dead: list[str] = []
        self.health = Health(self.meters, self.vitals, self.redis, lambda: self.dead)

    def restoring(self, left: int) -> None:
        """Let task 0 be restored."""
        self.meters.begin(0).restoring(left, 1)

    def running(self) -> None:
        """Let task 0 run."""
        self.meters.begin(0).restore_s = 1.0
        self.meters.assigned()


@pytest.fixture
def patient() -> Patient:
    """Give a worker that has just been started."""
    return Patient()


def test_a_new_worker_is_alive_but_neither_started_nor_ready(patient: Patient) -> None:
    """It waits for its group."""
    assert patient.health.alive().ok
    assert not patient.health.started().ok
    verdict = patient.health.ready()
    assert verdict.reasons == ["the group has not assigned any partitions yet"]


def test_a_restore_says_how_much_is_left(patient: Patient) -> None:
    """Of each task, and of all."""
    patient.restoring(1_234)
    verdict = patient.health.started()
    assert not verdict.ok
    assert verdict.reasons == ["1 tasks restore their state, 1234 records are left"]
    assert verdict.tasks == {"0": "restores, 1234 records left"}


def test_a_worker_with_restored_tasks_is_ready(patient: Patient) -> None:
    """So is one that has none because others have them all."""
    patient.running()
    assert patient.health.started().ok
    assert patient.health.ready().ok
    patient.meters.released()
    patient.meters.ended()
    patient.meters.assigned()
    assert patient.health.ready().ok


def test_a_rebalance_ends_readiness_but_not_the_start(patient: Patient) -> None:
    """What has started once is not killed for being slow the second time."""
    patient.running()
    patient.meters.released()
    assert patient.health.started().ok
    assert patient.health.ready().reasons == ["the group rebalances"]
    patient.restoring(5)
    assert patient.health.started().ok
    assert "5 records" in patient.health.ready().reasons[0]


def test_a_task_that_does_not_come_round_is_not_ready(patient: Patient) -> None:
    """A commit that does not end is no reason to restart: Kafka may be away."""
    patient.running()
    patient.meters.tasks[0].turned_s -= TASK_SILENT_S + 1
    assert "task 0 has neither worked nor committed for 16 s" in patient.health.ready().reasons
    assert patient.health.alive().ok


def test_a_silent_event_loop_is_not_alive(patient: Patient) -> None:
    """Nor ready."""
    patient.running()
    patient.vitals.ticked_s -= LOOP_SILENT_S + 1
    assert patient.health.alive().reasons == ["the event loop has not ticked for 16 s"]
    assert not patient.health.ready().ok


def test_what_has_ended_by_itself_is_named(patient: Patient) -> None:
    """A background task that crashed would be missed by nobody else."""
    patient.running()
    patient.dead.append("the writer of the views")
    assert patient.health.alive().reasons == ["the writer of the views has ended"]


def test_without_redis_it_is_ready_and_says_what_is_lost(patient: Patient) -> None:
    """The stream goes on: taking the worker away would make it worse."""
    patient.running()
    patient.redis.is_up = False
    verdict = patient.health.ready()
    assert verdict.ok
    assert "coupons pause" in verdict.degraded[0]


async def test_the_beat_shows_that_the_loop_is_alive(patient: Patient) -> None:
    """A loop that is held up for a while is late by as much."""
    beat = asyncio.create_task(patient.vitals.beat())
    before = patient.vitals.ticked_s
    await asyncio.sleep(0)
    time.sleep(0.3)  # noqa: ASYNC251 - this is what must not go unseen
    await asyncio.sleep(0.05)  # the beat was due before, so it comes first
    beat.cancel()
    assert patient.vitals.ticked_s > before
    assert patient.vitals.loop_seconds.sum > 0.15


# --- over HTTP --------------------------------------------------------------------------------


@contextmanager
def serving(patient: Patient) -> Iterator[str]:
    """Serve a worker's port for the length of the block."""
    metrics = Exposition(patient.meters, patient.redis, ["live.carts"])
    answers = routes(registry(patient.vitals, metrics), patient.health)
    server = serve("127.0.0.1", 0, answers)
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def get(url: str, accept: str = "") -> tuple[int, str, str]:
    """Return status, content type and body."""
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_probes_answer_200_or_503_with_the_reason(patient: Patient) -> None:
    """Kubernetes reads the status, people read the body."""
    with serving(patient) as url:
        status, kind, body = get(f"{url}/readyz")
        assert (status, kind) == (503, "application/json")
        assert json.loads(body)["reasons"] == ["the group has not assigned any partitions yet"]
        patient.running()
        for path in ("healthz", "readyz", "startupz"):
            assert get(f"{url}/{path}")[0] == 200
        assert get(f"{url}/elsewhere")[0] == 404


def test_openmetrics_is_given_to_who_asks_for_it(patient: Patient) -> None:
    """With exemplars, which the text format does not have."""
    patient.meters.trigger_seconds.observe_example(0.3, {"trigger_id": "t1"}, 1.0)
    with serving(patient) as url:
        _, kind, text = get(f"{url}/metrics")
        assert kind.startswith("text/plain; version=0.0.4")
        assert 'trigger_id="t1"' not in text
        assert list(text_string_to_metric_families(text))
        _, kind, text = get(f"{url}/metrics", "application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert '# {trigger_id="t1"} 0.3 1' in text
    assert text.endswith("# EOF\n")


def test_process_metrics_are_there_and_no_creation_times(patient: Patient) -> None:
    """Restarts are seen by ``process_start_time_seconds``."""
    with serving(patient) as url:
        text = get(f"{url}/metrics")[2]
    assert "process_start_time_seconds" in text
    assert "python_info" in text
    assert "_created" not in text


def test_a_taken_port_is_named(patient: Patient) -> None:
    """The setting to change is told, not a traceback."""
    with serving(patient) as url, pytest.raises(SettingsError, match="LIVEPULSE_METRICS_PORT"):
        serve("127.0.0.1", int(url.rpartition(":")[2]), {})
