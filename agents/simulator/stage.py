"""The clock, the dice and the agenda that all processes of a world share.

A process is a generator that yields how many milliseconds it sleeps until its next line.
"""

import math
from collections.abc import Generator, Iterator
from heapq import heappop, heappush
from itertools import product
from random import Random
from typing import Any
from zlib import crc32

from schemas.events import Event

Process = Generator[int, None, None]
Told = tuple[Event, bytes]
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Dice(Random):
    """Seeded randomness with the words that the processes use."""

    def chance(self, probability: float) -> bool:
        """Decide whether something of this probability happens now."""
        return self.random() < probability

    def between_ms(self, low_s: float, high_s: float) -> int:
        """Draw a wait, evenly spread, in milliseconds."""
        return int(1_000 * (low_s + (high_s - low_s) * self.random()))

    def about_ms(self, mean_s: float) -> int:
        """Draw a memoryless wait with this mean, in milliseconds."""
        return int(1_000 * self.expovariate(1 / mean_s))

    def heavy_ms(self, scale_s: float, shape: float) -> int:
        """Draw a wait with a heavy tail (Lomax), in ms: often short, now and then huge."""
        return int(1_000 * scale_s * ((1 - self.random()) ** (-1 / shape) - 1))

    def zipf(self, size: int, exponent: float) -> int:
        """Draw a rank below ``size``: rank k in proportion to 1 / (k + 1) ** exponent."""
        power = 1 - exponent
        spread = 1 + self.random() * ((size + 1) ** power - 1)
        return min(size - 1, int(spread ** (1 / power)) - 1)

    def poisson(self, mean: float) -> int:
        """Draw how many memoryless arrivals fall into a span that has ``mean`` of them."""
        limit, arrivals = math.exp(-min(mean, 500.0)), 0
        chance = self.random()
        while chance > limit:
            arrivals += 1
            chance *= self.random()
        return arrivals


def salted_ids(prefix: str, *salt: int) -> Iterator[str]:
    """Make short ids without end that differ from those of other prefixes and salts."""
    stem = prefix + _base36(crc32(repr(salt).encode()) % 36**4, width=4)
    return (stem + "".join(tail) for tail in product(DIGITS, repeat=6))


def _base36(number: int, *, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 36)
        digits.append(DIGITS[digit])
    return "".join(reversed(digits))


class Stage:
    """Runs the processes in order of event time and keeps what they tell.

    ``told`` counts all the events that they told.
    """

    def __init__(
        self,
        *,
        dice: Dice,
        opens_ms: int,
        event_ids: Iterator[str],
        order_ids: Iterator[str],
        offer_ids: Iterator[str],
    ) -> None:
        self.dice = dice
        self.now_ms = opens_ms
        self.told = 0
        self._outbox: list[Told] = []
        self.event_ids = event_ids
        self.order_ids = order_ids
        self.offer_ids = offer_ids
        # Who has a turn at which millisecond, first come first served, and those moments.
        self._agenda: dict[int, list[Process]] = {}
        self._moments: list[int] = []

    def start(self, process: Process, *, after_ms: int = 0) -> None:
        """Let ``process`` have its first turn ``after_ms`` from now."""
        due_ms = self.now_ms + after_ms
        turns = self._agenda.get(due_ms)
        if turns is None:
            self._agenda[due_ms] = [process]
            heappush(self._moments, due_ms)
        else:
            turns.append(process)

    def next_ms(self) -> float:
        """Return the event time of the next turn; infinite when nobody has one."""
        return self._moments[0] if self._moments else math.inf

    def step(self) -> None:
        """Go to the next moment and give everybody who waited for it their turn."""
        self.now_ms = heappop(self._moments)
        for process in self._agenda.pop(self.now_ms):
            wait_ms = next(process, None)
            if wait_ms is not None:
                self.start(process, after_ms=wait_ms)

    def tell(self, kind: type[Event], session_id: str, key: bytes, /, **fields: Any) -> None:
        """Tell that something happened now: one event, to be sent under ``key``."""
        event_id = next(self.event_ids)
        event = kind(id=event_id, ts=self.now_ms, session_id=session_id, **fields)
        self._outbox.append((event, key))
        self.told += 1

    def take_told(self) -> list[Told]:
        """Hand over what was told since the last call, each with its record key."""
        told, self._outbox = self._outbox, []
        return told
