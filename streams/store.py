"""The partition-scoped map: all that a task remembers, and its changelog records.

A key is a msgpack tuple (kind, session, name), or a key of the conversion table, which begins
with a letter. A value of None is a tombstone. Dropped whole when the partition goes.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, field, msgpack

from streams.conversion import Conversion
from streams.order import Source
from streams.pace import TOTALS_A_TURN, Pace
from streams.partitioner import partition_of
from streams.policy import Policy
from streams.session import Session
from streams.state import UNSCORED, Affinity, Room, Shelf
from streams.timers import NEVER, Timers
from streams.totals import PaneTotals

#: A changelog record: key, value.
Put = tuple[bytes, bytes | None]

VISIT, PANE, AFFINITY, SHELF, ROOM, TASK = range(6)

_encode = msgpack.Encoder().encode
_key: msgpack.Decoder[tuple[int, str, str | int]] = msgpack.Decoder(tuple[int, str, str | int])
_pane = msgpack.Decoder(PaneTotals).decode
_affinity = msgpack.Decoder(Affinity).decode
_shelf = msgpack.Decoder(Shelf).decode
_room = msgpack.Decoder(Room).decode


class Progress(Struct, array_like=True):
    """How far a task has come in stream time, and in the logs that every task reads whole."""

    clock: int = 0
    watermark: int | None = None
    published: int = 0  # the last publishing tick
    swept: int = 0  # the last pane that was swept
    newest: list[tuple[str, int, int]] = field(default_factory=list)  # topic, partition, time
    host_offsets: dict[int, int] = field(default_factory=dict)  # partition: next offset
    unpublished: dict[str, list[int]] = field(default_factory=dict)  # session: panes
    counted: int = 0  # how much of the present silence, in ms, is in the watermark
    shown: int = 0  # only 0.1 reads it
    offsets: dict[str, int] = field(default_factory=dict)  # topic: next offset of the partition
    marked: int = 0  # the last watermark that was published


_progress = msgpack.Decoder(Progress).decode


class State:
    """Everything that one task remembers."""

    def __init__(
        self, partition: int, partitions: int, policy: Policy, *, pseudonyms: bool = False
    ) -> None:
        """With ``pseudonyms`` viewer ids do not tell whose they are; who made them has checked."""
        self.partition = partition
        self.partitions = partitions
        self.policy = policy
        self._pseudonyms = pseudonyms
        self.sessions: dict[str, Session] = {}
        self.timers = Timers()
        self.conversion = Conversion(partitions, policy)
        self.progress = Progress()
        self.pace = Pace(TOTALS_A_TURN)
        self._gone: list[bytes] = []

    def session(self, session_id: str) -> Session:
        """Return the session, opened when it is new."""
        session = self.sessions.get(session_id)
        if session is None:
            session = self.sessions[session_id] = Session(session_id)
        return session

    def owns(self, viewer_id: str) -> bool:
        """Tell whether a viewer's events belong here."""
        return self._pseudonyms or partition_of(viewer_id, self.partitions) == self.partition

    def tell_conversion(self, session: Session) -> None:
        """Tell the conversion table what the host said of the session."""
        shelf = session.shelf
        self.conversion.announce(session.id, currency=shelf.currency, announced=shelf.announced)
        if shelf.ended is None:
            self.conversion.go_on(session.id)
        else:
            self.conversion.end(session.id, shelf.ended)

    def drop_visit(self, session: Session, viewer_id: str) -> None:
        """Forget a visit; a viewer who is present goes."""
        visit = session.visits[viewer_id]
        if visit.present:
            session.room.present -= 1
            session.changed_room = True
        session.regrade(visit.risk, UNSCORED)
        session.visits.drop(viewer_id)
        self._gone.append(_encode((VISIT, session.id, viewer_id)))

    def drop_pane(self, session: Session, index: int) -> None:
        """Forget a pane."""
        if session.panes.pop(index, None) is not None:
            session.forget_pane(index)
            self._gone.append(_encode((PANE, session.id, index)))

    def drop_session(self, session: Session) -> None:
        """Forget a session and all that belongs to it."""
        gone = [(VISIT, session.id, viewer_id) for viewer_id in session.visits]
        gone += [(PANE, session.id, index) for index in session.panes]  # type: ignore[misc]
        gone += [(AFFINITY, session.id, product_id) for product_id in session.affinity]
        gone += [(SHELF, session.id, ""), (ROOM, session.id, "")]
        self._gone += map(_encode, gone)
        del self.sessions[session.id]

    def puts(self, newest: Mapping[Source, int]) -> Iterator[Put]:
        """Yield one record per key that changed since the last call."""
        yield from ((key, None) for key in self._gone)  # first: some may have come back
        self._gone = []
        for session in self.sessions.values():
            if session.is_changed():
                yield from _session_puts(session)
        yield from self.conversion.puts()
        self.progress.newest = [(topic, p, ts) for (topic, p), ts in newest.items()]
        self.progress.unpublished = {
            session.id: sorted(session.unpublished)
            for session in self.sessions.values()
            if session.unpublished
        }
        yield _encode((TASK, "", "")), _encode(self.progress)

    def restore(self, records: Mapping[bytes, bytes]) -> None:
        """Fill an empty state from the newest value of each key.

        Raises ValueError, naming the key, when a record cannot be read: better no task than
        one that forgot something.
        """
        decode_key = _key.decode
        for key, value in records.items():
            try:
                if key[0] < 0x80:  # noqa: PLR2004 - a letter; a msgpack tuple begins above
                    self.conversion.restore(key, value)
                    continue
                kind, session_id, name = decode_key(key)
                if kind == VISIT:  # nearly all of them
                    self._restore_visit(session_id, name, value)
                elif kind == TASK:
                    self.progress = _progress(value)
                else:
                    _restore_value(self.session(session_id), kind, name, value)
            except Exception as exc:
                raise ValueError(f"changelog record {key!r} cannot be read: {exc}") from exc
        for session_id, panes in self.progress.unpublished.items():
            self.session(session_id).unpublished.update(panes)
        self.conversion.restored()

    def _restore_visit(self, session_id: str, viewer_id: Any, value: bytes) -> None:
        session = self.sessions.get(session_id) or self.session(session_id)
        due, risk = session.visits.restore(viewer_id, value)
        session.graded[risk] += 1
        if due != NEVER:
            self.timers.set(due, session_id, viewer_id)


def _restore_value(session: Session, kind: int, name: Any, value: bytes) -> None:
    if kind == PANE:
        session.panes[name] = _pane(value)
    elif kind == AFFINITY:
        session.affinity[name] = _affinity(value)
    elif kind == SHELF:
        session.shelf = _shelf(value)  # what it means for the table stands in the table's records
    elif kind == ROOM:
        session.room = _room(value)
    else:
        raise ValueError(f"{kind} is no kind of record")


def _session_puts(session: Session) -> Iterator[Put]:
    sid = session.id
    for viewer_id, value in session.visits.sleep():
        yield _encode((VISIT, sid, viewer_id)), value
    for index in session.changed_panes:
        yield _encode((PANE, sid, index)), _encode(session.panes[index])
    for product_id in session.changed_affinity:
        yield _encode((AFFINITY, sid, product_id)), _encode(session.affinity[product_id])
    if session.changed_shelf:
        yield _encode((SHELF, sid, "")), _encode(session.shelf)
    if session.changed_room:
        yield _encode((ROOM, sid, "")), _encode(session.room)
    session.settled()
