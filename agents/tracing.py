"""OpenTelemetry traces on demand: input record -> step -> commit -> trigger, in one trace.

A record whose W3C ``traceparent`` header says "sampled" is followed, and so is the trigger that
it causes, minutes later if need be: the trigger carries the ``traceparent`` on. Who decides what
is sampled is who sends the record. No viewer is named in a span.

Only imported when tracing is on: OpenTelemetry is an optional dependency.
"""

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanContext, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from agents.engine.transaction import Out
from agents.settings import Settings
from schemas.codec import Rejection
from streams.records import Arrival, Record
from streams.results import Results

#: So many causes are remembered: a coupon comes half a minute after the cart that it is for.
REMEMBERED = 10_000
_HEADERS = frozenset({"traceparent", "tracestate"})
_SYSTEM = {"messaging.system": "kafka"}

_w3c = TraceContextTextMapPropagator()


def connect(settings: Settings) -> Tracer:
    """Return a tracer that sends to the collector which OpenTelemetry's own variables name."""
    provider = TracerProvider(resource=Resource.create({"service.name": settings.app_id}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("livepulse")


class Traces:
    """Follows the sampled records of one task."""

    def __init__(self, tracer: Tracer, partition: int) -> None:
        self._tracer = tracer
        self._partition = partition
        self._causes: OrderedDict[str, SpanContext] = OrderedDict()
        self._processed: list[SpanContext] = []  # since the last commit
        self._triggers: dict[str, SpanContext] = {}  # what caused each, since the last commit
        self._open: list[Span] = []  # of the commit under way

    def stepped(self, arrivals: Sequence[Arrival], results: Results, began_ns: int) -> None:
        """Follow the sampled records of a step, which began at ``began_ns`` of the day."""
        ended_ns = time.time_ns()
        for event, record in arrivals:
            sender = _sampled(record) if record.partition == self._partition else None
            if sender is not None:
                refusal = event if isinstance(event, Rejection) else None
                span = self._process(record, sender, refusal, began_ns, ended_ns)
                self._processed.append(span)
                if not isinstance(event, Rejection):
                    self._remember(event.id, span)
        for trigger in (*results.coupons, *results.recommendations):
            cause = self._causes.get(trigger.cause_id)
            if cause is not None:
                self._triggers[trigger.trigger_id] = cause

    def committing(self, records: Iterable[Out]) -> Iterator[Out]:
        """Begin the spans of a commit, and let its triggers carry their trace on."""
        causes = {one.span_id: one for one in (*self._processed, *self._triggers.values())}
        commits = {span_id: self._begin("commit", one) for span_id, one in causes.items()}
        for record in records:
            cause = self._triggers.get(_event_id(record)) if self._triggers else None
            if cause is None:
                yield record
            else:
                sent = self._send(record, commits[cause.span_id].get_span_context())
                yield record._replace(headers=[*(record.headers or ()), *_headers(sent)])

    def committed(self) -> None:
        """End the spans of the commit."""
        for span in reversed(self._open):
            span.end()
        self._open, self._processed, self._triggers = [], [], {}

    def _process(
        self, record: Record, sender: Context, refusal: Rejection | None, began_ns: int,
        ended_ns: int,
    ) -> SpanContext:  # fmt: skip
        """Make the spans of a record: from its arrival, with the step in it."""
        span = self._tracer.start_span(
            f"process {record.topic}", sender, SpanKind.CONSUMER,
            attributes=_SYSTEM | {
                "messaging.destination.name": record.topic,
                "messaging.destination.partition.id": str(record.partition),
                "messaging.kafka.offset": record.offset,
            },
            start_time=min(record.timestamp * 1_000_000, began_ns),
        )  # fmt: skip
        if refusal is not None:
            span.set_status(StatusCode.ERROR, refusal.reason)
        inside = trace.set_span_in_context(span)
        self._tracer.start_span("step", inside, start_time=began_ns).end(ended_ns)
        span.end(ended_ns)
        return span.get_span_context()

    def _remember(self, event_id: str, span: SpanContext) -> None:
        self._causes.setdefault(event_id, span)  # a repeat causes nothing
        if len(self._causes) > REMEMBERED:
            self._causes.popitem(last=False)

    def _send(self, record: Out, commit: SpanContext) -> Span:
        about = _SYSTEM | {"messaging.destination.name": record.topic}
        return self._begin(f"send {record.topic}", commit, SpanKind.PRODUCER, about)

    def _begin(
        self,
        name: str,
        parent: SpanContext,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: dict[str, str] | None = None,
    ) -> Span:
        inside = trace.set_span_in_context(trace.NonRecordingSpan(parent))
        span = self._tracer.start_span(name, inside, kind, attributes=attributes)
        self._open.append(span)
        return span


def _sampled(record: Record) -> Context | None:
    """Return the trace that a record belongs to, if its sender wants it to be followed."""
    headers = getattr(record, "headers", None)
    if not headers:
        return None
    carrier = {
        name: value.decode("ascii", "replace") for name, value in headers if name in _HEADERS
    }
    context = _w3c.extract(carrier)
    sender = trace.get_current_span(context).get_span_context()
    return context if sender.is_valid and sender.trace_flags.sampled else None


def _headers(span: Span) -> list[tuple[str, bytes]]:
    carrier: dict[str, str] = {}
    _w3c.inject(carrier, trace.set_span_in_context(span))
    return [(name, value.encode()) for name, value in carrier.items()]


def _event_id(record: Out) -> str:
    return next((value.decode() for name, value in record.headers or () if name == "ce_id"), "")
