"""What the views in Redis say. Every reader takes a client whose replies are bytes."""

from collections.abc import Iterable
from itertools import chain
from typing import Any, TypeVar, cast

import msgspec
import redis
from msgspec import Struct, convert

from agents.views.batch import SessionView
from agents.views.keys import HOUR_MS, RISKS_SHOWN, Keys
from schemas.results import (
    ChurnRow,
    ConversionRow,
    CouponTrigger,
    RecommendationTrigger,
    Scope,
    Window,
)

DEFAULT_KEYS = Keys()

T = TypeVar("T", bound=Struct)


def read_sessions(r: redis.Redis, *, keys: Keys = DEFAULT_KEYS) -> list[SessionView]:
    """Return the sessions of the last day, the most recently active first."""
    names = [keys.session(member.decode()) for member in _highest(r, keys.sessions)]
    return _decoded(r.mget(names) if names else [], SessionView)


def read_total(
    r: redis.Redis, session_id: str, *, keys: Keys = DEFAULT_KEYS
) -> ConversionRow | None:
    """Return the row of the whole session, if there is one yet."""
    return next(iter(_decoded([r.get(keys.total(session_id))], ConversionRow)), None)


def read_rows(
    r: redis.Redis, session_id: str, window: Window, scope: Scope, *, keys: Keys = DEFAULT_KEYS
) -> list[ConversionRow]:
    """Return the rows of the last day by start, then by product or channel."""
    hours = [0] if window == "session" else map(int, _highest(r, keys.hours(session_id)))
    pipe = r.pipeline(transaction=False)
    for clock in hours:
        pipe.hvals(keys.rows(session_id, window, scope, clock * HOUR_MS))
    rows = _decoded(chain.from_iterable(pipe.execute()), ConversionRow)
    return sorted(rows, key=lambda row: (row.start, row.scope_id))


def read_top_risks(r: redis.Redis, session_id: str, *, keys: Keys = DEFAULT_KEYS) -> list[ChurnRow]:
    """Return the viewers who are most likely to leave, at most 50, the likeliest first."""
    viewers = _highest(r, keys.risks(session_id))[:RISKS_SHOWN]
    return _decoded(r.hmget(keys.churn(session_id), viewers) if viewers else [], ChurnRow)


def count_at_risk(r: redis.Redis, session_id: str, *, keys: Keys = DEFAULT_KEYS) -> int:
    """Return how many viewers of the session are at high risk now."""
    rows = _decoded(r.hvals(keys.churn(session_id)), ChurnRow)
    return sum(row.level == "high" for row in rows)


def read_triggers(
    r: redis.Redis, session_id: str, *, keys: Keys = DEFAULT_KEYS
) -> list[CouponTrigger | RecommendationTrigger]:
    """Return the last 200 triggers, the newest first."""
    return [decode_trigger(value) for value in _highest(r, keys.triggers(session_id))]


def decode_trigger(value: bytes) -> CouponTrigger | RecommendationTrigger:
    """Return a trigger of either kind."""
    fields = msgspec.json.decode(value)
    if "suggestions" in fields:
        return convert(fields, RecommendationTrigger)
    return convert(fields, CouponTrigger)


def _highest(r: redis.Redis, key: str) -> list[bytes]:
    """Return the members of a sorted set, the highest first."""
    return cast("list[bytes]", r.zrevrange(key, 0, -1))


def _decoded(values: Iterable[Any], kind: type[T]) -> list[T]:
    """Decode what is there; a key may have expired, a viewer may have left meanwhile."""
    return [msgspec.json.decode(value, type=kind) for value in values if value is not None]
