"""Changelog records of the conversion table: one key for each thing that is remembered.

A key is a letter that says the kind, then the session's id, then two numbers where a session
has many of the kind; zero bytes stand between them.
"""

from msgspec import Struct, msgpack

MARKS, ABOUT, TOTAL, WINDOW = b"k", b"s", b"m", b"w"

#: Kinds that a session has many of, told apart by two numbers.
_NUMBERED = {TOTAL, WINDOW}

_encode = msgpack.Encoder().encode


def key_of(kind: bytes, session_id: str = "", at: tuple[int, int] | None = None) -> bytes:
    """Return the key of a thing."""
    start = b"%b\0%b" % (kind, session_id.encode())
    return start if at is None else b"%b\0%d\0%d" % (start, *at)


def parse_key(key: bytes) -> tuple[bytes, str, tuple[int, int]]:
    """Return kind, session id and numbers of a key; zeros where it has none.

    Raises ValueError when it is no such key.
    """
    kind, _, rest = key.partition(b"\0")
    if kind in {MARKS, ABOUT}:
        return kind, rest.decode(), (0, 0)
    if kind not in _NUMBERED:
        raise ValueError(f"{key!r} is no key of the conversion table")
    # From the right: a session's id may hold a zero byte, a number does not.
    session_id, first, second = rest.rsplit(b"\0", 2)
    return kind, session_id.decode(), (int(first), int(second))


class Unsaved:
    """What changed since it was last saved; of each key only its newest state."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Struct | bytes | None] = {}

    def put(
        self,
        kept: Struct | bytes | None,
        kind: bytes,
        session_id: str = "",
        at: tuple[int, int] | None = None,
    ) -> None:
        """Note a thing: as it will be when it is saved, packed already, or None for gone."""
        self._kept[key_of(kind, session_id, at)] = kept

    def take(self) -> list[tuple[bytes, bytes | None]]:
        """Return a record for each key; nothing is unsaved then."""
        kept, self._kept = self._kept, {}
        return [(k, _encode(v) if isinstance(v, Struct) else v) for k, v in kept.items()]
