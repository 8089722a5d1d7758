"""The worker as the tests run it: the real one, in a process forked from one that has it loaded.

What a test adds is added here, by wrapping: failpoints, a wrong clock, detours, broken engines.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import conn
from faust.types import TP

from agents.engine.app import Worker
from agents.engine.run_worker import serve
from agents.engine.task import Task
from agents.settings import load
from streams.store import PANE, VISIT, State
from tests.chaos import failpoints, mutants
from tests.chaos.leash import end_with_tests

#: Asks a worker what it remembers; Faust takes the usual ones.
DUMP = signal.SIGRTMIN + 1
_encode = msgspec.msgpack.encode


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How a worker differs from the real one; as it stands, in nothing.

    ``detours``: connect to the other port instead of the one that a broker names.
    """

    failpoint: failpoints.Failpoint | None = None
    mutant: str | None = None
    clock_ahead_s: int = 0
    detours: dict[int, int] = field(default_factory=dict)


def main(variables: dict[str, str], log: str, engine: Engine) -> None:
    """Run a worker in this process, which ends with its parent; never returns."""
    end_with_tests()
    _say_into(log)
    for name in [name for name in os.environ if name.startswith("LIVEPULSE_")]:
        del os.environ[name]
    os.environ.update(variables)
    _install(engine)
    worker = Worker(load())
    signal.signal(DUMP, lambda *_: _dump(worker, Path(log).with_suffix(".memory")))
    serve(worker)


def _say_into(log: str) -> None:
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(target, 1)
    os.dup2(target, 2)


def _install(engine: Engine) -> None:
    if engine.clock_ahead_s:
        _turn_clock(engine.clock_ahead_s)
    if engine.detours:
        _take(engine.detours)
    if engine.mutant is not None:
        mutants.MUTANTS[engine.mutant]()
    if engine.failpoint is not None:
        failpoints.install(engine.failpoint)


def _turn_clock(ahead_s: int) -> None:
    seconds, nanoseconds = time.time, time.time_ns  # noqa: TID251 - it is the clock that is turned
    time.time = lambda: seconds() + ahead_s  # noqa: TID251 - as above
    time.time_ns = lambda: nanoseconds() + ahead_s * 1_000_000_000


def _take(detours: dict[int, int]) -> None:
    connect: Callable[..., None] = conn.AIOKafkaConnection.__init__

    def detoured(self: Any, host: str, port: int, **options: Any) -> None:
        connect(self, host, detours.get(port, port), **options)

    conn.AIOKafkaConnection.__init__ = detoured


# --- what the worker remembers -----------------------------------------------------------------


def _dump(worker: Worker, path: Path) -> None:
    """Write down the state of every task, in the form of changelog records, and the counts."""
    tasks = worker._tasks._tasks if worker._tasks else {}
    state = [(p, key, value) for p, t in tasks.items() for key, value in _records(t._state)]
    held = [one for p, t in sorted(tasks.items()) for one in _holding(worker, p, t)]
    memory = Memory(tasks=sorted(tasks), held=held, state=state)
    part = path.with_suffix(".part")
    part.write_bytes(_encode(memory))
    part.rename(path)


class Memory(msgspec.Struct, kw_only=True):
    """What a worker remembers: ``state`` is (partition, key, value).

    ``held``: what it believes to lag behind, and so holds its tasks back.
    """

    tasks: list[int]
    held: list[str]
    state: list[tuple[int, bytes, bytes]]


def _holding(worker: Worker, partition: int, task: Task) -> Iterator[str]:
    lane, intake = worker.app.consumer, task._intake
    for source in intake._order._waiting:
        if not intake._caught_up(source):
            tp = TP(*source)
            place, handed = lane._places.get(tp), lane._handed.get(tp)
            taken = intake.received.get(tp, intake.cursors.get(tp.partition))
            yield f"task {partition}: {tp}: (position, end) {place}, handed {handed}, {taken=}"


def _records(state: State) -> Iterator[tuple[bytes, bytes]]:
    for session in state.sessions.values():
        for viewer_id, visit in session.visits.glance():
            yield _encode((VISIT, session.id, viewer_id)), _encode(visit)
        for index, pane in session.panes.items():
            yield _encode((PANE, session.id, index)), _encode(pane)
