"""A session that somebody watches: its newest snapshot, ready to be sent, for all who watch.

There are no queues: a client says which revision it had last and gets what has changed since.
Who is slow skips revisions, and misses nothing: panes are remembered by the revision in which
they changed.
"""

import asyncio
import re
import zlib
from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct

from schemas.results import ConversionRow
from streams.material import Material
from streams.screen import Snapshot
from streams.snapshot import Pseudonym, pane, snapshot

State = Literal["ok", "no_data_source"]

_encode = msgspec.json.Encoder().encode
#: An empty gzip file's first ten bytes: what follows is a stream of deflated blocks.
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LEVEL = 5
_REVISION = re.compile(r"[0-9]{1,20}")


class Update(Struct, frozen=True):
    """Bytes of the event stream, as they are and deflated so that they fit behind any others."""

    plain: bytes
    deflated: bytes


def update(plain: bytes) -> Update:
    """Return an update; a full flush at its end makes it independent of what comes before."""
    packer = zlib.compressobj(_LEVEL, wbits=-zlib.MAX_WBITS)
    return Update(plain, packer.compress(plain) + packer.flush(zlib.Z_FULL_FLUSH))


def event(name: str, data: bytes, event_id: str | None = None) -> bytes:
    """Return an event as the stream has it."""
    lead = f"event: {name}\n" + (f"id: {event_id}\n" if event_id is not None else "")
    return lead.encode() + b"data: " + data + b"\n\n"


HEARTBEAT = update(b": still here\n\n")
RETRY = update(b"retry: 1000\n\n")


class Room:
    """The newest that is known of one session.

    ``revision`` is 0 before the first snapshot, ``state`` None before the first reading; ``began``
    is the first revision since which every change of a pane was seen. ``ticks`` counts the
    revisions.
    """

    def __init__(self, session_id: str, pseudonym: Pseudonym) -> None:
        self.session_id = session_id
        self.watchers = 0
        self.changed: set[str] = set()
        self.wake = asyncio.Event()
        self.reading = asyncio.Lock()
        self.revision = 0
        self.began = 0
        self.ticks = 0
        self.state: State | None = None
        self.snapshot: Snapshot | None = None
        self._pseudonym = pseudonym
        self._panes: dict[int, tuple[int, bytes]] = {}  # start: revision, JSON
        self._turn = asyncio.Event()  # set and replaced at every revision
        self._ready: dict[tuple[int, State | None], Update] = {}  # by what a client had last

    def note(self, kinds: Iterable[str]) -> None:
        """Note that views of these kinds have changed."""
        self.changed.update(kinds)
        self.wake.set()

    def take(self, m: Material, rows: dict[int, ConversionRow], fresh: set[int]) -> None:
        """Make the next revision of what was read, and wake all who wait for it."""
        revision = max(m.at, self.revision + 1)
        for start in sorted(fresh):
            self._panes[start] = (revision, _encode(pane(rows[start])))
        for start in self._panes.keys() - rows.keys():
            del self._panes[start]
        self.snapshot = snapshot(m, self._pseudonym, revision)
        self.revision, self.state = revision, "ok"
        self.began = self.began or revision
        self._next()

    def lost(self) -> None:
        """Tell those who watch that the views cannot be read, once."""
        if self.state != "no_data_source":
            self.state = "no_data_source"
            self._next()

    def seen(self, event_id: str) -> int:
        """Return the revision of an id that a client had last, 0 when it is not this room's.

        Two processes' clocks differ, so a revision alone says nothing to another room.
        """
        began, _, said = event_id.partition("-")
        if began != str(self.began) or not _REVISION.fullmatch(said):
            return 0
        return int(said) if int(said) <= self.revision else 0

    async def turn(self) -> None:
        """Wait for the next revision or state."""
        await self._turn.wait()

    def since(self, revision: int, state: State | None) -> Update:
        """Return what a client has to hear that had this revision and state last."""
        known = self._ready.get((revision, state))
        if known is None:
            status = self._status() if self.state != state else b""
            known = self._ready[revision, state] = update(status + self._news(revision))
        return known

    def _status(self) -> bytes:
        return event("status", _encode({"state": self.state}))

    def _news(self, revision: int) -> bytes:
        if self.snapshot is None or revision == self.revision:
            return b""
        rows = [row for _, (at, row) in sorted(self._panes.items()) if at > revision]
        panes = event("panes", b'{"rows":[' + b",".join(rows) + b"]}") if rows else b""
        return panes + event("snapshot", _encode(self.snapshot), f"{self.began}-{self.revision}")

    def _next(self) -> None:
        self.ticks += 1
        self._ready.clear()
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()
