"""The metrics port of a real worker: the contract, lag while it hangs, losses, health, traces."""

import json
import os
import shutil
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from agents.simulator.sending import PRODUCER_DEFAULTS
from tests.deploy.metrics_table import documented
from tests.integration.cluster import (
    PARTITIONS,
    Site,
    WorkerProcess,
    new_site,
    until,
)
from tests.integration.kafka import Kafka
from tests.integration.world import recorded_world
from tests.redis_server import newest, running

pytestmark = pytest.mark.kafka

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
HANG_S = 25
#: Lets a signal (Faust takes the usual ones) hold the main thread, and so the event loop.
HANG = signal.SIGRTMIN + 2
HANGING = f"import signal, time\nsignal.signal({HANG:d}, lambda *_: time.sleep({HANG_S}))\n"


@pytest.fixture
def site(kafka: Kafka, redis_url: str, tmp_path: Path) -> Site:
    """Give a site with topics."""
    made = new_site(kafka, redis_url, tmp_path)
    made.create_topics(arrival_time=False)
    return made


def get(worker: WorkerProcess, path: str, accept: str = "") -> tuple[int, str]:
    """Return status and body of the worker's port; 0 while it is closed."""
    url = f"http://127.0.0.1:{worker._port}{path}"
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers={"Accept": accept}), timeout=10
        ) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def verdict(worker: WorkerProcess, path: str) -> tuple[int, dict[str, Any]]:
    """Return status and verdict of a probe."""
    status, body = get(worker, path)
    return status, json.loads(body) if status else {}


# --- the contract --------------------------------------------------------------------------------


def test_a_worker_exports_what_the_contract_says(site: Site) -> None:
    """Every metric with its labels, no other of ours, and a bit of everything is counted."""
    site.feed(recorded_world().records[:8_000])
    with site.worker() as worker:
        assert verdict(worker, "/readyz")[0] in {0, 503}
        worker.ready()
        assert until(lambda: get(worker, "/readyz")[1], lambda: get(worker, "/readyz")[0] == 200)
        assert get(worker, "/startupz")[0] == get(worker, "/healthz")[0] == 200
        site.settle()
        until(lambda: "no lag", lambda: worker.total("livepulse_lag_records") == 0)
        until(lambda: "ends", lambda: worker.total("livepulse_end_offset") > 0)
        sizes = ("livepulse_state_records", "livepulse_timers", "livepulse_sessions")
        until(lambda: "sizes", lambda: all(worker.total(name) > 0 for name in sizes))
        _, text = get(worker, "/metrics", OPENMETRICS)
        _, plain = get(worker, "/metrics")
        assert worker.stop() == 0
    parsed = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    families = {family.name: family for family in parsed}
    ours = {name for name in families if name.startswith("livepulse_")}
    wanted = documented("worker")
    assert ours == {name.removesuffix("_total") for name in wanted}
    for name, one in wanted.items():
        family = families[name.removesuffix("_total")]
        assert family.type == one.type, name
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == one.labels, name
    _assert_counted(families)
    _assert_linted(plain)


def _assert_counted(families: dict[str, Any]) -> None:
    """Check that nothing is at zero which a run over real input must have moved."""
    for name in (
        "events", "results", "decisions", "event_to_trigger_seconds", "event_time_lag_seconds",
        "final_row_delay_seconds", "commit_seconds", "records_written", "bytes_written",
        "state_records", "state_bytes", "timers", "sessions", "partitions", "tasks", "redis_up",
        "redis_seconds", "end_offset", "committed_offset", "watermark_timestamp_seconds",
        "last_commit_timestamp_seconds", "last_event_timestamp_seconds",
        "offsets_timestamp_seconds", "event_loop_lag_seconds", "dead_letters", "duplicates",
    ):  # fmt: skip
        assert any(s.value > 0 for s in families[f"livepulse_{name}"].samples), name
    buckets = families["livepulse_event_to_trigger_seconds"].samples
    assert any(s.exemplar and s.exemplar.labels.get("trigger_id") for s in buckets)


