"""The full job in one worker, from the first event to the commit of the last.

Usage: python -m tests.bench.full_job RECORDS; prints one JSON line and ends the process.
"""

import json
import logging
import os
import sys
import threading
import time

from agents.engine import run_worker
from agents.engine.app import Worker
from agents.settings import load

_EVERY_S = 0.01


def watch(worker: Worker, records: int) -> None:
    """Wait for the first event and for the last commit, then report and end the process."""
    while not _seen(worker):
        time.sleep(_EVERY_S)
    began_s, began_cpu_s, before = time.perf_counter(), time.process_time(), _seen(worker)
    while _seen(worker) < records:
        time.sleep(_EVERY_S)
    written = worker.meters.records_written
    while worker.meters.records_written == written:  # the commit that holds the last event
        time.sleep(_EVERY_S)
    seconds = time.perf_counter() - began_s
    events = records - before
    report = {
        "events_per_s": round(events / seconds),
        "cpu_us_per_event": round((time.process_time() - began_cpu_s) / events * 1e6, 2),
        "coupons": worker.meters.results["coupons"],
        "recommendations": worker.meters.results["recommendations"],
        "records_written": worker.meters.records_written,
    }
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()
    os._exit(0)


def _seen(worker: Worker) -> int:
    meters = worker.meters
    return sum(meters.events.values()) + meters.duplicates + sum(meters.dead_letters.values())


def main(records: int) -> None:
    """Run the worker until all records are committed."""
    logging.basicConfig(level=logging.WARNING)
    worker = Worker(load())
    threading.Thread(target=watch, args=(worker, records), daemon=True).start()
    run_worker.serve(worker)


if __name__ == "__main__":
    main(int(sys.argv[1]))
