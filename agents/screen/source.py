"""Reads a session's views from Redis: only what has changed, old rows only now and then.

Errors of Redis pass through: the hub says so to the clients and asks again.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import Any, cast, get_args

import msgspec
from redis.asyncio import Redis

from agents.views.batch import SessionView
from agents.views.keys import HOUR_MS, KEPT_MS, RISKS_KEPT, TRIGGERS_KEPT, Keys, hour
from agents.views.reading import decode_trigger
from schemas.codes import WHY_NOT
from schemas.results import ChurnRow, ConversionRow, Scope, Window
from streams.glance import Glance
from streams.journal import Marked, Outcome
from streams.material import Material
from streams.rates import LINE_SIZE, SESSION_WINDOW, counts, money, people, rates
from streams.screen import TriggerCounts, TriggerKind
from streams.state import Shelf
from streams.totals import PANE_MS

#: What a session's channel may announce.
KINDS = frozenset({"conversion", "session", "glance", "churn", "triggers", "markers"})
#: Rows of panes that may still change often: 5 min, and what is not final yet.
RECENT = 36
#: Rows that change rarely are read again so often.
OLD_EVERY_MS = 10_000
MINUTE_MS = 60_000

_TRIGGER_KINDS: tuple[TriggerKind, ...] = get_args(TriggerKind)
#: From the weakest to the strongest: a trigger that was shown and then accepted is accepted.
_OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

_row = msgspec.json.Decoder(ConversionRow).decode
_churn = msgspec.json.Decoder(ChurnRow).decode
_glance = msgspec.json.Decoder(Glance).decode
_shelf = msgspec.json.Decoder(Shelf).decode
_view = msgspec.json.Decoder(SessionView).decode
_marked = msgspec.json.Decoder(Marked).decode


class Source:
    """One session's ``material``, kept up to date; ``panes`` are the rows of the last hour."""

    def __init__(self, client: Redis, keys: Keys, session_id: str) -> None:
        self.panes: dict[int, ConversionRow] = {}
        self.material: Material | None = None
        self._client = client
        self._keys = keys
        self._id = session_id
        self._raw: dict[int, bytes] = {}  # panes as they were read
        self._fresh: set[int] = set()  # panes that nobody was told of: a read may fail halfway
        self._old_at = 0  # when the old rows were read

    async def read(
        self, changed: AbstractSet[str], now_ms: int
    ) -> tuple[Material | None, set[int]]:
        """Return the material, and the starts of the panes that are new or different.

        ``changed``: which kinds of views have changed since the last time. None: nobody
        knows the session.
        """
        everything = self.material is None or now_ms - self._old_at >= OLD_EVERY_MS
        kinds = KINDS if everything else changed
        if kinds & {"glance", "session"} and not await self._read_parts(now_ms):
            return None, set()
        m = self.material
        assert m is not None
        m.at = now_ms
        if kinds & {"conversion"}:
            await self._read_rows(m)
        if kinds & {"triggers", "markers"}:
            await self._read_deeds(m, whole=everything)
        if kinds & {"churn"}:
            await self._read_risks(m)
        if everything:
            await self._read_old(m)
            self._old_at = now_ms
        fresh, self._fresh = self._fresh & self.panes.keys(), set()
        return m, fresh

    async def _read_parts(self, now_ms: int) -> bool:
        """Read what the tasks say; False when there is nothing of this session."""
        keys, pipe = self._keys, self._client.pipeline(transaction=False)
        pipe.get(keys.session(self._id))
        pipe.get(keys.shelf(self._id))
        pipe.hvals(keys.glance(self._id))
        pipe.hgetall(keys.budget(self._id))
        pipe.get(keys.total(self._id))
        view, shelf, glances, spent, total = await pipe.execute()
        if view is None and shelf is None and total is None:
            self.material = None
            return False
        m = self.material
        if m is None:
            m = self.material = Material(
                session_id=self._id, at=now_ms, total=empty_total(self._id, now_ms)
            )
        m.title = _view(view).title if view else m.title
        m.shelf = _shelf(shelf) if shelf else m.shelf
        m.total = _row(total) if total else m.total
        m.glances = [_glance(one) for one in glances]
        m.spent = {offer.decode(): int(amount) for offer, amount in spent.items()}
        return True

    async def _read_rows(self, m: Material) -> None:
        pipe = self._client.pipeline(transaction=False)
        pipe.get(self._keys.total(self._id))
        pipe.hvals(self._keys.rows(self._id, "session", "product", 0))
        total, products = await pipe.execute()
        m.total = _row(total) if total else m.total
        m.products = [_row(one) for one in products]
        newest = m.total.end - PANE_MS
        starts = range(newest - (RECENT - 1) * PANE_MS, newest + 1, PANE_MS)
        self._note_panes(await self._panes_at(starts))
        m.panes = [self.panes[start] for start in starts if start in self.panes]

    async def _panes_at(self, starts: Iterable[int]) -> list[bytes | None]:
        by_hour: dict[int, list[str]] = {}
        for start in starts:
            by_hour.setdefault(hour(start), []).append(f"{start}/{self._id}")
        pipe = self._client.pipeline(transaction=False)
        for clock, fields in by_hour.items():
            pipe.hmget(self._keys.rows(self._id, "10s", "session", clock * HOUR_MS), fields)
        return list(chain.from_iterable(await pipe.execute()))

    def _note_panes(self, found: Iterable[bytes | None]) -> None:
        """Keep the rows, and the starts of those that were not known as they are."""
        known = set(self._raw.values())
        for raw in found:
            if raw is not None and raw not in known:
                row = _row(raw)
                self.panes[row.start], self._raw[row.start] = row, raw
                self._fresh.add(row.start)

    async def _read_old(self, m: Material) -> None:
        """Read the last hour's panes and all windows of 5 min; forget what is older."""
        hours = await _hours(self._client, self._keys, self._id)
        oldest = m.total.end - HOUR_MS
        pipe = self._client.pipeline(transaction=False)
        for clock in hours:
            pipe.hvals(self._keys.rows(self._id, "5m", "session", clock * HOUR_MS))
        for clock in (hour(oldest), hour(m.total.end)):
            pipe.hvals(self._keys.rows(self._id, "10s", "session", clock * HOUR_MS))
        replies = await pipe.execute()
        m.fives = [_row(one) for one in chain.from_iterable(replies[: len(hours)])]
        self._note_panes(chain.from_iterable(replies[len(hours) :]))
        for start in [start for start in self.panes if start < oldest]:
            del self.panes[start], self._raw[start]

    async def _read_deeds(self, m: Material, *, whole: bool) -> None:
        """Read what was sent, what became of it, and what is marked on the timeline."""
        keys, pipe = self._keys, self._client.pipeline(transaction=False)
        # The page shows an hour; of what is over there is a report, which shows all of it.
        since = m.clock - HOUR_MS if m.shelf.ended is None else m.clock - KEPT_MS
        pipe.zrevrange(keys.triggers(self._id), 0, TRIGGERS_KEPT - 1)
        pipe.zrangebyscore(keys.markers(self._id), since, "+inf")
        for reason in WHY_NOT:
            pipe.scard(keys.held(self._id, reason))
        triggers, markers, *held = await pipe.execute()
        m.triggers = [decode_trigger(one) for one in triggers]
        m.markers = [_marked(one) for one in markers]
        m.held = dict(zip(WHY_NOT, held, strict=True))
        for kind in _TRIGGER_KINDS:
            m.counts[kind] = await self._count(kind)
        m.outcomes = await self._outcomes([one.trigger_id for one in m.triggers])
        if whole:
            m.sent_by_minute = await self._minutes(m, max(since, m.total.start))
        else:
            m.sent_by_minute |= await self._minutes(m, m.clock - MINUTE_MS)

    async def _count(self, kind: TriggerKind) -> TriggerCounts:
        keys, pipe = self._keys, self._client.pipeline(transaction=False)
        pipe.zcard(keys.sent(self._id, kind))
        pipe.hvals(keys.revenue(self._id, kind))
        for outcome in _OUTCOMES:
            pipe.scard(keys.outcome(self._id, kind, outcome))
        sent, revenue, *became = await pipe.execute()
        return TriggerCounts(
            sent=sent,
            revenue=sum(map(int, revenue)),
            **dict(zip(_OUTCOMES, became, strict=True)),
        )

    async def _outcomes(self, ids: list[str]) -> dict[str, Outcome]:
        if not ids:
            return {}
        pipe = self._client.pipeline(transaction=False)
        asked = [(outcome, kind) for outcome in _OUTCOMES for kind in _TRIGGER_KINDS]
        for outcome, kind in asked:
            pipe.smismember(self._keys.outcome(self._id, kind, outcome), ids)
        found: dict[str, Outcome] = {}
        for (outcome, _), members in zip(asked, await pipe.execute(), strict=True):
            found |= {one: outcome for one, is_in in zip(ids, members, strict=True) if is_in}
        return found

    async def _minutes(self, m: Material, since: int) -> dict[int, int]:
        """Count the triggers that were sent in each minute from then on."""
        starts = range(since - since % MINUTE_MS, m.clock + 1, MINUTE_MS)
        pipe = self._client.pipeline(transaction=False)
        for start in starts:
            for kind in _TRIGGER_KINDS:
                pipe.zcount(self._keys.sent(self._id, kind), start, f"({start + MINUTE_MS}")
        found = iter(await pipe.execute())
        return {start: sum(next(found) for _ in _TRIGGER_KINDS) for start in starts}

    async def _read_risks(self, m: Material) -> None:
        name = self._keys.risks(self._id)
        viewers = cast("list[bytes]", await self._client.zrevrange(name, 0, RISKS_KEPT - 1))
        rows: list[Any] = []
        if viewers:
            rows = await self._client.hmget(self._keys.churn(self._id), viewers)
        m.risks = [_churn(one) for one in rows if one is not None]


