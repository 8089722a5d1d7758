"""Runs of faults, one after another on one cluster, and what came of them."""

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from tests import redis_server
from tests.chaos.brokers import Cluster, running_cluster
from tests.chaos.checker import Violation, summarised
from tests.chaos.faults import Fault, Impossible
from tests.chaos.run import Outcome, Run
from tests.redis_server import RedisServer


@dataclass(frozen=True)
class Stage:
    """The servers that all runs share."""

    cluster: Cluster
    redis: RedisServer
    directory: Path


@contextmanager
def stage(directory: Path) -> Iterator[Stage]:
    """Start the servers, and end them with the block."""
    with ExitStack() as stack:
        cluster = stack.enter_context(running_cluster(directory / "kafka"))
        redis = stack.enter_context(redis_server.running(redis_server.newest()))
        yield Stage(cluster, redis, directory)


def outcomes(
    on: Stage,
    faults: Mapping[str, Fault],
    *,
    runs: int | None,
    seed: int,
    say: Callable[[str], None],
) -> Iterator[Outcome]:
    """Do the runs of each fault; ``runs`` replaces its own number."""
    for fault in faults.values():
        done = []
        for _ in range(fault.runs if runs is None else runs):
            try:
                outcome = execute(on, fault, seed)
            except Impossible as error:
                say(f"{fault.name:32} not run: {error}")
                break
            seed += 1
            if outcome.violations:
                say(f"FAILED {fault.name} seed {outcome.seed}: {on.directory / outcome.name}")
                for one in outcome.evidence:
                    say(f"    {one}")
            done.append(outcome)
            yield outcome
        if done:
            say(line(fault, done))


def line(fault: Fault, done: Sequence[Outcome]) -> str:
    """Return what is said of a fault: runs, violations, recovery seconds."""
    told = _summary(done)
    return (
        f"{fault.name:32} {told['runs']:4} runs {told['violations']:4} violations"
        f"   recovery {told['recovery_s_median']:5.1f} s (median)"
        f" {told['recovery_s_max']:5.1f} s (max)"
    )


def report(done: Sequence[Outcome]) -> dict[str, Any]:
    """Return the result of a campaign as JSON has it."""
    names = dict.fromkeys(one.fault for one in done)
    return {
        "runs": len(done),
        "violations": sum(one.violations for one in done),
        "records": sum(one.records for one in done),
        "by_fault": {name: _summary([o for o in done if o.fault == name]) for name in names},
        "failed": [
            {"fault": one.fault, "seed": one.seed, "evidence": one.evidence}
            for one in done
            if one.violations
        ],
    }


def _summary(done: Sequence[Outcome]) -> dict[str, Any]:
    recovery = [one.recovery_s for one in done] or [0.0]
    return {
        "runs": len(done),
        "violations": sum(one.violations for one in done),
        "recovery_s_median": round(median(recovery), 1),
        "recovery_s_max": round(max(recovery), 1),
        "workers_ended_by_themselves": sum(one.ended_by_itself for one in done),
    }


def execute(on: Stage, fault: Fault, seed: int) -> Outcome:
    """Do one run of a fault; one that breaks down is a violation of I7."""
    began = time.monotonic()
    outcome = Outcome(fault.name, seed)
    directory = on.directory / outcome.name
    directory.mkdir(parents=True)
    run = Run(on.cluster, on.redis, directory, seed=seed, shape=fault.shape)
    found: list[Violation] = []
    try:
        found += _conduct(run, fault, outcome)
    except Impossible:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, the campaign goes on with the next run
        found.append(Violation("I7", "the run", "comes to its end", traceback.format_exc()))
    finally:
        found += run.close()
        on.cluster.start()
    found += _unwanted_ends(run, fault)
    outcome.violations, told = summarised(found)
    outcome.evidence = [str(one) for one in told]
    outcome.records = run.oracle.expected.records
    outcome.triggers = len(run.oracle.expected.triggers)
    outcome.samples = run.watch.samples
    outcome.ended_by_itself = sum(not end.asked for end in run.fleet.ends)
    outcome.seconds = time.monotonic() - began
    (directory / "outcome.json").write_bytes(msgspec.json.encode(outcome))
    if not outcome.violations:
        for log in directory.glob("worker-*"):
            log.unlink()
    return outcome


def _conduct(run: Run, fault: Fault, outcome: Outcome) -> list[Violation]:
    if fault.prepare is not None:
        fault.prepare(run)
    run.begin()
    with run.feeding() as ended:
        fault.act(run)
        run.healed_s = time.monotonic()
        outcome.recovery_s = run.recover()
        sent = ended()
    found = run.check(fault.patience_s)
    if run.oracle.expected.records < sent:
        found.append(
            Violation("I6", "input", f"{sent} sent", f"{run.oracle.expected.records} there")
        )
    return found


def _unwanted_ends(run: Run, fault: Fault) -> Iterator[Violation]:
    if fault.peaceful:
        for end in run.fleet.ends:
            if not end.asked:
                yield Violation("I7", f"worker {end.number}", "keeps running", end.words)
