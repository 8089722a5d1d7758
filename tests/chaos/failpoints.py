"""Places in the worker where a test lets it die, or freeze, at exactly that moment."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer

from agents.engine.task import Task
from streams.store import State

#: Asks a worker to count its passages from now on.
ARM = signal.SIGRTMIN + 2


class Failpoint(NamedTuple):
    """Where, at which passage, with which signal to itself; counted once it is armed."""

    name: str
    passage: int = 1
    signal: int = signal.SIGKILL
    at_once: bool = False


async def between() -> None:
    """Stand between two transactions that should have been one; see ``mutants``."""


#: Name: class, method, and whether it strikes after the method rather than before.
PLACES: dict[str, tuple[Any, str, bool]] = {
    "restore": (State, "restore", False),
    "read": (Task, "offer", True),
    "step": (Task, "_settle", True),
    "begin": (AIOKafkaProducer, "begin_transaction", False),
    "batches": (AIOKafkaProducer, "send_offsets_to_transaction", False),
    "offsets": (AIOKafkaProducer, "commit_transaction", False),
    "commit": (AIOKafkaProducer, "commit_transaction", True),
    "between": (sys.modules[__name__], "between", False),
}


def install(failpoint: Failpoint) -> None:
    """Let this process strike itself at the failpoint, armed by ``ARM`` or at once."""
    owner, method, after = PLACES[failpoint.name]
    left = failpoint.passage if failpoint.at_once else 0

    def arm(*_: object) -> None:
        nonlocal left
        left = failpoint.passage

    def pass_by() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), failpoint.signal)

    signal.signal(ARM, arm)
    setattr(owner, method, _wrapped(getattr(owner, method), pass_by, after=after))


def _wrapped(
    method: Callable[..., Any], pass_by: Callable[[], None], *, after: bool
) -> Callable[..., Any]:
    if method.__name__ in {"restore", "offer"}:

        def plain(*args: Any, **options: Any) -> Any:
            if not after:
                pass_by()
            result = method(*args, **options)
            if after:
                pass_by()
            return result

        return plain

    async def awaited(*args: Any, **options: Any) -> Any:
        if not after:
            pass_by()
        result = await method(*args, **options)
        if after:
            pass_by()
        return result

    return awaited
