"""What a load needs: plain arithmetic on measured constants, for `livepulse plan`.

Every constant says whether it was measured (and by which command, on which machine) or assumed.
"""

import math
from typing import Literal

from msgspec import Struct

from streams.pace import TOTALS_A_TURN


class Constant(Struct, frozen=True):
    """A number that a plan reckons with. ``source``: the command that measures it, or why."""

    name: str
    value: float
    unit: str
    kind: Literal["measured", "assumed"]
    source: str


_BENCH = "make bench: 2-core virtual machine, Python 3.11"
_SIZES = "python -m tests.deploy.measure"

#: To be measured anew after every change that touches speed or sizes.
CONSTANTS = (
    Constant("cpu_us_per_event", 38.7, "us", "measured", _BENCH),
    Constant("cpu_us_per_total", 32.1, "us", "measured", _SIZES),
    Constant("state_bytes_per_viewer", 814, "B", "measured", _BENCH),
    Constant("restore_records_per_s", 216_245, "/s", "measured", _BENCH),
    Constant("input_bytes_per_event", 149, "B", "measured", _SIZES),
    Constant("changelog_bytes_per_event", 536, "B", "measured", _SIZES),
    Constant("changelog_records_per_event", 1.56, "", "measured", _SIZES),
    Constant("changelog_bytes_per_viewer", 361, "B", "measured", _SIZES),
    Constant("changelog_keys_per_viewer", 1.13, "", "measured", _SIZES),
    Constant("result_bytes_per_event", 41, "B", "measured", _SIZES),
    Constant("row_bytes_per_session_s", 28_146, "B", "measured", _SIZES),
    Constant("total_bytes", 591, "B", "measured", _SIZES),
    Constant("totals_per_session_s", 1.66, "/s", "measured", f"{_SIZES}; a task"),
    Constant("viewers_per_session", 500, "", "assumed", "as in the benchmark"),
    Constant("busy_share", 0.6, "", "assumed", "of a core; the rest catches up after an outage"),
    Constant("worker_bytes", 150e6, "B", "assumed", "without state: libraries, batches"),
    Constant("memory_headroom", 1.5, "x", "assumed", "allocator"),
    Constant("redis_bytes_per_viewer", 300, "B", "assumed", "risks, coupons, rows of the day"),
    Constant("restore_s", 30, "s", "assumed", "what a lost worker may cost its viewers"),
    Constant("least_workers", 2, "", "assumed", "so that one may be lost"),
    Constant("replication", 3, "x", "assumed", "copies of every record"),
    Constant("growth", 2, "x", "assumed", "partitions are for ever: room to grow"),
    Constant("uncompacted_s", 600, "s", "assumed", "segment.ms of rows and totals"),
    Constant("state_uncompacted_s", 120, "s", "assumed", "60 s of lag, a segment, the cleaner"),
    Constant("rewrites", 10, "x", "assumed", "a row or total is replaced until its pane is over"),
    Constant("early_totals", TOTALS_A_TURN, "", "assumed", "of a task, with a commit, at most"),
    Constant("commits_per_s", 10, "/s", "assumed", "a task: the default commit interval"),
)

Values = dict[str, float]


class Load(Struct, frozen=True, kw_only=True):
    """What is asked for. ``viewers``: those whose visit is in memory at the same time."""

    events_per_s: float
    viewers: int
    retention_s: float


class Plan(Struct, frozen=True, kw_only=True):
    """What the load needs; sizes in bytes, all copies included; ``kafka_in`` is a second's."""

    workers: int
    partitions: int
    cores_for_events: float
    cores_for_totals: float
    totals_per_s: float
    memory_per_worker: int
    restore_s: float
    kafka_in: float
    disk_events: float
    disk_results: float
    disk_tables: float
    disk_state: float
    transactions_per_s: float
    redis_memory: int


