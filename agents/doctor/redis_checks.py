"""Whether a Redis is as livepulse needs it: it answers, keeps its data and evicts nothing."""

import time
from collections.abc import Iterator
from typing import Any

import redis
from redis.exceptions import NoPermissionError

from agents.doctor import checks
from agents.doctor.broker_checks import clock
from agents.doctor.checks import Check
from agents.redis_client import connect_sync
from agents.settings import Settings


def judge(settings: Settings) -> Iterator[Check]:
    """Look at Redis; yield each finding as it is made."""
    address = settings.masked()["redis_url"]
    try:
        with connect_sync(settings) as client:
            memory, kept = client.info("memory"), client.info("persistence")
            points = _save_points(client)
            skew_s = _skew_s(client)
    except redis.AuthenticationError as error:
        mend = "correct LIVEPULSE_REDIS_USERNAME and LIVEPULSE_REDIS_PASSWORD"
        yield _failed("redis", f"{address} lets this user not in: {error}", mend=mend)
        return
    except (redis.RedisError, OSError) as error:
        mend = "start it, or correct LIVEPULSE_REDIS_URL and its user and password"
        yield _failed("redis", f"no Redis answers at {address}: {error}", mend=mend)
        return
    yield checks.ok("redis", f"answers at {address}")
    yield persistence(kept, points)
    yield eviction(int(memory["maxmemory"]), str(memory["maxmemory_policy"]))
    yield clock(skew_s, "Redis")


def _save_points(client: Any) -> str | None:
    """Return when snapshots are made; None where this user may not see it."""
    try:
        return str(client.config_get("save").get("save", ""))
    except NoPermissionError:
        return None


def _skew_s(client: Any) -> float:
    """Return how far this machine's clock is ahead of Redis', in seconds."""
    before = time.time()  # noqa: TID251 - agents own the clock
    seconds, micros = client.time()
    after = time.time()  # noqa: TID251 - agents own the clock
    return (before + after) / 2 - float(seconds + micros / 1e6)


def persistence(info: dict[str, Any], save_points: str | None) -> Check:
    """Judge whether what was promised of coupon budgets outlives a crash of Redis."""
    mend = "redis-cli CONFIG SET appendonly yes (and in redis.conf)"
    if info["aof_enabled"]:
        if info.get("aof_last_write_status", "ok") == "ok":
            return checks.ok("redis", "keeps its data in an append-only file")
        mend = "make room on its disk, and look into its log"
        return _failed("redis", "cannot write its append-only file", mend=mend)
    if save_points is None or save_points:
        detail = "keeps snapshots at most: a crash forgets the coupons promised since the last one"
        return checks.warn("redis", detail, mend=mend)
    detail = "keeps nothing: after a restart coupons may go beyond their budgets"
    return _failed("redis", detail, mend=mend)


def eviction(maxmemory: int, policy: str) -> Check:
    """Judge Redis' memory limit (bytes, 0 for none): coupon budgets must not be evicted."""
    if maxmemory == 0 or policy == "noeviction":
        limit = f"{maxmemory} bytes" if maxmemory else "no limit"
        return checks.ok("redis memory", f"{limit}, {policy}")
    detail = f"maxmemory-policy {policy} may evict coupon budgets, which would be spent again"
    mend = "redis-cli CONFIG SET maxmemory-policy noeviction (and in redis.conf)"
    return _failed("redis memory", detail, mend=mend)


def _failed(name: str, detail: str, *, mend: str) -> Check:
    return checks.failed(name, detail, mend=mend, exit_code=checks.REDIS)
