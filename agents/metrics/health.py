"""Is the worker alive, ready, started? Each verdict says why not.

Alive never depends on Kafka or Redis: to restart a worker mends neither.
"""

import time
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from agents.metrics.meters import Meters
from agents.metrics.redis_meter import RedisMeter
from agents.metrics.task_meter import TaskMeter
from agents.metrics.vitals import Vitals

#: The event loop stands still for seconds when a large state is put back; longer, it hangs.
LOOP_SILENT_S = 15.0
#: A task that has not come round for so long is in a commit that does not end, or in a loop.
TASK_SILENT_S = 15.0


class Verdict(Struct, frozen=True, kw_only=True):
    """The body of an answer. ``reasons``: why not; ``degraded``: what is lost for the time being.

    ``tasks``: how each task stands, by partition.
    """

    ok: bool
    reasons: list[str]
    degraded: list[str] = []
    tasks: dict[str, str] = {}


class Health:
    """Judges a worker by its meters; safe in any thread. ``dead`` names what ended by itself."""

    def __init__(
        self, meters: Meters, vitals: Vitals, redis: RedisMeter, dead: Callable[[], Iterable[str]]
    ) -> None:
        self._meters = meters
        self._vitals = vitals
        self._redis = redis
        self._dead = dead

    def alive(self) -> Verdict:
        """Judge whether the process works at all; if not, a restart is due."""
        reasons = [f"{name} has ended" for name in self._dead()]
        silent_s = self._vitals.silent_s
        if silent_s > LOOP_SILENT_S:
            reasons.append(f"the event loop has not ticked for {silent_s:.0f} s")
        return _verdict(reasons)

    def started(self) -> Verdict:
        """Judge whether the worker has had its first tasks and restored them."""
        return self._with_tasks([] if self._meters.was_assigned else list(self._unassigned()))

    def ready(self) -> Verdict:
        """Judge whether the worker does its share now; Redis may be away, and is then named."""
        reasons = [*self.alive().reasons]
        if self._meters.is_assigned:
            reasons += self._stuck()
        else:
            reasons += self._unassigned()
        return self._with_tasks(reasons)

    def _unassigned(self) -> Iterator[str]:
        starting = [one for one in list(self._meters.tasks.values()) if not one.is_ready]
        if starting:
            left = sum(one.restore_left for one in starting)
            yield f"{len(starting)} tasks restore their state, {left} records are left"
        elif self._meters.was_assigned:
            yield "the group rebalances"
        else:
            yield "the group has not assigned any partitions yet"

    def _stuck(self) -> Iterator[str]:
        for p, one in sorted(self._meters.tasks.items()):
            silent_s = time.monotonic() - one.turned_s
            if silent_s > TASK_SILENT_S:
                yield f"task {p} has neither worked nor committed for {silent_s:.0f} s"

    def _with_tasks(self, reasons: list[str]) -> Verdict:
        away = "Redis does not answer: coupons pause, screens stand still, no event is lost"
        return _verdict(
            reasons,
            degraded=[] if self._redis.is_up else [away],
            tasks={str(p): _say(one) for p, one in sorted(self._meters.tasks.items())},
        )


def _say(meter: TaskMeter) -> str:
    if meter.is_ready:
        return "runs"
    return f"restores, {meter.restore_left} records left" if meter.restored else "starts"


def _verdict(
    reasons: list[str], *, degraded: list[str] | None = None, tasks: dict[str, str] | None = None
) -> Verdict:
    return Verdict(ok=not reasons, reasons=reasons, degraded=degraded or [], tasks=tasks or {})