async def read_lines(client: Redis, keys: Keys, ids: list[str], now_ms: int) -> list[Material]:
    """Return of each session that is known what its line in a list needs."""
    pipe = client.pipeline(transaction=False)
    for session_id in ids:
        pipe.mget(keys.session(session_id), keys.total(session_id), keys.shelf(session_id))
        pipe.hvals(keys.glance(session_id))
    replies = iter(await pipe.execute())
    found = []
    for session_id, (view, total, shelf), glances in zip(ids, replies, replies, strict=False):
        if total is not None or shelf is not None:
            found.append(
                Material(
                    session_id=session_id,
                    at=now_ms,
                    title=_view(view).title if view else "",
                    total=_row(total) if total else empty_total(session_id, now_ms),
                    shelf=_shelf(shelf) if shelf else Shelf(),
                    glances=[_glance(one) for one in glances],
                )
            )
    return found


async def read_ids(client: Redis, keys: Keys) -> list[str]:
    """Return the sessions of the last day, the most recently active first."""
    members = cast("list[bytes]", await client.zrevrange(keys.sessions, 0, -1))
    return [one.decode() for one in members]


def empty_total(session_id: str, now_ms: int) -> ConversionRow:
    """Return the row of a session that has been announced and not entered by anybody yet."""
    sums = [0] * LINE_SIZE
    return ConversionRow(
        session_id=session_id, scope="session", scope_id=session_id, window="session",
        start=now_ms, end=now_ms, status="provisional", revision=0, announced=True, currency=None,
        counts=counts(sums), people=people(sums, "session"), money=money(sums),
        rates=rates(sums, "session", SESSION_WINDOW), present=0, peak_present=0,
    )  # fmt: skip


async def read_rows(
    client: Redis, keys: Keys, session_id: str, window: Window, scope: Scope
) -> list[ConversionRow]:
    """Return the rows of the last day by start, then by product or channel."""
    hours = [0]
    if window != "session":
        hours = list(
            map(int, cast("list[bytes]", await client.zrange(keys.hours(session_id), 0, -1)))
        )
    pipe = client.pipeline(transaction=False)
    for clock in hours:
        pipe.hvals(keys.rows(session_id, window, scope, clock * HOUR_MS))
    rows = [_row(one) for one in chain.from_iterable(await pipe.execute())]
    return sorted(rows, key=lambda row: (row.start, row.scope_id))


async def _hours(client: Redis, keys: Keys, session_id: str) -> list[int]:
    return list(map(int, cast("list[bytes]", await client.zrange(keys.hours(session_id), 0, -1))))
