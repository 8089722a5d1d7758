"""Records of topics in a file: one JSON object a line, readable and exact.

``{"topic", "key", "ts", "value"}``: ``value`` is the record's text and null for a tombstone;
bytes that are not UTF-8 are written in base64 as ``value_b64`` (``key_b64`` for the key).
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

STANDARD_STREAM = "-"


class Record(Struct, frozen=True, gc=False):
    """One record of a topic; ``timestamp`` is when it arrived, in epoch milliseconds."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp: int


class RecordingError(ValueError):
    """A line of a recording cannot be read; the message names file, line and field."""


class _Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``UNSET`` fields are absent from the line; ``None`` is written as null."""

    topic: str
    key: str | UnsetType | None = UNSET
    key_b64: bytes | UnsetType = UNSET
    ts: int
    value: str | UnsetType | None = UNSET
    value_b64: bytes | UnsetType = UNSET


def write(path: str | Path, records: Iterable[Record]) -> int:
    """Write ``records`` to ``path`` (``-``: standard output) and return how many there were."""
    encode, written = msgspec.json.Encoder().encode, 0
    with _open(path, "wb") as file:
        for record in records:
            file.write(encode(_line(record)) + b"\n")
            written += 1
    return written


def read(path: str | Path) -> Iterator[Record]:
    """Yield the records in ``path`` (``-``: standard input), one at a time.

    Raises ``RecordingError`` at the first line that is not a record, ``OSError`` when the
    file cannot be read.
    """
    decode = msgspec.json.Decoder(_Line).decode
    with _open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                record = _record(decode(line))
            except (msgspec.DecodeError, ValueError) as error:
                raise RecordingError(f"{path}:{number}: {error}") from error
            yield record


def _open(path: str | Path, mode: Literal["rb", "wb"]) -> AbstractContextManager[BinaryIO]:
    if str(path) != STANDARD_STREAM:
        return Path(path).open(mode)
    return nullcontext((sys.stdin if mode == "rb" else sys.stdout).buffer)


def _line(record: Record) -> _Line:
    key, key_b64 = _as_text(record.key)
    value, value_b64 = _as_text(record.value)
    return _Line(
        topic=record.topic, key=key, key_b64=key_b64, ts=record.timestamp,
        value=value, value_b64=value_b64,
    )  # fmt: skip


def _as_text(data: bytes | None) -> tuple[str | UnsetType | None, bytes | UnsetType]:
    """Choose how to write bytes: as text if they are text, else as they are."""
    if data is None:
        return None, UNSET
    try:
        return data.decode(), UNSET
    except UnicodeDecodeError:
        return UNSET, data


def _record(line: _Line) -> Record:
    return Record(
        line.topic,
        _as_bytes("key", line.key, line.key_b64),
        _as_bytes("value", line.value, line.value_b64),
        line.ts,
    )


def _as_bytes(field: str, text: str | UnsetType | None, data: bytes | UnsetType) -> bytes | None:
    if (text is UNSET) == (data is UNSET):
        raise RecordingError(f"give exactly one of `{field}` and `{field}_b64`")
    if data is not UNSET:
        return data
    return None if text is None or text is UNSET else text.encode()
