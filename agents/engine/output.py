"""Results to records: JSON values, CloudEvents headers, keys and partitions."""

import base64
from collections.abc import Callable, Iterable, Iterator

import msgspec
from msgspec import Struct

from agents.engine.transaction import Out
from agents.settings import Settings
from schemas import cloudevents
from schemas.codec import Rejection
from schemas.results import (
    RESULT_TYPES,
    ChurnRow,
    ConversionRow,
    DeadLetter,
    Decision,
    Trigger,
)
from streams.partitioner import partition_of
from streams.records import Record
from streams.results import Results
from streams.store import Put
from streams.totals import Mark, WindowTotal

RAW_BYTES = 64 << 10

_json = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode


class Output:
    """Writes what a task has to say; everything about a viewer goes to the task's partition."""

    def __init__(self, settings: Settings, partition: int, partitions: int) -> None:
        self._partition = partition
        self._partitions = partitions
        self._state = settings.topic_of("state")
        self._totals = settings.topic_of("window-totals")
        self._source = f"/{settings.app_id}/{partition}"
        self._topics: dict[type[Struct], str] = {
            kind: settings.topic_of(kind.__name__) for kind in RESULT_TYPES.values()
        }

    def state(self, puts: Iterable[Put]) -> Iterator[Out]:
        """Yield the changelog records."""
        topic, partition = self._state, self._partition
        return (Out(topic, partition, key, value) for key, value in puts)

    def results(self, results: Results) -> Iterator[Out]:
        """Yield the records of the results, triggers first."""
        yield from map(self._trigger, results.coupons)
        yield from map(self._trigger, results.recommendations)
        yield from map(self._decision, results.decisions)
        yield from map(self._churn, results.churn)
        yield from map(self._row, results.rows)
        yield from map(self._total, results.totals)
        for mark in results.marks:
            yield from self._mark(mark)
        yield from (self._dead_letter(record, why) for record, why in results.refused)

    def _say(self, value: Struct, key: str, *, event_id: str, subject: str, time_ms: int) -> Out:
        headers = cloudevents.headers(
            type(value),
            id=event_id,
            source=self._source,
            time_ms=time_ms,
            subject=subject,
            partition_key=key,
        )
        topic = self._topics[type(value)]
        return Out(topic, self._partition, key.encode(), _json(value), headers)

    def _trigger(self, t: Trigger) -> Out:
        return self._say(
            t, t.viewer_id, event_id=t.trigger_id, subject=t.session_id, time_ms=t.decided_at
        )

    def _decision(self, d: Decision) -> Out:
        return self._say(
            d, d.viewer_id, event_id=d.decision_id, subject=d.session_id, time_ms=d.decided_at
        )

    def _churn(self, row: ChurnRow) -> Out:
        event_id = f"{row.session_id}|{row.viewer_id}|{row.ts}"
        return self._say(
            row, row.viewer_id, event_id=event_id, subject=row.session_id, time_ms=row.ts
        )

    def _row(self, row: ConversionRow) -> Out:
        key = f"{row.session_id}|{row.scope}|{row.scope_id}|{row.window}|{row.start}"
        event_id = f"{key}|{row.revision}"
        return self._say(row, key, event_id=event_id, subject=row.session_id, time_ms=row.end)

    def _total(self, total: WindowTotal) -> Out:
        key = f"{total.session_id}|{total.pane}|{total.partition}"
        partition = partition_of(total.session_id, self._partitions)
        return Out(self._totals, partition, key.encode(), _pack(total))

    def _mark(self, mark: Mark) -> Iterator[Out]:
        key, value = f"mark|{mark.partition}".encode(), _pack(mark)
        return (Out(self._totals, p, key, value) for p in range(self._partitions))

    def _dead_letter(self, record: Record, why: Rejection) -> Out:
        letter = dead_letter(record, why)
        place = f"{record.topic}/{record.partition}/{record.offset}"
        return self._say(
            letter, place, event_id=place, subject=record.topic, time_ms=record.timestamp
        )


def dead_letter(record: Record, why: Rejection) -> DeadLetter:
    """Return the dead letter of a record that is refused."""
    raw = record.value or b""
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        ts=record.timestamp,
        reason=why.reason,
        detail=why.detail,
        key=None if record.key is None else record.key.decode(errors="replace"),
        size=len(raw),
        raw=base64.b64encode(raw[:RAW_BYTES]).decode(),
    )


#: Decodes a record of the window-totals topic.
decode_total: Callable[[bytes], WindowTotal | Mark] = msgspec.msgpack.Decoder(
    WindowTotal | Mark
).decode
