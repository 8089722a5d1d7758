"""One trace from the input record to the trigger, through the real SDK."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from typing import Any, NamedTuple

import pytest

from agents.engine.transaction import Out
from schemas.codec import Rejection
from schemas.events import CartAdded, Event
from schemas.results import RecommendationTrigger
from streams.results import Results

pytest.importorskip("opentelemetry.sdk", reason="the optional extra `tracing` is not installed")

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agents import tracing
from agents.settings import Settings
from agents.tracing import Traces

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{PARENT}-01".encode()
NOT_SAMPLED = f"00-{TRACE}-{PARENT}-00".encode()


class Record(NamedTuple):
    """A record with headers, as the consumer hands them over."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    headers: tuple[tuple[str, bytes], ...] = ()
    key: bytes | None = None
    value: bytes | None = b"{}"


class Recorder:
    """A task's traces, and what they came to."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.traces = Traces(provider.get_tracer("test"), partition=0)

    def step(self, event: Event | Rejection, traceparent: bytes | None, *causes: str) -> None:
        """Apply one event, which makes a trigger for each cause."""
        now_ms = time.time_ns() // 1_000_000
        headers = () if traceparent is None else (("traceparent", traceparent), ("x", b"\xff"))
        record = Record("live.carts", 0, 7, now_ms - 50, headers)
        results = Results(recommendations=[_trigger(cause) for cause in causes])
        self.traces.stepped([(event, record)], results, time.time_ns())  # type: ignore[list-item]

    def commit(self, *trigger_ids: str) -> list[Out]:
        """Commit these triggers and a changelog record."""
        records = [Out("live.triggers", 0, b"v", b"{}", [("ce_id", i.encode())]) for i in trigger_ids]  # fmt: skip  # noqa: E501
        written = list(self.traces.committing([Out("live.state", 0, b"k", b"v"), *records]))
        self.traces.committed()
        return written

    def spans(self) -> dict[str, Any]:
        """Return the ended spans by name."""
        return {span.name: span for span in self._spans.get_finished_spans()}


@pytest.fixture
def recorder() -> Recorder:
    """Give the traces of one task."""
    return Recorder()


def _event(event_id: str = "e1") -> CartAdded:
    return CartAdded(
        id=event_id, ts=1, session_id="s1", viewer_id="v1", product_id="p", unit_price=1,
        currency="CNY",
    )  # fmt: skip


def _trigger(cause: str) -> RecommendationTrigger:
    return RecommendationTrigger(
        trigger_id=f"t-{cause}", session_id="s1", viewer_id="v1", rule="r", cause_id=cause,
        decided_at=1, expires_at=2, reasons=(), policy_version="1", suggestions=(),
    )  # fmt: skip


def test_a_trigger_carries_the_trace_of_the_record_that_caused_it(recorder: Recorder) -> None:
    """Record, step, commit and sending are one trace, each inside the one before it."""
    recorder.step(_event(), SAMPLED, "e1")
    state, trigger = recorder.commit("t-e1")
    spans = recorder.spans()
    names = ["process live.carts", "step", "commit", "send live.triggers"]
    assert sorted(spans) == sorted(names)
    process, step, commit, send = (spans[name] for name in names)
    assert {f"{span.context.trace_id:032x}" for span in spans.values()} == {TRACE}
    assert [f"{span.parent.span_id:016x}" for span in (process, step, commit, send)] == [
        PARENT,
        *(f"{span.context.span_id:016x}" for span in (process, process, commit)),
    ]
    carried = dict(trigger.headers or [])["traceparent"].decode()
    assert carried == f"00-{TRACE}-{send.context.span_id:016x}-01"
    assert state.headers is None
    assert process.start_time < step.start_time <= step.end_time <= send.start_time


def test_a_trigger_of_a_timer_finds_the_trace_of_its_cause(recorder: Recorder) -> None:
    """A coupon comes half a minute after the cart, many commits later."""
    recorder.step(_event("cart"), SAMPLED)
    recorder.commit()
    recorder.step(_event("other"), None, "cart")
    trigger = recorder.commit("t-cart")[1]
    assert TRACE in dict(trigger.headers or [])["traceparent"].decode()


def test_a_repeat_does_not_take_the_trace_over(recorder: Recorder) -> None:
    """The record that came first is the cause, also for a timer that fires after the repeat."""
    recorder.step(_event(), SAMPLED)
    recorder.step(_event(), SAMPLED.replace(TRACE.encode(), b"1" * 32), "e1")
    trigger = recorder.commit("t-e1")[1]
    assert TRACE in dict(trigger.headers or [])["traceparent"].decode()


@pytest.mark.parametrize("traceparent", [None, NOT_SAMPLED, b"00-nonsense-01", b"\xff\xfe"])
def test_what_its_sender_does_not_follow_is_not_followed(
    recorder: Recorder, traceparent: bytes | None
) -> None:
    """No spans, and the trigger goes out as it is."""
    recorder.step(_event(), traceparent, "e1")
    assert recorder.commit("t-e1")[1].headers == [("ce_id", b"t-e1")]
    assert recorder.spans() == {}


def test_a_refused_record_ends_with_its_reason(recorder: Recorder) -> None:
    """Its trace says why nothing came of it, without the record's text."""
    recorder.step(Rejection("future", "ts of v1"), SAMPLED)
    recorder.commit()
    process = recorder.spans()["process live.carts"]
    assert (process.status.is_ok, process.status.description) == (False, "future")


def test_no_span_names_a_viewer(recorder: Recorder) -> None:
    """Attributes say where the record stands, not whose it is."""
    recorder.step(_event(), SAMPLED, "e1")
    recorder.commit("t-e1")
    said = " ".join(f"{s.name} {dict(s.attributes or {})}" for s in recorder.spans().values())
    assert "v1" not in said
    assert "s1" not in said


def test_only_so_many_causes_are_remembered(recorder: Recorder) -> None:
    """The oldest is forgotten first."""
    for number in range(tracing.REMEMBERED + 1):
        recorder.traces._remember(str(number), None)  # type: ignore[arg-type]
    assert len(recorder.traces._causes) == tracing.REMEMBERED
    assert "0" not in recorder.traces._causes


# --- the exporter ------------------------------------------------------------------------------


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Give the bodies that a real HTTP collector receives."""
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
        port = server.server_address[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        yield received
        server.shutdown()


def test_spans_reach_the_collector_that_is_configured(collector: list[bytes]) -> None:
    """Over OTLP, under the app's name."""
    proto: Any = import_module("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    tracer = tracing.connect(Settings(app_id="pulse"))
    tracer.start_span("hello").end()
    assert tracer.span_processor.force_flush(10_000)  # type: ignore[attr-defined]
    tracer.span_processor.shutdown()  # type: ignore[attr-defined]
    request = proto.ExportTraceServiceRequest.FromString(collector[0])
    [resource] = request.resource_spans
    attributes = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert attributes["service.name"] == "pulse"
    assert resource.scope_spans[0].spans[0].name == "hello"
