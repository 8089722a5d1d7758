"""The coupon budget that all workers share: one Lua script in Redis, never an exception.

The script carries the trigger id, so asking again is harmless. When Redis does not answer in
time, the coupon is "unavailable": the stream goes on without it.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Sequence
from importlib import resources
from itertools import islice
from typing import Any, cast, get_args

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from agents.metrics.redis_meter import RedisMeter
from agents.redis_client import reason
from agents.views.keys import BUDGET_KEPT_MS, KEPT_MS, Keys
from streams.budget import Answer, Release, Reservation

log = logging.getLogger(__name__)

SCRIPT = resources.files("agents.engine").joinpath("budget.lua").read_bytes()
SHA = hashlib.sha1(SCRIPT).hexdigest()  # noqa: S324  Redis names scripts by their SHA-1

#: Releases and promises that Redis has not taken yet; at most so many are kept, the newest.
MAX_OWED = 100_000
#: So many go along with one call: about 80 ms, well within the time limit.
OWED_AT_ONCE = 1_000


class RedisBudget:
    """Reserves and releases amounts of an offer's budget; ``Ledger`` says by which rule.

    When Redis does not answer it is left alone for ``pause_s``, so that an outage costs one
    ``timeout_s`` a second and not one a batch. ``failures`` counts the calls that failed, wholly
    or in part.

    A reservation that is answered "unavailable" may still have been made. Release it, but only
    after the decision not to send the coupon is committed: a replay could send it after all.
    """

    def __init__(
        self,
        client: Redis,
        keys: Keys,
        *,
        timeout_s: float = 0.5,
        pause_s: float = 1.0,
        meter: RedisMeter | None = None,
    ) -> None:
        self.failures = 0
        self._meter = meter or RedisMeter()
        self._client = client
        self._keys = keys
        self._timeout_s = timeout_s
        self._pause_s = pause_s
        self._closed_until = 0.0
        self._down = False
        self._owed: dict[tuple[str, str], Release | Reservation] = {}

    async def reserve(self, wanted: Sequence[Reservation]) -> list[Answer]:
        """Answer every reservation, in order, within ``timeout_s`` in all."""
        if not wanted:
            return []
        return await self._ask(wanted)

    async def release(self, done: Sequence[Release]) -> None:
        """Give the amounts back; what Redis does not take goes along with the next calls.

        Call it at every commit, with an empty list if need be.
        """
        self._owed |= {(one.session_id, one.trigger_id): one for one in done}
        for trigger in list(islice(self._owed, max(0, len(self._owed) - MAX_OWED))):
            del self._owed[trigger]
        await self._ask([])

    @property
    def has_room(self) -> bool:
        """Whether there is room for reminders: the next calls can take what is owed."""
        return len(self._owed) < OWED_AT_ONCE

    def remind(self, claims: Iterable[Reservation | Release]) -> None:
        """Tell Redis, along with the next calls, what was granted and what has ended before.

        It may have lost it, or never heard it. What it still knows it answers as before; a coupon
        whose money was given back meanwhile holds nothing.
        """
        for one in claims:
            self._owed.setdefault((one.session_id, one.trigger_id), one)

    async def _ask(self, wanted: Sequence[Reservation]) -> list[Answer]:
        """Send what is owed and what is wanted in one pipeline; return the answers wanted."""
        owed = dict(islice(self._owed.items(), OWED_AT_ONCE))
        replies = await self._replies([*owed.values(), *wanted])
        for trigger, reply in zip(owed, replies, strict=False):
            if _answer(reply) != "unavailable" and self._owed.get(trigger) is owed[trigger]:
                del self._owed[trigger]
        return [_answer(reply) for reply in replies[len(owed) :]]

    async def _replies(self, requests: Sequence[Reservation | Release]) -> list[Any]:
        """Return a reply or an error for every request."""
        loop = asyncio.get_running_loop()
        if not requests or loop.time() < self._closed_until:
            return [None] * len(requests)
        try:
            with self._meter.timed("budget"):
                async with asyncio.timeout(self._timeout_s):
                    replies = await self._run(requests)
        except (RedisError, OSError) as error:  # OSError: also the timeout
            self._closed_until = loop.time() + self._pause_s
            replies = [error] * len(requests)
        self._note(next((r for r in replies if isinstance(r, Exception)), None))
        return replies

    async def _run(self, requests: Sequence[Reservation | Release]) -> list[Any]:
        replies = await self._send(requests)
        if any(isinstance(reply, NoScriptError) for reply in replies):
            await self._client.script_load(SCRIPT)
            replies = await self._send(requests)  # the ids make it harmless to send all again
        return replies

    async def _send(self, requests: Sequence[Reservation | Release]) -> list[Any]:
        pipe = self._client.pipeline(transaction=False)
        for request in requests:
            pipe.evalsha(SHA, 2, *self._arguments(request))
        return await pipe.execute(raise_on_error=False)

    def _arguments(self, request: Reservation | Release) -> tuple[str | int, ...]:
        keys = (
            self._keys.answer(request.session_id, request.trigger_id),
            self._keys.budget(request.session_id),
        )
        if isinstance(request, Release):
            return (*keys, "release", request.offer_id, 0, 0, 0, KEPT_MS, BUDGET_KEPT_MS)
        money = (request.amount, request.budget, request.expires_at)
        return (*keys, "reserve", request.offer_id, *money, KEPT_MS, BUDGET_KEPT_MS)

    def _note(self, error: Exception | None) -> None:
        """Count a failure and log the first and the last of an outage."""
        if error is not None:
            self.failures += 1
            if not self._down:
                log.warning("coupon budget: Redis fails, coupons pause: %s", reason(error))
        elif self._down:
            log.info("coupon budget: Redis answers again")
        self._down = error is not None


def _answer(reply: object) -> Answer:
    text = reply.decode() if isinstance(reply, bytes) else None
    return cast("Answer", text) if text in get_args(Answer) else "unavailable"