def plan(load: Load) -> Plan:
    """Work out what a load needs."""
    of = {constant.name: constant.value for constant in CONSTANTS}
    workers = _workers(load, of)
    partitions = partitions_for(workers, of)
    totals_per_s = _totals_per_s(load, partitions, of)
    state = load.viewers * of["state_bytes_per_viewer"] / (workers - 1)  # one may be lost
    return Plan(
        workers=workers,
        partitions=partitions,
        cores_for_events=load.events_per_s * of["cpu_us_per_event"] / 1e6,
        cores_for_totals=totals_per_s * of["cpu_us_per_total"] / 1e6,
        totals_per_s=totals_per_s,
        memory_per_worker=math.ceil(of["worker_bytes"] + state * of["memory_headroom"]),
        restore_s=_restore_all_s(load, of) / workers,
        kafka_in=_written(load, totals_per_s, of) * of["replication"],
        disk_events=_kept(load, load.events_per_s * of["input_bytes_per_event"], of),
        disk_results=_kept(load, load.events_per_s * of["result_bytes_per_event"], of),
        disk_tables=_disk_tables(load, totals_per_s, of),
        disk_state=_disk_state(load, of),
        transactions_per_s=partitions * of["commits_per_s"],
        redis_memory=math.ceil(load.viewers * of["redis_bytes_per_viewer"]),
    )


def partitions_for(workers: int, of: Values) -> int:
    """Return the next power of two: it divides evenly among most numbers of workers."""
    return 1 << math.ceil(math.log2(workers * of["growth"]))


def _workers(load: Load, of: Values) -> int:
    """Add workers until they suffice: more of them means more tasks, and so more totals."""
    restore = math.ceil(_restore_all_s(load, of) / of["restore_s"])
    workers = max(round(of["least_workers"]), restore)
    while (needed := _busy_workers(load, workers, of)) > workers:
        workers = needed
    return workers


def _busy_workers(load: Load, workers: int, of: Values) -> int:
    totals_per_s = _totals_per_s(load, partitions_for(workers, of), of)
    events = load.events_per_s * of["cpu_us_per_event"]
    return math.ceil((events + totals_per_s * of["cpu_us_per_total"]) / 1e6 / of["busy_share"])


def _totals_per_s(load: Load, partitions: int, of: Values) -> float:
    """Return the running totals a second: a task has one a session, but only if it has news."""
    sessions = math.ceil(load.viewers / of["viewers_per_session"])
    early = min(sessions, of["early_totals"]) * of["commits_per_s"]
    return min(load.events_per_s, partitions * (sessions * of["totals_per_session_s"] + early))


def _restore_all_s(load: Load, of: Values) -> float:
    """Return how long one worker would read the whole state, compacted and not yet compacted."""
    alive = load.viewers * of["changelog_keys_per_viewer"]
    written_per_s = load.events_per_s * of["changelog_records_per_event"]
    return (alive + written_per_s * of["state_uncompacted_s"]) / of["restore_records_per_s"]


def _written(load: Load, totals_per_s: float, of: Values) -> float:
    """Return the bytes a second that reach Kafka, from the producers and from us."""
    per_event = sum(
        of[f"{kind}_bytes_per_event"] for kind in ("input", "changelog", "result")
    )  # fmt: skip
    return load.events_per_s * per_event + _tables(load, totals_per_s, of)


def _tables(load: Load, totals_per_s: float, of: Values) -> float:
    """Return the bytes a second of rows and running totals."""
    sessions = math.ceil(load.viewers / of["viewers_per_session"])
    return sessions * of["row_bytes_per_session_s"] + totals_per_s * of["total_bytes"]


def _kept(load: Load, bytes_per_s: float, of: Values) -> float:
    return bytes_per_s * load.retention_s * of["replication"]


def _disk_tables(load: Load, totals_per_s: float, of: Values) -> float:
    """Return what compaction leaves of rows and totals, and what it has not seen yet."""
    written = _tables(load, totals_per_s, of)
    fresh = written * of["uncompacted_s"] * of["replication"]
    return _kept(load, written / of["rewrites"], of) + fresh


def _disk_state(load: Load, of: Values) -> float:
    """Return what is alive in the changelog, and what is not compacted yet."""
    alive = load.viewers * of["changelog_bytes_per_viewer"]
    fresh = load.events_per_s * of["changelog_bytes_per_event"] * of["state_uncompacted_s"]
    return (alive + fresh) * of["replication"]
