"""The watermark: no older event is expected, so windows up to here may close.

Bounded out-of-orderness per topic (Flink's ``forBoundedOutOfOrderness``), the minimum over
the topics, without those that are idle. Elapsed time counts only when all topics are caught
up, so a stalled or lagging worker closes nothing early and a quiet room still closes.
"""

from collections.abc import Mapping

from streams.policy import Policy


class Watermark:
    """The watermark of one task; it never goes back.

    ``counted``: how much of the present silence, in ms, is in it already.
    """

    __slots__ = ("_policy", "counted", "value")

    def __init__(self, policy: Policy, value: int | None = None, counted: int = 0) -> None:
        self._policy = policy
        self.value = value
        self.counted = counted

    def advance(
        self,
        newest: Mapping[str, int],
        quiet_ms: Mapping[str, int],
        *,
        lagging: bool = False,
        foremost: int | None = None,
    ) -> int | None:
        """Return the watermark.

        ``newest``: the newest event time of each topic that has brought an event.
        ``quiet_ms``: for topics that are caught up, how long they have been silent.
        ``lagging``: some source is not caught up, so time does not pass by itself.
        ``foremost``: the foremost task's watermark; who is caught up and silent follows it.
        """
        idle, bound = self._policy.idle_ms, self._policy.watermark_bound_ms
        busy = [ts for topic, ts in newest.items() if quiet_ms.get(topic, 0) < idle]
        if busy:
            if any(ms < idle for ms in quiet_ms.values()):  # else some only lag for a moment
                self.counted = 0
            self._reach(min(busy) - bound)
        elif newest:
            self._reach(max(newest.values()) - bound)
            self._pass(min(quiet_ms[topic] for topic in newest), lagging=lagging)
        silent = not lagging and min(quiet_ms.values(), default=0) >= idle
        if silent and foremost is not None:
            self._reach(foremost)
        return self.value

    def _reach(self, ms: int) -> None:
        self.value = ms if self.value is None else max(self.value, ms)

    def _pass(self, silence_ms: int, *, lagging: bool) -> None:
        """Let the watermark move with the time that passed: on from where it is.

        Not from the newest event: a late one, or a new owner, begins a silence in mid-time.
        """
        known = self.counted if self.counted <= silence_ms else 0  # else it is another silence
        if not lagging:
            self._reach((self.value or 0) + silence_ms - known)
        self.counted = silence_ms
