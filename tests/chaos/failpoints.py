"""Places in the worker where a test lets it die, or freeze, at exactly that moment."""

import inspect
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer

from agents.engine.task import Task
from agents.engine.transaction import Out
from streams.results import Results
from streams.store import State

#: Asks a worker to count its passages from now on.
ARM = signal.SIGRTMIN + 2


class Failpoint(NamedTuple):
    """Where, at which passage, with which signal to itself; counted once it is armed."""

    name: str
    passage: int = 1
    signal: int = signal.SIGKILL
    at_once: bool = False


async def between(_: Sequence[Out]) -> None:
    """Stand between two transactions that should have been one; see ``mutants``."""


def _any(*_: object) -> bool:
    return True


def _decided(_: Task, __: object, results: Results) -> bool:
    return bool(results.recommendations)


def _triggers(records: Sequence[Out]) -> bool:
    return any(record.topic.endswith("triggers") for record in records)


class Place(NamedTuple):
    """A method, struck before it or ``after``; passages with other arguments do not count."""

    owner: Any
    method: str
    after: bool = False
    counts: Callable[..., bool] = _any


#: By the name that a ``Failpoint`` gives.
PLACES: dict[str, Place] = {
    "restore": Place(State, "restore"),
    "read": Place(Task, "offer", after=True),
    "step": Place(Task, "_settle", after=True),
    "trigger": Place(Task, "_commit_all", counts=_decided),
    "begin": Place(AIOKafkaProducer, "begin_transaction"),
    "batches": Place(AIOKafkaProducer, "send_offsets_to_transaction"),
    "offsets": Place(AIOKafkaProducer, "commit_transaction"),
    "commit": Place(AIOKafkaProducer, "commit_transaction", after=True),
    "between": Place(sys.modules[__name__], "between", counts=_triggers),
}


def install(failpoint: Failpoint) -> None:
    """Let this process strike itself at the failpoint, armed by ``ARM`` or at once."""
    place = PLACES[failpoint.name]
    left = failpoint.passage if failpoint.at_once else 0

    def arm(*_: object) -> None:
        nonlocal left
        left = failpoint.passage

    def pass_by(*passing: Any) -> None:
        nonlocal left
        if not place.counts(*passing):
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), failpoint.signal)

    signal.signal(ARM, arm)
    setattr(place.owner, place.method, _wrapped(place, pass_by))


def _wrapped(place: Place, pass_by: Callable[..., None]) -> Callable[..., Any]:
    method = getattr(place.owner, place.method)
    if inspect.iscoroutinefunction(method):

        async def awaited(*args: Any, **options: Any) -> Any:
            if not place.after:
                pass_by(*args)
            result = await method(*args, **options)
            if place.after:
                pass_by(*args)
            return result

        return awaited

    def plain(*args: Any, **options: Any) -> Any:
        if not place.after:
            pass_by(*args)
        result = method(*args, **options)
        if place.after:
            pass_by(*args)
        return result

    return plain
