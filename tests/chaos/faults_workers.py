"""Faults of workers: killed, frozen, replaced, struck at a named moment."""

import signal
from dataclasses import replace

from tests.chaos.failpoints import ARM, Failpoint
from tests.chaos.faults import Act, fault
from tests.chaos.run import Run
from tests.chaos.site import SESSION_TIMEOUT_S

KILLS_IN_A_ROW = 20
#: A task passes most failpoints ten times a second.
PASSAGES = 30
_HOUR_S = 3_600


# --- kill -9 -----------------------------------------------------------------------------------


@fault(16)
def kill_one(run: Run) -> None:
    """Kill -9 of one of three."""
    run.wait(1.0, 3.0)
    run.fleet.kill(run.pick())


@fault(10)
def kill_all(run: Run) -> None:
    """Kill -9 of all of them within a moment."""
    run.wait(1.0, 3.0)
    run.fleet.each(run.fleet.kill)


@fault(4)
def kill_twenty(run: Run) -> None:
    """Kill -9 twenty times in a row, whether the last victim was back or not."""
    for _ in range(KILLS_IN_A_ROW):
        run.wait(0.0, 1.5)
        run.fleet.kill(run.pick())


# --- kill -9 at a named moment -----------------------------------------------------------------


def armed(name: str, number: int = signal.SIGKILL) -> Act:
    """Give worker 0 a failpoint before it starts."""

    def prepare(run: Run) -> None:
        run.fleet.arm(0, Failpoint(name, run.dice.randint(1, PASSAGES), number))

    return prepare


def strike(run: Run, number: int = 0) -> None:
    """Arm a worker's failpoint and wait until it has struck."""
    run.wait(1.0, 2.0)
    victim = run.fleet[number]
    victim.asked = True
    victim.signal(ARM)
    run.until("the failpoint strikes", lambda: victim.exit_code is not None or victim.is_frozen())


@fault(8, prepare=armed("read"))
def kill_after_read(run: Run) -> None:
    """Kill -9 when records were read and nothing was done with them."""
    strike(run)


@fault(8, prepare=armed("step"))
def kill_after_step(run: Run) -> None:
    """Kill -9 when events were applied and nothing was written."""
    strike(run)


@fault(8, prepare=armed("batches"))
def kill_in_transaction(run: Run) -> None:
    """Kill -9 when the results are written and the offsets are not."""
    strike(run)


@fault(8, prepare=armed("offsets"))
def kill_before_commit(run: Run) -> None:
    """Kill -9 when all is written and nothing is committed."""
    strike(run)


@fault(8, prepare=armed("commit"))
def kill_after_commit(run: Run) -> None:
    """Kill -9 when the transaction is committed and the worker does not know it yet."""
    strike(run)


@fault(8)
def kill_during_restore(run: Run) -> None:
    """Kill -9, and again while the next life reads its state back, twice."""
    run.wait(1.0, 2.0)
    victim = run.pick()
    for _ in range(2):
        run.fleet.arm(victim, Failpoint("restore", 1, at_once=True))
        run.fleet.kill(victim)
        run.until("the next life begins", lambda: run.fleet[victim].exit_code is None)
        life = run.fleet[victim]
        life.asked = True
        run.until("the failpoint strikes", lambda life=life: life.exit_code is not None)  # type: ignore[misc]


# --- zombies -----------------------------------------------------------------------------------


def outlive(run: Run, number: int) -> None:
    """Let the others take a frozen worker's tasks over, then let it go on: it must end."""
    zombie = run.fleet[number]
    run.wait(SESSION_TIMEOUT_S + 1.0)
    run.until("the others take over", run.places.passes(), limit_s=40.0)
    zombie.signal(signal.SIGCONT)
    run.until("the zombie ends", lambda: zombie.exit_code is not None)
    run.expect("exit code of the zombie", 1, zombie.exit_code)


@fault(6)
def zombie(run: Run) -> None:
    """SIGSTOP for longer than the session timeout, then SIGCONT."""
    run.wait(1.0, 3.0)
    number = run.pick()
    victim = run.fleet[number]
    run.until("the victim is at work", victim.is_at_work)
    victim.asked = True
    victim.signal(signal.SIGSTOP)
    outlive(run, number)


@fault(5, prepare=armed("begin", signal.SIGSTOP))
def zombie_before_transaction(run: Run) -> None:
    """SIGSTOP with results that are about to be written."""
    strike(run)
    outlive(run, 0)


@fault(5, prepare=armed("offsets", signal.SIGSTOP))
def zombie_in_transaction(run: Run) -> None:
    """SIGSTOP when all that is missing is the commit."""
    strike(run)
    outlive(run, 0)


# --- coming and going --------------------------------------------------------------------------


@fault(6, peaceful=True)
def join_and_leave(run: Run) -> None:
    """Two workers join, two leave, under load."""
    for new, old in ((3, 0), (4, 1)):
        run.fleet.start(new)
        run.wait(2.0, 4.0)
        run.expect(f"worker {old} leaves", 0, run.fleet.retire(old))


@fault(6, peaceful=True)
def rolling_restart(run: Run) -> None:
    """Every worker is asked to end and started again, one after the other."""
    for number in run.fleet.numbers():
        run.wait(0.5, 2.0)
        run.expect(f"worker {number} stops", 0, run.fleet.retire(number))
        run.fleet.start(number)


# --- time --------------------------------------------------------------------------------------


def skewed(run: Run) -> None:
    """Turn one worker's clock an hour ahead and another's an hour back."""
    for number, ahead_s in ((0, _HOUR_S), (1, -_HOUR_S)):
        run.fleet.engines[number] = replace(run.fleet.engines[number], clock_ahead_s=ahead_s)


@fault(6, prepare=skewed)
def clock_an_hour_off(run: Run) -> None:
    """Two workers live in other hours, and one of them is killed."""
    run.wait(2.0, 4.0)
    run.fleet.kill(run.dice.choice((0, 1)))
