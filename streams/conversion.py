"""The conversion table: running totals of all tasks in, rows out.

Each row is published while it grows (``provisional``), once when the watermark has passed its
end + grace (``final``), and again whenever something late changes it (``correction``). A row's
revision counts its publications. All that is remembered can be put into a changelog, and a
table restored from there goes on with the same rows.
"""

from heapq import heapify, heappop, heappush

from msgspec import Struct, msgpack

from schemas.results import ConversionRow
from streams.marks import Marks
from streams.merge import About, Session
from streams.policy import Policy
from streams.totals import PANE_MS, Mark, WindowTotal
from streams.window import BLOCK, WHOLE, Place, Window, places

#: A session's window; keys sort in the order in which rows are published.
Key = tuple[str, Place]

_MARKS = b"k\0"
_encode = msgpack.Encoder().encode
_about = msgpack.Decoder(About).decode
_marks = msgpack.Decoder(Marks).decode


class Conversion:
    """What the merging task of one partition of the window totals remembers.

    ``partitions``: how many tasks publish totals. ``too_late`` counts the totals that were
    ignored because their pane lies more than ``policy.past_limit_ms`` behind the watermark.
    """

    def __init__(self, partitions: int, policy: Policy) -> None:
        self.too_late = 0
        self._policy = policy
        self._marks = Marks(partitions)
        self._sessions: dict[str, Session] = {}
        self._open: set[Key] = set()  # changed, still open
        self._late: set[Key] = set()  # changed, although closed
        self._due: list[tuple[int, Key]] = []  # heap: when each open window may close, in ms
        self._unsaved: dict[bytes, Struct | None] = {}  # by changelog key; None: gone

    # --- what comes in -------------------------------------------------------------------

    @property
    def watermark(self) -> int | None:
        """The time, in ms, before which no task expects more; None while that is unknown."""
        return self._marks.watermark

    def mark(self, mark: Mark) -> None:
        """Take a task's newest watermark. Raises ValueError for an impossible partition."""
        self._marks.hear(mark)
        self._unsaved[_MARKS] = self._marks

    def apply(self, total: WindowTotal) -> None:
        """Take a task's newest total of a pane. Raises ValueError for an impossible partition.

        The windows that hold the pane change by what is new in it; a repeat changes nothing.
        """
        self._marks.check(total.partition)
        if total.pane < self._marks.forgotten:
            self.too_late += 1
            return
        session = self._session(total.session_id)
        span = session.span(WHOLE)
        changes = session.replace(total)
        if not changes:
            return
        at = total.pane, total.partition
        self._unsaved[_key(b"m", session.id, at)] = session.total(at)
        for place in places(total.pane):
            window = session.window(place) or self._begin(session, place)
            window.add(changes, place[0])
            if place == WHOLE and session.span(WHOLE) != span:
                self._save_about(session)
                window.change_all()
            self._note(session, place, window)

    def announce(self, session_id: str, *, currency: str | None, announced: bool) -> None:
        """Say what the host told of a session; the rows of closed windows stay as they were."""
        session = self._session(session_id)
        about = session.about
        if (about.currency, about.announced) == (currency, announced):
            return
        about.currency, about.announced = currency, announced
        about.told = about.told or self.watermark or 0
        self._save_about(session)
        for place, window in session.unpacked():
            if not window.closed:
                window.change_all()
                self._note(session, place, window)

    def end(self, session_id: str, ts: int) -> None:
        """Say that a session ended at ``ts``, in ms: its own window closes a grace later."""
        session = self._session(session_id)
        about = session.about
        if about.ended is not None and about.ended >= ts:
            return
        about.ended = ts
        self._save_about(session)
        for place, window in session.unpacked():
            if place == WHOLE and not window.closed:
                heappush(self._due, (session.closes_at(place, self._policy), (session.id, place)))
                window.change_all()
                self._note(session, place, window)

    # --- what goes out -------------------------------------------------------------------

    def rows(self) -> list[ConversionRow]:
        """Return the rows to publish now, by session, window, start, scope and id.

        Rows of open windows wait until ``policy.publish_every_ms`` have passed since such
        rows were last returned; rows of closed windows are returned at once.
        """
        self._close()
        keys, self._late = self._late, set()
        if self._open and self._marks.is_due(self._policy.publish_every_ms):
            keys |= self._open
            self._open = set()
            self._marks.show()
            self._unsaved[_MARKS] = self._marks
        rows = [row for key in sorted(keys) for row in self._publish(*key)]
        self._forget()
        return rows

    def _close(self) -> None:
        watermark = self.watermark
        while self._due and watermark is not None and self._due[0][0] <= watermark:
            session_id, place = key = heappop(self._due)[1]
            session = self._sessions.get(session_id)
            window = session.windows.get(place) if session else None
            if session is None or not isinstance(window, Window) or window.closed:
                continue  # a time of it that the heap knew beside the true one
            closes_at = session.closes_at(place, self._policy)
            if closes_at > watermark:
                heappush(self._due, (closes_at, key))
                continue
            window.closed = True
            window.change_all()
            self._open.discard(key)
            self._note(session, place, window)

    def _publish(self, session_id: str, place: Place) -> list[ConversionRow]:
        session = self._sessions[session_id]
        window = session.window(place)
        assert window is not None
        published = window.publish()
        self._note(session, place, window)
        if window.closed:
            session.pack(place)
        return [session.row(place, *row) for row in published]

    # --- what is remembered ----------------------------------------------------------------

    def puts(self) -> list[tuple[bytes, bytes | None]]:
        """Return one changelog record per key that changed since the last call; None: gone."""
        unsaved, self._unsaved = self._unsaved, {}
        return [(key, _encode(kept) if kept is not None else None) for key, kept in unsaved.items()]

    def restore(self, key: bytes, value: bytes) -> None:
        """Put back what ``puts`` said last of one key; once for each key, in any order.

        Raises ValueError for a key of no known kind and for a value that cannot be read.
        """
        kind, _, rest = key.partition(b"\0")
        if kind == b"k":
            self._restore_marks(_marks(value))
        elif kind == b"s":
            self._session(rest.decode()).about = _about(value)
        elif kind in {b"m", b"w"}:
            session_id, first, second = rest.rsplit(b"\0", 2)
            session = self._session(session_id.decode())
            put_back = session.restore_total if kind == b"m" else session.restore_window
            put_back((int(first), int(second)), value)
        else:
            raise ValueError(f"{key!r} is no record of the conversion table")

    def _restore_marks(self, marks: Marks) -> None:
        if marks.partitions != self._marks.partitions:
            raise ValueError(
                f"the changelog is of {marks.partitions} partitions, this task merges "
                f"{self._marks.partitions}: keep the number, or begin with new topics"
            )
        self._marks = marks

    def restored(self) -> None:
        """Make ready what follows from the records, after the last of them."""
        self._open, self._late, self._due, self._unsaved = set(), set(), [], {}
        for session in self._sessions.values():
            for place, window in session.unpacked():
                self._note(session, place, window)
                if not window.closed:
                    self._due.append((session.closes_at(place, self._policy), (session.id, place)))
        heapify(self._due)
        self._unsaved.clear()

    def _session(self, session_id: str) -> Session:
        session = self._sessions.get(session_id)
        if session is None:
            session = self._sessions[session_id] = Session(session_id)
        return session

    def _begin(self, session: Session, place: Place) -> Window:
        window = session.windows[place] = Window()
        heappush(self._due, (session.closes_at(place, self._policy), (session.id, place)))
        return window

    def _save_about(self, session: Session) -> None:
        self._unsaved[_about_key(session.id)] = session.about

    def _note(self, session: Session, place: Place, window: Window) -> None:
        self._unsaved[_key(b"w", session.id, place)] = window
        if window.changed:
            (self._late if window.closed else self._open).add((session.id, place))

    def _forget(self) -> None:
        """Drop what the watermark has left too far behind, in whole blocks."""
        policy, watermark = self._policy, self.watermark
        if watermark is None:
            return
        oldest_ms = watermark - policy.past_limit_ms - policy.grace_ms
        before = oldest_ms // PANE_MS // BLOCK * BLOCK
        if before > self._marks.forgotten:
            self._marks.forgotten = before
            self._unsaved[_MARKS] = self._marks
            for session in list(self._sessions.values()):
                self._forget_in(session, before, watermark)

    def _forget_in(self, session: Session, before: int, watermark: int) -> None:
        totals, windows = session.forget(before)
        gone = [_key(b"m", session.id, at) for at in totals]
        gone += [_key(b"w", session.id, place) for place in windows]
        if not session.last_sign():
            session.about.told = watermark  # the host told of it before there was a watermark
        self._save_about(session)
        if not session.panes and session.last_sign() < before * PANE_MS:
            del self._sessions[session.id]
            gone += [_key(b"w", session.id, WHOLE), _about_key(session.id)]
        self._unsaved.update(dict.fromkeys(gone))


def _about_key(session_id: str) -> bytes:
    return b"s\0" + session_id.encode()


def _key(kind: bytes, session_id: str, at: tuple[int, int]) -> bytes:
    return b"%b\0%b\0%d\0%d" % (kind, session_id.encode(), *at)
