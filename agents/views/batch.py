"""What is written into Redis for each kind of value, merged by key into few commands.

Every command sets a value rather than changing one, so sending a batch twice does no harm.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from agents.views.keys import (
    HOURS_KEPT,
    KEPT_MS,
    MARKERS_KEPT,
    RISKS_KEPT,
    SENT_KEPT,
    TRIGGERS_KEPT,
    Keys,
    hour,
)
from schemas.results import ChurnRow, ConversionRow, Trigger
from streams.glance import Glance
from streams.journal import Became, Earned, Held, Marked, Note, Sent
from streams.state import Shelf

_encode = msgspec.json.Encoder().encode


class SessionView(Struct, frozen=True, kw_only=True):
    """What a list of sessions shows. ``present`` is viewers now, ``watermark_ms`` epoch ms."""

    session_id: str
    announced: bool
    title: str
    present: int
    watermark_ms: int
    currency: str | None = None


#: What is offered to the views; None: the viewer has left.
Value = ConversionRow | ChurnRow | Trigger | SessionView | Glance | Shelf | Note | None
#: The kind, the session, then what tells values of the kind apart.
Key = tuple[str | int, ...]


class Batch:
    """Collects writes; ``put_into`` turns them into commands. Every key written lives on."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self._strings: dict[str, bytes] = {}
        self._fields: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        self._scores: defaultdict[str, dict[str | bytes, float]] = defaultdict(dict)
        self._caps: dict[str, int] = {}
        self._members: defaultdict[str, set[str]] = defaultdict(set)
        self._lost_fields: defaultdict[str, list[str]] = defaultdict(list)
        self._lost_members: defaultdict[str, list[str]] = defaultdict(list)
        self._activity: dict[str, int] = {}
        self._changed: defaultdict[str, set[str]] = defaultdict(set)

    def set(self, key: str, value: bytes) -> None:
        """Replace a string."""
        self._strings[key] = value

    def set_field(self, key: str, field: str, value: bytes) -> None:
        """Replace one field of a hash."""
        self._fields[key][field] = value

    def rank(self, key: str, member: str | bytes, score: float, *, keep: int) -> None:
        """Add to a sorted set, of which only the ``keep`` highest stay."""
        self._scores[key][member] = score
        self._caps[key] = keep

    def include(self, key: str, member: str) -> None:
        """Add to a set."""
        self._members[key].add(member)

    def drop_field(self, key: str, field: str) -> None:
        """Remove one field of a hash."""
        self._lost_fields[key].append(field)

    def drop_member(self, key: str, member: str) -> None:
        """Remove one member of a sorted set."""
        self._lost_members[key].append(member)

    def active(self, session_id: str, watermark_ms: int) -> None:
        """List a session as live at this event time; the time never goes back."""
        self._activity[session_id] = watermark_ms

    def announce(self, session_id: str, kind: str) -> None:
        """Tell the session's channel that something of this kind has changed."""
        self._changed[session_id].add(kind)

    def put_into(self, pipe: Any) -> None:
        """Append the commands; the announcements come after what they announce."""
        for key, value in self._strings.items():
            pipe.set(key, value, px=KEPT_MS)
        for key, fields in self._fields.items():
            pipe.hset(key, mapping=fields)
        for key, scores in self._scores.items():
            pipe.zadd(key, scores)
            pipe.zremrangebyrank(key, 0, -self._caps[key] - 1)
        for key, members in self._members.items():
            pipe.sadd(key, *members)
        for key in (*self._fields, *self._scores, *self._members):
            pipe.pexpire(key, KEPT_MS)
        for key, gone in self._lost_fields.items():
            pipe.hdel(key, *gone)
        for key, gone in self._lost_members.items():
            pipe.zrem(key, *gone)
        if self._activity:
            pipe.zadd(self.keys.sessions, self._activity, gt=True)
            oldest_ms = max(self._activity.values()) - KEPT_MS
            pipe.zremrangebyscore(self.keys.sessions, "-inf", f"({oldest_ms}")
            pipe.pexpire(self.keys.sessions, KEPT_MS)
        for session_id, kinds in self._changed.items():
            pipe.publish(self.keys.changed(session_id), _announcement(session_id, kinds))


def add(batch: Batch, key: Key, value: Value) -> None:
    """Add one offered value under its view."""
    session_id = str(key[1])
    if isinstance(value, ConversionRow):
        _add_row(batch, value)
        batch.announce(session_id, "conversion")
    elif isinstance(value, SessionView):
        batch.set(batch.keys.session(session_id), _encode(value))
        batch.active(session_id, value.watermark_ms)
        batch.announce(session_id, "session")
    elif isinstance(value, Trigger):
        name = batch.keys.triggers(session_id)
        batch.rank(name, _encode(value), value.decided_at, keep=TRIGGERS_KEPT)
        batch.announce(session_id, "triggers")
    elif isinstance(value, Glance | Shelf):
        _add_part(batch, session_id, value)
        batch.announce(session_id, "glance")
    elif isinstance(value, Note):
        _add_note(batch, value)
        batch.announce(session_id, "markers" if isinstance(value, Marked) else "triggers")
    else:
        _add_viewer(batch, session_id, str(key[2]), value)
        batch.announce(session_id, "churn")


def _add_row(batch: Batch, row: ConversionRow) -> None:
    value = _encode(row)
    name = batch.keys.rows(row.session_id, row.window, row.scope, row.start)
    if row.window != "session":
        batch.set_field(name, f"{row.start}/{row.scope_id}", value)
        clock = hour(row.start)
        batch.rank(batch.keys.hours(row.session_id), str(clock), clock, keep=HOURS_KEPT)
        return
    batch.set_field(name, row.scope_id, value)
    if row.scope == "session":
        batch.set(batch.keys.total(row.session_id), value)


def _add_part(batch: Batch, session_id: str, value: Glance | Shelf) -> None:
    if isinstance(value, Glance):
        batch.set_field(batch.keys.glance(session_id), str(value.partition), _encode(value))
    else:
        batch.set(batch.keys.shelf(session_id), _encode(value))


def _add_note(batch: Batch, note: Note) -> None:
    keys, session_id = batch.keys, note.session_id
    match note:
        case Sent(kind=kind, trigger_id=trigger_id, at=at):
            batch.rank(keys.sent(session_id, kind), trigger_id, at, keep=SENT_KEPT)
        case Became(kind=kind, outcome=outcome, trigger_id=trigger_id):
            batch.include(keys.outcome(session_id, kind, outcome), trigger_id)
        case Earned(kind=kind, order_id=order_id, amount=amount):
            batch.set_field(keys.revenue(session_id, kind), order_id, b"%d" % amount)
        case Held(reason=reason, decision_id=decision_id):
            batch.include(keys.held(session_id, reason), decision_id)
        case Marked(at=at):
            batch.rank(keys.markers(session_id), _encode(note), at, keep=MARKERS_KEPT)


def _add_viewer(batch: Batch, session_id: str, viewer_id: str, row: ChurnRow | None) -> None:
    rows, risks = batch.keys.churn(session_id), batch.keys.risks(session_id)
    if row is None:
        batch.drop_field(rows, viewer_id)
        batch.drop_member(risks, viewer_id)
    else:
        batch.set_field(rows, viewer_id, _encode(row))
        batch.rank(risks, viewer_id, row.probability, keep=RISKS_KEPT)


def _announcement(session_id: str, kinds: Iterable[str]) -> bytes:
    return _encode({"session_id": session_id, "kinds": sorted(kinds)})
