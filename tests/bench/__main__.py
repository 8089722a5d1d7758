"""``python -m tests.bench [--events N] [--runs K] [--json] [--peers DIR]``: the whole table.

Each run measures everything, one after the other, and has its own ratios: they hold when the
machine's speed drifts between the runs. Median of the runs.
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
from tests.bench.steal import Steal

CHANGELOG_RECORDS = 150_000


def measure(events: int, peers: Path) -> dict[str, float]:
    """Measure the limit, the full job, the restore and plain Faust once, on fresh brokers."""
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
    ours, faust = full["events_per_s"], plain_faust(peers)
    beside = {"plain_faust_events_per_s": faust, "times_plain_faust": ours / faust} if faust else {}
    return {
        "events_per_s": ours,
        "limit_events_per_s": limit,
        "share_of_limit": ours / limit,
        "cpu_us_per_event": full["cpu_us_per_event"],
        "restore_records_per_s": restore,
        **beside,
    }


def report(events: int, runs: int, peers: Path) -> dict[str, float]:
    """Return the medians of all figures."""
    steal = Steal()
    measured = [measure(events, peers) for _ in range(runs)]
    medians = {name: statistics.median(m[name] for m in measured) for name in measured[0]}
    memory = float(run_module("tests.bench.memory", str(events), env=dict(os.environ)))
    figures = {**medians, "bytes_per_viewer": memory, "stolen": steal.share()}
    return {name: round(value, 2) for name, value in figures.items()}


def table(of: dict[str, float]) -> str:
    """Return the figures for people."""
    lines = [
        f"full job, one worker       {of['events_per_s']:>10,.0f} events/s",
        f"read and decode only       {of['limit_events_per_s']:>10,.0f} events/s",
        f"  of it reached            {of['share_of_limit']:>10.0%}",
        f"CPU                        {of['cpu_us_per_event']:>10.2f} us/event",
        f"state                      {of['bytes_per_viewer']:>10,.0f} bytes/viewer",
        f"restore                    {of['restore_records_per_s']:>10,.0f} records/s",
        f"given to others            {of['stolen']:>10.0%} of the processors, by the host",
    ]
    if "times_plain_faust" in of:
        lines += [
            f"plain Faust                {of['plain_faust_events_per_s']:>10,.0f} events/s",
            f"  the full job beside it   {of['times_plain_faust']:>10.1f} times as many",
        ]
    else:
        lines += ["plain Faust                not present: name the folder with --peers"]
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
        sys.stdout.write(json.dumps({"plain_faust_events_per_s": None} | figures) + "\n")


if __name__ == "__main__":
    main()
