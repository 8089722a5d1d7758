"""The file in which a version leaves its state, and what it went on to say.

Runs under the code of the version before as well: it imports only what both have.
"""

import lzma
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from streams.records import Record
from tests.upgrade import shapes
from tests.upgrade.story import Said, Totals


class Fixture(Struct):
    """All that a version leaves to the next one: map keys stand in the file as they do here."""

    policy: dict[str, Any]
    fields: dict[str, shapes.Fields]
    kinds: dict[str, str]  # of a key: the struct behind it
    layout: dict[str, list[str] | int]
    changelogs: list[dict[bytes, bytes]]  # by partition: key, value
    steps: list[list[Record]]  # the second half, in the order of the logs
    said: Said
    totals: list[list[Totals]]  # by step, and at last after the silence; then by task


def write(file: Path, fixture: Fixture) -> None:
    """Write a fixture, compressed."""
    file.write_bytes(lzma.compress(msgspec.msgpack.encode(fixture), preset=9))


def read(file: Path) -> Fixture:
    """Read a fixture."""
    return msgspec.msgpack.decode(lzma.decompress(file.read_bytes()), type=Fixture)
