"""How often somebody may ask: a bucket of tokens for each, filled at a steady rate."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

#: Buckets that are remembered; of those who asked longest ago none is missed, it is full again.
REMEMBERED = 10_000


class Limiter:
    """Lets each key through ``burst`` times at once and ``per_s`` times a second in the long run.

    ``clock`` gives seconds.
    """

    def __init__(self, *, per_s: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # level, when

    def wait_s(self, key: str) -> float:
        """Return 0 and count a request, or return in how many seconds to come again."""
        now = self._clock()
        level, then = self._buckets.pop(key, (float(self._burst), now))
        level = min(level + (now - then) * self._per_s, self._burst)
        allowed = level >= 1
        self._buckets[key] = (level - 1 if allowed else level, now)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - level) / self._per_s
