"""Bytes to events, a whole batch at a time; the only place that knows why a record is bad.

The values are joined and decoded in one call. Only when that fails is each record decoded by
itself, so that one bad record costs one dead letter and nothing else. The join is safe: every
newline in it stands between a ``}`` and a ``{``. It cannot be inside a string, where a raw
newline is an error, nor inside an object or an array, where no value may follow a value without
a comma. So no value reaches into the next one; and with as many events as values, none holds
two.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, Union

import msgspec
from msgspec import Struct

from schemas import cloudevents
from schemas.events import Event

MAX_RECORD_BYTES = 1 << 20
#: Values decoded in one call: so many are decoded one by one because one of them is bad.
JOINED = 256


#: What a bad value raises; RecursionError: nested too deep, even in a field that is ignored.
_BAD = (TypeError, msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Rejection(Struct, frozen=True):
    """Why a record cannot be used: a code of a closed set, and a text that says what to mend."""

    #: A refused record has no time of its own: it keeps the place that it has in its log.
    ts: ClassVar[int] = 0

    reason: str
    detail: str


class Decoder(Protocol):
    """What turns the values of a topic into events."""

    def decode(self, values: Sequence[bytes | None]) -> Sequence[Event | Rejection]:
        """Return one event or one rejection per value, in order."""


class BatchDecoder:
    """Decodes the records of one topic, which carries the given event types."""

    def __init__(self, types: Sequence[type[Event]]) -> None:
        self._names = sorted(t.__name__ for t in types)
        union: Any = Union[tuple(types)]  # noqa: UP007 - built at run time
        self._decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(union)

    def decode(self, values: Sequence[bytes | None]) -> Sequence[Event | Rejection]:
        """Return one event or one rejection per value, in order."""
        decoded: list[Event | Rejection] = []
        for start in range(0, len(values), JOINED):
            part = values[start : start + JOINED]
            decoded += self._decode_joined(part) or map(self._decode_one, part)
        return decoded

    def _decode_joined(self, values: Sequence[bytes | None]) -> list[Event] | None:
        """Decode all values in one call; None when one of them is bad, or may be."""
        try:
            joined = b"\n".join(values)  # type: ignore[arg-type] # None raises TypeError
            seams = len(values) - 1
            clean = joined.startswith(b"{") and joined.endswith(b"}")
            if not clean or not seams == joined.count(b"\n") == joined.count(b"}\n{"):
                return None
            if len(joined) > MAX_RECORD_BYTES < max(map(len, values)):  # type: ignore[arg-type]
                return None
            events = self._decoder.decode_lines(joined)
        except _BAD:
            return None
        return events if len(events) == len(values) else None

    def _decode_one(self, value: bytes | None) -> Event | Rejection:
        if value is None:
            return Rejection("null_value", "the record has no value: send a JSON object")
        size = len(value)
        if size > MAX_RECORD_BYTES:
            return Rejection("too_large", f"{size} bytes: an event has at most {MAX_RECORD_BYTES}")
        return self._parse(value)

    def _parse(self, value: bytes) -> Event | Rejection:
        try:
            return self._decoder.decode(value)
        except _BAD as exc:
            return self._unwrap(value) or self._why(exc)

    def _unwrap(self, value: bytes) -> Event | Rejection | None:
        """Take the event out of a CloudEvents envelope; None when the record is none."""
        try:
            bare = cloudevents.unwrap(value)
            return None if bare is None else self._decoder.decode(bare)
        except _BAD as exc:
            return self._why(exc)
        except ValueError as exc:  # an envelope that cannot be unwrapped
            return Rejection("invalid_envelope", str(exc))

    def _why(self, error: Exception) -> Rejection:
        if isinstance(error, UnicodeDecodeError):
            return Rejection("invalid_utf8", f"the record is not UTF-8: {error.reason}")
        if isinstance(error, msgspec.ValidationError):
            return self._invalid(str(error))
        if isinstance(error, RecursionError):
            return Rejection("invalid_json", "nested too deep: an event is a flat object")
        return Rejection("invalid_json", str(error))

    def _invalid(self, message: str) -> Rejection:
        if message.startswith("Invalid value") and message.endswith("`$.type`"):
            return Rejection(
                "unknown_type", f"{message}: this topic carries {', '.join(self._names)}"
            )
        if "missing required field" in message:
            return Rejection("missing_field", message)
        return Rejection("invalid_field", message)