def _assert_linted(text: str) -> None:
    """Debian's promtool has nothing to say."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt install prometheus")
    lint = subprocess.run(
        [promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )
    assert (lint.returncode, lint.stdout + lint.stderr) == (0, "")


# --- what goes wrong -----------------------------------------------------------------------------


def test_a_hanging_worker_shows_growing_lag_and_is_not_alive(site: Site, tmp_path: Path) -> None:
    """The event loop stands still; ends, lag and probes come from other threads."""
    (tmp_path / "sitecustomize.py").write_text(HANGING)
    with site.worker(PYTHONPATH=str(tmp_path)) as worker:
        worker.ready()
        site.feed(recorded_world().records[:1_000])
        site.settle()
        until(lambda: "no lag", lambda: worker.total("livepulse_lag_records") == 0)
        worker._process.send_signal(HANG)
        committed = worker.total("livepulse_committed_offset")
        site.feed(recorded_world().records[1_000:3_000])
        until(
            lambda: "lag",
            lambda: worker.total("livepulse_lag_records") > 1_500,
            limit_s=HANG_S - 5,
        )
        assert worker.total("livepulse_committed_offset") == committed
        until(
            lambda: "it is not alive",
            lambda: verdict(worker, "/healthz")[0] == 503,
            limit_s=HANG_S,
        )
        assert "event loop has not ticked" in verdict(worker, "/healthz")[1]["reasons"][0]
        assert get(worker, "/readyz")[0] == 503
        until(lambda: "it goes on", lambda: get(worker, "/readyz")[0] == 200)
        until(lambda: "no lag", lambda: worker.total("livepulse_lag_records") == 0)


def test_records_that_were_deleted_unread_are_counted(site: Site) -> None:
    """Retention overtakes a worker that is away: so many are lost, and it says so."""
    topic = site.settings.topic_of("ViewerEntered")
    records = recorded_world().records
    with site.worker() as worker:
        worker.ready()
        site.feed(records[:2_000])
        site.settle()
        assert worker.stop() == 0
    read = site.committed()
    site.feed(records[2_000:6_000])
    ends = site.ends(topic)
    half = {p: (read[topic, p] + ends[topic, p]) // 2 for p in range(PARTITIONS)}
    admin = AdminClient(site.settings.confluent_config())
    for done in admin.delete_records([TopicPartition(topic, p, o) for p, o in half.items()]).values():  # fmt: skip  # noqa: E501
        done.result()
    with site.worker() as worker:
        worker.ready()
        lost = sum(offset - read[topic, p] for p, offset in half.items())
        until(
            lambda: f"{lost} lost, {worker.total('livepulse_lost_records_total')}",
            lambda: worker.total("livepulse_lost_records_total") == lost,
        )
        site.settle()
        assert worker.total("livepulse_lost_records_total") == lost


def test_without_redis_a_worker_is_ready_and_degraded(kafka: Kafka, tmp_path: Path) -> None:
    """It says what is lost, counts the failures, and says when it is back."""
    with running(newest()) as server:
        site = new_site(kafka, server.url, tmp_path)
        site.create_topics()
        with site.worker() as worker:
            worker.ready()
            until(lambda: "redis", lambda: worker.total("livepulse_redis_up") == 1)
            server.kill()
            until(lambda: "no redis", lambda: worker.total("livepulse_redis_up") == 0)
            status, said = verdict(worker, "/readyz")
            assert status == 200
            assert "Redis does not answer" in said["degraded"][0]
            server.start()
            until(lambda: "redis again", lambda: worker.total("livepulse_redis_up") == 1)
            assert verdict(worker, "/readyz")[1]["degraded"] == []


def test_a_rebalance_is_counted_with_its_duration(site: Site) -> None:
    """A second worker takes half: the first one loses its assignment and gets another."""
    with site.worker() as first:
        first.ready()
        assert first.total("livepulse_rebalance_seconds_count") == 0
        with site.worker() as second:
            second.ready(PARTITIONS // 2)
            until(lambda: "the first one", lambda: first.tasks() == PARTITIONS // 2)
            counted = "livepulse_rebalance_seconds_count"
            until(lambda: "a rebalance", lambda: first.total(counted) >= 1)
            assert second.total("livepulse_rebalance_seconds_count") == 0
            assert first.total("livepulse_partitions") == PARTITIONS


# --- logs and traces -----------------------------------------------------------------------------


def test_a_log_is_one_json_object_a_line_and_names_no_viewer(site: Site) -> None:
    """Not on a terminal: so it is for machines."""
    records = recorded_world().records[:3_000]
    site.feed(records)
    with site.worker(LIVEPULSE_LOG_LEVEL="DEBUG") as worker:
        worker.ready()
        site.settle()
        assert worker.stop() == 0
        log = worker.log.read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    restored = [line for line in lines if "records restored" in line["message"]]
    assert sorted(line["task"] for line in restored) == list(range(PARTITIONS))
    assert {line["correlation_id"] for line in restored} == {
        f"{site.settings.app_id}/{p}/1" for p in range(PARTITIONS)
    }
    viewers = {record.key.decode() for record in records if record.key}
    assert [viewer for viewer in viewers if viewer in log] == []


@contextmanager
def collecting() -> Iterator[tuple[str, list[bytes]]]:
    """Give the address of an OTLP collector, and what it has received."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", received
        server.shutdown()


