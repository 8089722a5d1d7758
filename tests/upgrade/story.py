"""A room that is upgraded in the middle, and the tasks that live through it.

Runs under the code of the version before as well: it imports only what both have.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any

import msgspec
from msgspec import Struct

from agents.engine.output import decode_total
from streams.budget import Answer, Ledger, Reservation
from streams.policy import Policy
from streams.records import Record
from streams.store import State
from streams.totals import Mark, WindowTotal
from tests.streams.test_store import Changelog
from tests.streams.world import HOST, World, simulated

TASKS = 2
RECORDS_A_STEP = 10
#: So long before the middle the budget cannot be asked: coupons are left pending.
STEPS_WITHOUT_BUDGET = 40

#: What one task publishes to ``live.window-totals`` in one step, as the values of the records.
Totals = list[bytes]

_json = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode


class Said(Struct):
    """What was said, as the values of the topics' records; in which order does not matter."""

    triggers: list[bytes]
    decisions: list[bytes]
    churn: list[bytes]
    rows: list[bytes]  # of each row the newest


class Deaf(Ledger):
    """A budget that cannot be asked just now."""

    def reserve(self, _wanted: Reservation) -> Answer:
        """Answer nothing."""
        return "unavailable"


def room() -> list[list[Record]]:
    """Return what three sessions send, step by step; the smallest ends long before the middle.

    Some of it comes late, twice or broken.
    """
    usual: dict[str, Any] = {
        "tasks": TASKS, "late_share": 0.04, "duplicate_share": 0.01, "bad_share": 0.003,
    }  # fmt: skip
    small = simulated(seed=11, events=250, rate=6.0, sessions=1, viewers=60, products=4, **usual)
    large = simulated(
        seed=12, events=2_800, rate=10.0, sessions=2, viewers=150, products=5,
        characters=("stock_out", "flash_sale"), **usual,
    )  # fmt: skip
    records = _in_one_log(sorted(small + large, key=lambda record: record.timestamp))
    return [records[i : i + RECORDS_A_STEP] for i in range(0, len(records), RECORDS_A_STEP)]


def _in_one_log(records: Iterable[Record]) -> list[Record]:
    offsets: defaultdict[tuple[str, int], Iterator[int]] = defaultdict(count)
    return [one._replace(offset=next(offsets[one.topic, one.partition])) for one in records]


class Tasks:
    """All tasks of the room, or one ``alone`` while another version runs the others."""

    def __init__(self, policy: Policy, *, alone: bool = False) -> None:
        self.world = World(TASKS, policy)
        if alone:
            del self.world.tasks[1:]
        self.logs = [Changelog() for _ in self.world.tasks]
        self.written: set[bytes] = set()  # keys of the changelogs
        self.totals: list[list[Totals]] = []  # by step, then by task
        self._host_offsets: dict[int, int] = {}

    def restore(self, changelogs: Sequence[dict[bytes, bytes]]) -> None:
        """Take over from those who wrote this."""
        for task, log, records in zip(self.world.tasks, self.logs, changelogs, strict=False):
            log.append(list(records.items()))
            state = State(task.state.partition, TASKS, self.world.policy)
            state.restore(records)
            task.restart(state)

    def read(self, records: Sequence[Record]) -> None:
        """Let each task read what is its own, step and commit."""
        self._host_offsets |= {
            one.partition: one.offset + 1 for one in records if one.topic == HOST
        }
        self.world.read(records)
        self._commit()

    def close(self) -> None:
        """Let two minutes pass in silence, and commit."""
        self.world.close()
        self._commit()

    def hear(self, totals: Totals) -> None:
        """Merge what a task of the other version has published."""
        self.world._merge(map(decode_total, totals))

    def owe_totals(self) -> bool:
        """Tell whether a task has still to publish what it counted."""
        return any(task.state.progress.unpublished for task in self.world.tasks)

    def said(self) -> Said:
        """Return what the tasks have said."""
        results = self.world.results
        return Said(
            triggers=sorted(map(_json, [*results.coupons, *results.recommendations])),
            decisions=sorted(map(_json, results.decisions)),
            churn=sorted(map(_json, results.churn)),
            rows=sorted(map(_json, self.world.rows.values())),
        )

    def _commit(self) -> None:
        for task, log in zip(self.world.tasks, self.logs, strict=True):
            task.state.progress.host_offsets = dict(self._host_offsets)
            puts = list(task.state.puts(task.order.newest()))
            self.written.update(key for key, value in puts if value is not None)
            log.append(puts)
        self.totals.append(self._published())

    def _published(self) -> list[Totals]:
        said = self.world.results
        by_task: list[Totals] = [[] for _ in self.world.tasks]
        published: list[WindowTotal | Mark] = [*said.totals, *said.marks]
        for one in published:
            by_task[one.partition].append(_pack(one))
        said.totals, said.marks = [], []
        return by_task
