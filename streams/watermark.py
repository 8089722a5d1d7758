"""The watermark: no older event is expected, so windows up to here may close.

Bounded out-of-orderness per topic (Flink's ``forBoundedOutOfOrderness``), the minimum over
the topics, without those that are idle. Elapsed time counts only when all topics are caught
up, so a stalled or lagging worker closes nothing early and a quiet room still closes.
"""

from collections.abc import Mapping

from streams.policy import Policy


class Watermark:
    """The watermark of one task; it never goes back."""

    __slots__ = ("_policy", "value")

    def __init__(self, policy: Policy, value: int | None = None) -> None:
        self._policy = policy
        self.value = value

    def advance(self, newest: Mapping[str, int], quiet_ms: Mapping[str, int]) -> int | None:
        """Return the watermark.

        ``newest``: the newest event time of each topic that has brought an event.
        ``quiet_ms``: for topics that are caught up, how long they have been silent.
        """
        if newest:
            idle = self._policy.idle_ms
            busy = [ts for topic, ts in newest.items() if quiet_ms.get(topic, 0) < idle]
            since = 0 if busy else min(quiet_ms[topic] for topic in newest)
            reached = (min(busy) if busy else max(newest.values()) + since) - (
                self._policy.watermark_bound_ms
            )
            self.value = reached if self.value is None else max(self.value, reached)
        return self.value
