"""Writes what a version leaves to the next one: ``python -m tests.upgrade.write FILE``."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from streams.policy import Policy
from streams.records import Record
from tests.upgrade import fixture, shapes
from tests.upgrade.fixture import Fixture
from tests.upgrade.story import STEPS_WITHOUT_BUDGET, Deaf, Tasks, room


def main() -> None:
    """Run the room to the middle, keep the state, go on from it, and keep what was said."""
    steps = room()
    before, after = Tasks(Policy()), Tasks(Policy())
    middle = _run_to_the_middle(before, steps)
    changelogs = [dict(sorted(log.records.items())) for log in before.logs]
    after.restore(changelogs)
    for records in steps[middle:]:
        after.read(records)
    after.close()
    left = Fixture(
        policy=msgspec.structs.asdict(Policy()),
        fields={name: shapes.fields(kind) for name, kind in shapes.structs().items()},
        kinds={kind: struct.__name__ for kind, struct in shapes.KINDS.items()},
        layout=shapes.layout(),
        changelogs=changelogs,
        steps=steps[middle:],
        said=after.said(),
        totals=after.totals,
    )
    fixture.write(Path(sys.argv[1]), left)


def _run_to_the_middle(tasks: Tasks, steps: Sequence[list[Record]]) -> int:
    """Return how many steps it took: half of them, and on until totals wait to be published."""
    half = len(steps) // 2
    for number, records in enumerate(steps):
        if number == half - STEPS_WITHOUT_BUDGET:
            tasks.world.ledger = Deaf()
        tasks.read(records)
        if number >= half and tasks.owe_totals():
            return number + 1
    raise ValueError("no total was ever left to be published: change the size of a step")


if __name__ == "__main__":
    main()