def test_a_trace_goes_from_the_input_record_to_the_trigger(site: Site) -> None:
    """Each record is sent with a trace of its own; each trigger goes on with its cause's."""
    pytest.importorskip("opentelemetry.sdk", reason="the extra `tracing` is not installed")
    traces = _feed_traced(site)
    with collecting() as (address, received), site.worker(
        LIVEPULSE_TRACING="true", OTEL_EXPORTER_OTLP_ENDPOINT=address,
        OTEL_BSP_SCHEDULE_DELAY="200", OTEL_BSP_MAX_QUEUE_SIZE="200000",
        PYTHONPATH=os.environ.get("PYTHONPATH", ""),
    ) as worker:  # fmt: skip
        worker.ready()
        site.settle()
        triggers = site.read(*(site.settings.topic_of(n) for n in ("CouponTrigger", "RecommendationTrigger")))  # fmt: skip  # noqa: E501
        until(lambda: "spans", lambda: received)
        assert worker.stop() == 0
    assert len(triggers) > 10
    for said in triggers:
        cause = msgspec.json.decode(said.value or b"")["cause_id"]
        assert said.headers["traceparent"].decode().split("-")[1] == traces[cause]
    sent = {bytes.fromhex(traces[msgspec.json.decode(t.value or b"")["cause_id"]]) for t in triggers}  # fmt: skip  # noqa: E501
    body = b"".join(received)
    assert all(trace in body for trace in sent)
    assert all(name in body for name in (b"step", b"commit", b"process ", b"send "))


def _feed_traced(site: Site) -> dict[str, str]:
    """Produce records with a ``traceparent`` each; returns the trace by event id."""
    traces: dict[str, str] = {}
    prefix = site.settings.topic_of("ViewerEntered").removesuffix("visits")
    producer = Producer(PRODUCER_DEFAULTS | site.settings.confluent_config())
    for number, record in enumerate(recorded_world().records[:20_000], start=1):
        trace = f"{number:032x}"
        try:
            traces.setdefault(msgspec.json.decode(record.value or b"")["id"], trace)
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError):
            continue  # one of the broken ones
        topic = prefix + record.topic.removeprefix("live.")
        headers = [("traceparent", f"00-{trace}-{number:016x}-01".encode())]
        producer.produce(topic, record.value, record.key, headers=headers, timestamp=record.timestamp)  # fmt: skip  # noqa: E501
        producer.poll(0)
    assert producer.flush(30) == 0
    return traces
