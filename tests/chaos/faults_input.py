"""Faults of the input: repeated, out of order, late, replayed; in half of the runs with a kill."""

from tests.chaos.faults import fault
from tests.chaos.run import Run
from tests.chaos.workload import Shape

_LOAD_S = 6.0


def _load(run: Run) -> None:
    run.wait(_LOAD_S / 2)
    if run.dice.random() < 0.5:
        run.fleet.kill(run.pick())
    run.wait(_LOAD_S / 2)


@fault(6, shape=Shape(repeats=0.3))
def input_duplicated(run: Run) -> None:
    """Three events in ten come again a little later."""
    _load(run)


@fault(6, shape=Shape(jitter_ms=5_000))
def input_shuffled(run: Run) -> None:
    """Events arrive up to five seconds after those that came about later."""
    _load(run)


@fault(6, shape=Shape(late=0.1))
def input_late(run: Run) -> None:
    """One event in ten is up to ten minutes late."""
    _load(run)


@fault(6)
def input_replayed(run: Run) -> None:
    """Say the last 1,200 events again, as an upstream job does that starts from a checkpoint."""
    _load(run)
    run.send(list(run.workload.sent))
