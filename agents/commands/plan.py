"""`livepulse plan`: how many workers, partitions and bytes a load needs."""

from typing import TYPE_CHECKING, Annotated

import typer

from agents.commands.durations import seconds
from agents.commands.printing import print_json

if TYPE_CHECKING:
    from agents.plan import Constant, Load, Plan

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_THOUSAND = 1_000


def plan(
    *,
    events_per_s: Annotated[float, typer.Option(min=0.1, help="Events a second, at the peak.")],
    viewers: Annotated[int, typer.Option(min=1, help="Viewers present at the same time.")],
    retention: Annotated[str, typer.Option(help="How long events and results are kept: 12h, 7d.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object: load, plan, constants.")
    ] = False,
) -> None:
    """Say what a load needs, and by which numbers: each is measured or assumed.

    Nothing is asked of any server. Example: livepulse plan --events-per-s 20000 --viewers 200000
    --retention 7d
    """
    from agents.plan import CONSTANTS, Load  # noqa: PLC0415 - keeps `--help` fast
    from agents.plan import plan as planned  # noqa: PLC0415 - as above

    load = Load(
        events_per_s=events_per_s, viewers=viewers, retention_s=seconds(retention, "--retention")
    )
    result = planned(load)
    if as_json:
        print_json({"load": load, "plan": result, "constants": CONSTANTS})
        return
    for what, value, why in _lines(load, result):
        typer.echo(f"{what:<22}{value:>14}  {why}".rstrip())
    typer.echo("\nreckoned with")
    for constant in CONSTANTS:
        typer.echo(_constant(constant))


def size(count: float) -> str:
    """Return bytes as people read them, in powers of ten, as disks are sold."""
    unit = 0
    while round(count, 1) >= _THOUSAND and unit < len(_UNITS) - 1:
        count, unit = count / _THOUSAND, unit + 1
    return f"{count:,.{1 if unit else 0}f} {_UNITS[unit]}"


def _lines(load: "Load", plan: "Plan") -> list[tuple[str, str, str]]:
    cores = plan.cores_for_events + plan.cores_for_totals
    parts = f"{plan.cores_for_events:,.1f} for events, {plan.cores_for_totals:,.1f} for totals"
    days = f"{load.retention_s / 86_400:,.1f} days, all copies"
    return [
        ("workers", f"{plan.workers:,}", f"one core each, {cores / plan.workers:.0%} busy"),
        ("partitions a topic", f"{plan.partitions:,}", "fixed once there is state"),
        ("busy cores", f"{cores:,.1f}", parts),
        ("running totals", f"{plan.totals_per_s:,.0f} /s", "from tasks to the merging tasks"),
        ("memory a worker", size(plan.memory_per_worker), "also when another is lost"),
        ("takeover", f"{plan.restore_s:,.1f} s", "reading a lost worker's state back"),
        ("into Kafka", f"{size(plan.kafka_in)}/s", "events, state and results, all copies"),
        ("disk for events", size(plan.disk_events), days),
        ("disk for results", size(plan.disk_results), days),
        ("disk for tables", size(plan.disk_tables), f"compacted, {days}"),
        ("disk for state", size(plan.disk_state), "compacted, all copies"),
        ("transactions", f"{plan.transactions_per_s:,.0f} /s", "one a commit of each task"),
        ("Redis memory", size(plan.redis_memory), ""),
    ]


def _constant(constant: "Constant") -> str:
    value = f"{constant.value:,.10g} {constant.unit}".rstrip()
    return f"  {constant.kind:<9} {constant.name:<27}{value:>13}  {constant.source}"
