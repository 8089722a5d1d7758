"""CloudEvents 1.0 on Kafka: binary mode for what we send, structured mode for what we accept.

The value of an output record stays plain JSON; the headers say what it is. An input record
may be a whole CloudEvents envelope; ``unwrap`` takes the bare event out of it.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from schemas.events import EVENT_TYPES

Header = tuple[str, bytes]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z: RFC 3339 has years of four digits


def name_and_major(event_type: type) -> tuple[str, int]:
    """Tell the contract's name and major: ``CartAdded`` is v1, ``CartAddedV2`` is v2 of it."""
    found = re.fullmatch(r"(\w+?)(?:V([1-9]\d*))?", event_type.__name__)
    assert found, "a class name is made of word characters"
    return found[1], int(found[2] or 1)


def ce_type(event_type: type) -> str:
    """Name a type as CloudEvents do: ``CouponTrigger`` is ``live.coupon-trigger.v1``."""
    name, major = name_and_major(event_type)
    return f"live.{re.sub(r'(?<!^)(?=[A-Z])', '-', name).lower()}.v{major}"


def schema_urn(event_type: type) -> str:
    """Name a type's JSON Schema: the ``$id`` of the file and our ``ce_dataschema``."""
    name, major = name_and_major(event_type)
    return f"urn:livepulse:{name}:v{major}"


def headers(
    event_type: type,
    *,
    id: str,  # noqa: A002  CloudEvents calls it so
    source: str,
    time_ms: int,
    subject: str,
    partition_key: str,
) -> list[Header]:
    """Make the Kafka headers of one output record, in CloudEvents binary mode.

    ``time_ms`` is epoch milliseconds; ``partition_key`` is the record's key. A time outside
    the years 1970 to 9999 is left out: the record of a dead letter may carry any timestamp.
    """
    made = [
        *_constant_headers(event_type),
        ("ce_id", id.encode()),
        ("ce_source", source.encode()),
        ("ce_subject", subject.encode()),
        ("ce_partitionkey", partition_key.encode()),
    ]
    second, rest_ms = divmod(time_ms, 1000)
    if 0 <= second <= _LAST_SECOND:
        made.append(("ce_time", b"%b%03dZ" % (_written(second), rest_ms)))
    return made


@lru_cache
def _constant_headers(event_type: type) -> tuple[Header, ...]:
    return (
        ("ce_specversion", b"1.0"),
        ("ce_type", ce_type(event_type).encode()),
        ("ce_dataschema", schema_urn(event_type).encode()),
        ("content-type", b"application/json"),
    )


@lru_cache(maxsize=4096)  # an hour of stream time: records come many to a second
def _written(second: int) -> bytes:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.").encode()


class _Envelope(Struct, gc=False):
    """The attributes that we use; others are ignored, as CloudEvents asks of a receiver."""

    specversion: Raw | UnsetType = UNSET
    id: Raw | UnsetType = UNSET
    type: Raw | UnsetType = UNSET
    time: Raw | UnsetType = UNSET
    data: Raw | UnsetType = UNSET
    data_base64: Raw | UnsetType = UNSET


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_data = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)
_tags: dict[str, str] = {
    spelling: tag
    for event_type in EVENT_TYPES
    for tag in [str(event_type.__struct_config__.tag)]
    for spelling in (tag, ce_type(event_type))
}


def unwrap(value: bytes) -> bytes | None:
    """Take the bare livepulse event out of a structured CloudEvent; None when it is not one.

    The event is the object in ``data``; its ``id``, ``type`` and ``ts`` come from the
    envelope where ``data`` has none. Raises ValueError that names the field and the fix.
    """
    envelope = _envelope(value)
    if envelope is None:
        return None
    _require_version(envelope.specversion)
    event = _data(envelope)
    if "id" not in event:
        event["id"] = Raw(_encode(_text("id", envelope.id)))
    if "type" not in event:
        event["type"] = Raw(_encode(_tag(_text("type", envelope.type))))
    if "ts" not in event:
        event["ts"] = Raw(_encode(_epoch_ms(_text("time", envelope.time))))
    return _encode(event)


def _envelope(value: bytes) -> _Envelope | None:
    if b'"specversion"' not in value:  # 50 ns instead of a parse for a record that is none
        return None
    try:
        envelope = _decode_envelope(value)
    except (msgspec.DecodeError, RecursionError):  # the caller's own decoding says what is wrong
        return None
    return None if envelope.specversion is UNSET else envelope


def _require_version(raw: Raw | UnsetType) -> None:
    version = _text("specversion", raw)
    if version != "1.0":
        raise ValueError(f"specversion: {version!r} is not supported; send CloudEvents '1.0'")


def _data(envelope: _Envelope) -> dict[str, Raw]:
    if envelope.data is UNSET and envelope.data_base64 is not UNSET:
        raise ValueError("data_base64: not supported; send the event as a JSON object in `data`")
    if envelope.data is UNSET:
        raise ValueError("data: missing; send the event as a JSON object in `data`")
    try:
        return _decode_data(envelope.data)
    except _UNREADABLE as error:
        raise ValueError("data: not a JSON object; send the event's fields in `data`") from error


def _text(field: str, raw: Raw | UnsetType) -> str:
    if raw is UNSET:
        raise ValueError(f"{field}: missing; the envelope or the event in `data` must say it")
    try:
        return _decode_text(raw)
    except _UNREADABLE as error:
        raise ValueError(f"{field}: not a JSON string; write it in double quotes") from error


def _tag(spelled: str) -> str:
    try:
        return _tags[spelled]
    except KeyError:
        raise ValueError(
            f"type: {spelled!r} is not an event of ours; "
            "write it as 'CartAdded' or 'live.cart-added.v1'"
        ) from None


def _epoch_ms(written: str) -> int:
    try:
        time = msgspec.convert(written, datetime)
    except msgspec.ValidationError as error:
        raise ValueError(
            f"time: {written!r} is not RFC 3339; write it as '2026-01-31T20:15:30.250Z'"
        ) from error
    if time.tzinfo is None:
        raise ValueError(f"time: {written!r} has no offset; end it with 'Z' or '+08:00'")
    return (time - _EPOCH) // timedelta(milliseconds=1)
