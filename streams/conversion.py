"""The conversion table: running totals of all tasks in, rows out.

Each row is published while it grows (``provisional``), once when the watermark has passed its
end + grace (``final``), and again whenever something late changes it (``correction``). So are the
final rows of a session that starts again: at its next end they are corrected for the last time.
A row's revision counts its publications. All that is remembered can be put into a changelog, and
a table restored from there goes on with the same rows.
"""

from heapq import heapify, heappop, heappush

from msgspec import msgpack

from schemas.results import ConversionRow
from streams.changelog import ABOUT, MARKS, TOTAL, WINDOW, Unsaved, parse_key
from streams.marks import Marks
from streams.merge import About, Session
from streams.pace import ROWS_A_TURN, Pace
from streams.policy import Policy
from streams.totals import PANE_MS, Mark, WindowTotal
from streams.window import (
    BLOCK,
    BRIEF,
    DETAILED,
    WHOLE,
    Change,
    Place,
    Scopes,
    Window,
    places,
)

#: A session's window; keys sort in the order in which rows are published.
Key = tuple[str, Place]

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
        self._waiting: set[Key] = set()  # changed, to be published in their turn
        self._fresh: set[Key] = set()  # of those, open ones whose session row has changed
        self._urgent: set[Key] = set()  # just closed, or changed although closed
        self._due: list[tuple[int, Key]] = []  # heap: when each open window may close, in ms
        self._unsaved = Unsaved()
        self._pace = Pace(ROWS_A_TURN)

    @property
    def watermark(self) -> int | None:
        """The time, in ms, before which no task expects more; None while that is unknown."""
        return self._marks.watermark

    @property
    def foremost(self) -> int | None:
        """The highest of the tasks' watermarks; None while none is known."""
        return max((m for m in self._marks.newest.values() if m is not None), default=None)

    def mark(self, mark: Mark) -> None:
        """Take a task's newest watermark. Raises ValueError for an impossible partition."""
        self._marks.hear(mark)
        self._unsaved.put(self._marks, MARKS)

    def apply(self, total: WindowTotal) -> None:
        """Take a task's newest total of a pane. Raises ValueError for an impossible partition.

        The windows that hold the pane change by what is new in it; a repeat changes nothing.
        """
        self._marks.check(total.partition)
        if total.pane < self._marks.forgotten:
            self.too_late += 1
            return
        session, at = self._session(total.session_id), (total.pane, total.partition)
        if session.about.behind.get(total.partition, 0) != total.behind:
            session.about.behind[total.partition] = total.behind
            self._unsaved.put(session.about, ABOUT, session.id)
        span = session.span(WHOLE)
        changes = session.replace(at, total.totals)
        if changes:
            self._unsaved.put(session.panes[total.pane][total.partition], TOTAL, session.id, at)
        for pane, found in changes.items():
            self._add(session, pane, found)
        if session.span(WHOLE) != span:
            self._unsaved.put(session.about, ABOUT, session.id)
            self._change_all(session, WHOLE)

    def announce(self, session_id: str, *, currency: str | None, announced: bool) -> None:
        """Say what the host told of a session; the rows of closed windows stay as they were."""
        session = self._session(session_id)
        about = session.about
        if (about.currency, about.announced) == (currency, announced):
            return
        about.currency, about.announced = currency, announced
        about.told = about.told or self.watermark or 0
        self._unsaved.put(about, ABOUT, session_id)
        for place in session.open_windows():
            self._change_all(session, place)

    def end(self, session_id: str, ts: int) -> None:
        """Say that a session ended at ``ts``, in ms: its own window closes a grace later."""
        session = self._session(session_id)
        ended = session.about.ended
        if ended is None or ended < ts:
            self._set_end(session, ts)

    def go_on(self, session_id: str) -> None:
        """Say that a session has not ended: if it had, its own window is open again."""
        session = self._session(session_id)
        if session.about.ended is None:
            return
        session.about.told = self.watermark or 0
        window = session.window(WHOLE)
        if window is not None:
            window.closed = False
        self._set_end(session, None)

    def rows(self) -> list[ConversionRow]:
        """Return the rows to publish now, by session, window, start, scope and id.

        Rows of closed windows are returned at once. Rows of open windows, and corrections of whole
        sessions, wait until ``policy.publish_every_ms`` have passed since such were last returned.
        """
        self._close()
        keys, self._urgent = dict.fromkeys(self._urgent, DETAILED), set()
        if self._waiting and self._marks.is_due(self._policy.publish_every_ms):
            keys |= dict.fromkeys(self._waiting, DETAILED)
            self._waiting, self._fresh = set(), set()
            self._marks.show()
            self._unsaved.put(self._marks, MARKS)
        rows = [row for key in sorted(keys) for row in self._publish(*key, keys[key])]
        self._forget()
        return rows

    def brief_rows(self) -> list[ConversionRow]:
        """Return those rows of whole sessions that have changed, not yet due, if they are few."""
        if not self._pace.may_say(len(self._fresh)):
            return []
        keys, self._fresh = sorted(self._fresh), set()
        return [row for key in keys for row in self._publish(*key, BRIEF)]

    def windows(self) -> list[Key]:
        """Return all windows, the newest first."""
        keys = [(one.id, place) for one in self._sessions.values() for place in one.windows]
        return sorted(keys, key=lambda key: key[1][1], reverse=True)

    def published(self, key: Key) -> list[ConversionRow]:
        """Return the newest row of all that was ever published of a window, for a view.

        What was corrected comes as ``final``; nothing counts as published by this.
        """
        session_id, place = key
        session = self._sessions.get(session_id)
        window = session.window(place) if session else None
        if session is None or window is None:
            return []
        rows = [session.row(place, *one, one[2].status) for one in window.published()]
        if window.closed:
            session.pack(place)
        return rows

    def puts(self) -> list[tuple[bytes, bytes | None]]:
        """Return one changelog record per key that changed since the last call; None: gone."""
        return self._unsaved.take()

    def restore(self, key: bytes, value: bytes) -> None:
        """Put back what ``puts`` said last of one key; once for each key, in any order.

        Raises ValueError for a key of no known kind and for a value that cannot be read.
        """
        kind, session_id, at = parse_key(key)
        if kind == MARKS:
            self._marks = self._marks.replaced(_marks(value))
        elif kind == ABOUT:
            self._session(session_id).about = _about(value)
        elif kind == TOTAL:
            self._session(session_id).restore_total(at, value)
        else:
            self._session(session_id).restore_window(at, value)

    def restored(self) -> None:
        """Make ready what follows from the records, after the last of them."""
        self._waiting, self._fresh, self._urgent, self._due = set(), set(), set(), []
        for session in self._sessions.values():
            for place, window in session.windows.items():
                if isinstance(window, Window):
                    self._note(session, place, window)
            for place in session.open_windows():
                self._due.append((session.closes_at(place, self._policy), (session.id, place)))
        heapify(self._due)
        self._unsaved = Unsaved()  # all of it has just been read

    def _session(self, session_id: str) -> Session:
        session = self._sessions.get(session_id)
        if session is None:
            session = self._sessions[session_id] = Session(session_id)
        return session

    def _add(self, session: Session, pane: int, changes: list[Change]) -> None:
        for place in places(pane):
            window = session.window(place)
            if window is None:
                window = session.windows[place] = Window()
                heappush(self._due, (session.closes_at(place, self._policy), (session.id, place)))
            window.add(changes, place[0])
            self._note(session, place, window)

    def _set_end(self, session: Session, ts: int | None) -> None:
        session.about.ended = ts
        self._unsaved.put(session.about, ABOUT, session.id)
        if WHOLE in session.open_windows():
            heappush(self._due, (session.closes_at(WHOLE, self._policy), (session.id, WHOLE)))
            self._change_all(session, WHOLE)

    def _change_all(self, session: Session, place: Place) -> None:
        window = session.window(place)
        if window is not None:
            window.change_all()
            self._note(session, place, window)

    def _note(self, session: Session, place: Place, window: Window) -> None:
        self._unsaved.put(window, WINDOW, session.id, place)
        if window.changed:
            urgent = window.closed and place != WHOLE  # which may have very many rows
            (self._urgent if urgent else self._waiting).add((session.id, place))
            if window.is_fresh:
                self._fresh.add((session.id, place))

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
            self._change_all(session, place)
            self._urgent.add(key)
            self._waiting.discard(key)
            self._fresh.discard(key)

    def _publish(self, session_id: str, place: Place, scopes: Scopes) -> list[ConversionRow]:
        session = self._sessions[session_id]
        window = session.window(place)
        assert window is not None
        published = window.publish(scopes)
        self._unsaved.put(window, WINDOW, session.id, place)
        if window.closed:
            session.pack(place)
        return [session.row(place, *row) for row in published]

    def _forget(self) -> None:
        """Drop what the watermark has left too far behind, in whole blocks."""
        policy, watermark = self._policy, self.watermark
        if watermark is None:
            return
        oldest_ms = watermark - policy.past_limit_ms - policy.grace_ms
        before = oldest_ms // PANE_MS // BLOCK * BLOCK
        if before > self._marks.forgotten:
            self._marks.forgotten = before
            self._unsaved.put(self._marks, MARKS)
            for session in list(self._sessions.values()):
                self._forget_in(session, before, watermark)

    def _forget_in(self, session: Session, before: int, watermark: int) -> None:
        totals, windows = session.forget(before)
        for at in totals:
            self._unsaved.put(None, TOTAL, session.id, at)
        for place in windows:
            self._unsaved.put(None, WINDOW, session.id, place)
        if not session.last_sign():
            session.about.told = watermark  # the host told of it before there was a watermark
        self._unsaved.put(session.about, ABOUT, session.id)
        is_told = (session.id, WHOLE) not in self._waiting
        if is_told and not session.panes and session.last_sign() < before * PANE_MS:
            del self._sessions[session.id]
            self._unsaved.put(None, WINDOW, session.id, WHOLE)
            self._unsaved.put(None, ABOUT, session.id)
