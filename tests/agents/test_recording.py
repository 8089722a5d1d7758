"""Recordings: what is written is what is read, and a broken line says where and why."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.recording import Record, RecordingError, read, write

RECORD = Record("live.likes", b"v1", b'{"type":"LikesSent"}', 1_760_000_000_123)

records = st.builds(
    Record,
    st.text(max_size=20),
    st.none() | st.binary(max_size=20) | st.text(max_size=20).map(str.encode),
    st.none() | st.binary(max_size=60) | st.text(max_size=60).map(str.encode),
    st.integers(0, 1 << 53),
)


@given(st.lists(records, max_size=20))
def test_any_records_survive(tmp_path_factory: pytest.TempPathFactory, made: list[Record]) -> None:
    """Whatever bytes, tombstones and keys are written, the same come back."""
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    assert write(path, made) == len(made)
    assert list(read(path)) == made


def written(path: Path, record: Record) -> dict[str, object]:
    """Write one record and return its line, parsed by another JSON reader."""
    write(path, [record])
    line: dict[str, object] = json.loads(path.read_bytes())
    return line


def test_text_is_readable(tmp_path: Path) -> None:
    """A record of UTF-8 text is one JSON object with the text in it."""
    assert written(tmp_path / "r.jsonl", RECORD) == {
        "topic": "live.likes",
        "key": "v1",
        "ts": 1_760_000_000_123,
        "value": '{"type":"LikesSent"}',
    }


def test_bytes_that_are_no_text_are_base64(tmp_path: Path) -> None:
    """A value or key that is not UTF-8 is kept exactly, as value_b64 and key_b64."""
    line = written(tmp_path / "r.jsonl", Record("t", b"\xfe", b"\xff\x00", 1))
    assert line == {
        "topic": "t",
        "key_b64": base64.b64encode(b"\xfe").decode(),
        "ts": 1,
        "value_b64": base64.b64encode(b"\xff\x00").decode(),
    }


def test_tombstone_is_null(tmp_path: Path) -> None:
    """A null value and a missing key are written as null."""
    line = written(tmp_path / "r.jsonl", Record("t", None, None, 1))
    assert line == {"topic": "t", "key": None, "ts": 1, "value": None}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "truncated"),
        ('{"topic":"t","key":null,"value":"x"}', "`ts`"),
        ('{"topic":"t","key":null,"ts":"now","value":"x"}', "$.ts"),
        ('{"topic":"t","key":null,"ts":1}', "`value` and `value_b64`"),
        ('{"topic":"t","key":null,"ts":1,"value":"x","value_b64":"eA=="}', "`value_b64`"),
        ('{"topic":"t","ts":1,"value":"x"}', "`key` and `key_b64`"),
        ('{"topic":"t","key":null,"ts":1,"value_b64":"***"}', "$.value_b64"),
        ('{"topic":"t","key":null,"ts":1,"value":"x","vaule":1}', "vaule"),
    ],
)
def test_broken_line_is_named(tmp_path: Path, line: str, told: str) -> None:
    """The error of a broken line names the file, the line's number and the field."""
    path = tmp_path / "broken.jsonl"
    write(path, [RECORD])
    path.write_text(path.read_text() + line + "\n")
    reading = read(path)
    assert next(reading) == RECORD
    with pytest.raises(RecordingError) as raised:
        next(reading)
    assert str(raised.value).startswith(f"{path}:2: ")
    assert told in str(raised.value)


def test_dash_is_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """The path - writes to standard output."""
    write("-", [RECORD])
    assert json.loads(capfdbinary.readouterr().out)["key"] == "v1"
