"""The checker is checked: an engine that is broken on purpose must be caught."""

import signal

import pytest

from tests.chaos.campaign import Stage, execute
from tests.chaos.engine import Engine
from tests.chaos.failpoints import Failpoint
from tests.chaos.faults import Act, Fault
from tests.chaos.faults_workers import kill_one, strike
from tests.chaos.run import Outcome, Run
from tests.chaos.site import SESSION_TIMEOUT_S

pytestmark = pytest.mark.kafka

PATIENCE_S = 5.0


def broken(mutant: str, failpoint: Failpoint | None = None) -> Act:
    """Break every worker, in all its lives, and give the first one a failpoint."""

    def prepare(run: Run) -> None:
        run.fleet.engines.default_factory = lambda: Engine(mutant=mutant)
        if failpoint is not None:
            run.fleet.arm(0, failpoint)

    return prepare


def caught(outcome: Outcome) -> set[str]:
    """Return the invariants that were violated, with what they speak of."""
    return {" ".join(one.split()[:2]) for one in outcome.evidence}


def outlive(run: Run) -> None:
    """Let the others take a frozen worker's tasks over, then let it go on."""
    strike(run)
    run.wait(SESSION_TIMEOUT_S + 1.0)
    run.until("the others take over", run.places.passes(), limit_s=40.0)
    run.fleet[0].signal(signal.SIGCONT)
    run.wait(2.0)


def test_offsets_before_the_changelog_are_caught(on: Stage) -> None:
    """Committed first and killed in between: events are lost, and I1, I4 and I6 say so."""
    fault = Fault(
        name="offsets-first", act=strike, runs=1, patience_s=PATIENCE_S,
        prepare=broken("offsets-first", Failpoint("between")),
    )  # fmt: skip
    outcome = execute(on, fault, 1)
    assert {"I1 state", "I4", "I6 event"} <= {
        one if not one.startswith("I4") else "I4" for one in caught(outcome)
    }


def test_a_zombie_that_is_not_fenced_is_caught(on: Stage) -> None:
    """A new transactional id per start lets a zombie write: what it says comes twice."""
    prepare = broken("no-fencing", Failpoint("trigger", signal=signal.SIGSTOP))
    fault = Fault(name="no-fencing", act=outlive, runs=1, prepare=prepare, patience_s=PATIENCE_S)
    outcome = execute(on, fault, 2)
    assert "I3" in {one[:2] for one in caught(outcome)}


def test_deltas_instead_of_running_totals_are_caught(on: Stage) -> None:
    """A publisher that forgets what it has told doubles the conversion table."""
    fault = Fault(
        name="deltas", act=kill_one, runs=1, prepare=broken("deltas"), patience_s=PATIENCE_S
    )
    outcome = execute(on, fault, 3)
    assert "I1 conversion" in caught(outcome)
