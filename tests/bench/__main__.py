"""``python -m tests.bench [--events N] [--runs K] [--json] [--peers DIR]``: the whole table.

Everything in one run on one embedded broker a run, one after the other, so that the ratios
hold when the machine's speed drifts. Median of the runs.
"""

import argparse
import json
import os
import statistics
import sys
from pathlib import Path

from tests.bench import workload
from tests.bench.embedded import embedded_broker, embedded_redis, load, run_module
from tests.bench.peers import plain_faust

CHANGELOG_RECORDS = 150_000


def measure(events: int) -> dict[str, float]:
    """Measure the limit, the full job and the restore once, on a fresh broker."""
    with embedded_broker() as bootstrap, embedded_redis() as redis_url:
        env = os.environ | {
            "LIVEPULSE_KAFKA_BOOTSTRAP": bootstrap,
            "LIVEPULSE_KAFKA_CHECK_CRCS": "false",
            "LIVEPULSE_REDIS_URL": redis_url,
            "LIVEPULSE_LOG_LEVEL": "WARNING",
        }
        records = load(bootstrap, workload.records(events))
        limit = float(run_module("tests.bench.limit", str(records), env=env))
        full = json.loads(run_module("tests.bench.full_job", str(records), env=env))
    with embedded_broker() as bootstrap:
        env["LIVEPULSE_KAFKA_BOOTSTRAP"] = bootstrap
        restore = float(run_module("tests.bench.restore", str(CHANGELOG_RECORDS), env=env))
    return {
        "events_per_s": full["events_per_s"],
        "limit_events_per_s": limit,
        "cpu_us_per_event": full["cpu_us_per_event"],
        "restore_records_per_s": restore,
    }


def report(events: int, runs: int, peers: Path) -> dict[str, float | None]:
    """Return the medians of all figures."""
    measured = [measure(events) for _ in range(runs)]
    medians = {name: statistics.median(m[name] for m in measured) for name in measured[0]}
    memory = float(run_module("tests.bench.memory", str(events), env=dict(os.environ)))
    return {**medians, "bytes_per_viewer": memory, "plain_faust_events_per_s": plain_faust(peers)}


def table(figures: dict[str, float | None]) -> str:
    """Return the figures for people."""
    ours, limit = figures["events_per_s"] or 0, figures["limit_events_per_s"] or 1
    faust = figures["plain_faust_events_per_s"]
    lines = [
        f"full job, one worker       {ours:>10,.0f} events/s",
        f"read and decode only       {limit:>10,.0f} events/s   ({ours / limit:.0%} of it reached)",
        f"plain Faust                {faust:>10,.0f} events/s   ({ours / faust:.1f} times as many)"
        if faust
        else "plain Faust                not present: name the folder with --peers",
        f"CPU                        {figures['cpu_us_per_event']:>10.2f} us/event",
        f"state                      {figures['bytes_per_viewer']:>10,.0f} bytes/viewer",
        f"restore                    {figures['restore_records_per_s']:>10,.0f} records/s",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", type=Path, default=Path("../shared/peers"))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures = report(asked.events, asked.runs, asked.peers)
    sys.stdout.write(table(figures) + "\n")
    if asked.json:
        sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
