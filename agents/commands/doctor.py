"""`livepulse doctor`: is everything there that a worker needs, and if not, how to mend it."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from agents.commands.printing import print_json
from agents.doctor import checks
from agents.doctor.checks import Check

_COLOURS: dict[str, str] = {"ok": "green", "warn": "yellow", "failed": "red", "skipped": "blue"}
#: How to mend what a client's error does not say how to mend.
_ELSE = "try again; if it stays, see the broker's log, and `livepulse topics acls` for permissions"


def doctor(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with every check.")
    ] = False,
) -> None:
    """Check settings, broker, topics, partitions and Redis; say how to mend what is wrong.

    \b
    The exit code is that of the first check that failed:
      0   all is well
      10  settings
      11  broker: unreachable, or its own settings forbid what a worker does
      12  topics: one is missing, or made wrong
      13  partitions: their number is not that of the settings
      14  Redis: unreachable, or it may lose coupon budgets

    Example: livepulse doctor --json | jq '.checks[] | select(.status=="failed")'
    """  # noqa: D301 - a real backspace character tells the help to keep the table's lines
    found = []
    for check in diagnose():
        found.append(check)
        if not as_json:
            _print(check)
    code = next((check.exit_code for check in found if check.status == "failed"), 0)
    if as_json:
        report = {"ok": code == 0, "exit_code": code, "checks": found}
        print_json(report)
    raise typer.Exit(code)


def _print(check: Check) -> None:
    typer.secho(f"{check.status:>7}", fg=_COLOURS[check.status], bold=True, nl=False)
    typer.echo(f"  {check.name:<13} {check.detail}")
    if check.mend:
        typer.echo(f"{'':>9}to mend: {check.mend}")


def diagnose() -> Iterator[Check]:
    """Look at everything in the order of the exit codes; yield each finding as it is made."""
    from agents.settings import SettingsError, load  # noqa: PLC0415 - keeps `--help` fast

    try:
        settings = load()
        settings.kafka_python_config()  # opens the TLS files
    except SettingsError as error:
        detail = f"{error.variable} ({error.source}): {error.problem}"
        yield checks.failed("settings", detail, mend=error.fix, exit_code=checks.SETTINGS)
        return
    yield checks.ok("settings", f"for {settings.app_id}, topics {settings.topic_prefix}*")
    yield from _broker(settings)
    from agents.doctor import redis_checks  # noqa: PLC0415 - costs 0.2 s; `--help` does not pay

    yield from redis_checks.judge(settings)


def _broker(settings: Any) -> Iterator[Check]:
    from kafka.errors import KafkaError  # noqa: PLC0415 - keeps `--help` fast

    from agents import admin, topics  # noqa: PLC0415 - as above
    from agents.doctor import broker_checks, broker_facts  # noqa: PLC0415 - as above

    specs = topics.topics(settings)
    try:
        with admin.open_admin(settings) as client:
            found = admin.existing(client, [spec.name for spec in specs])
            facts = broker_facts.gather(settings, client, found)
    except admin.Unreachable as error:
        detail, _, mend = str(error).rpartition("; ")
        yield from _no_answer(detail, mend)
        return
    except KafkaError as error:
        yield from _no_answer(f"{settings.kafka_bootstrap} answers, but not all: {error}", _ELSE)
        return
    yield checks.ok("broker", f"answers at {settings.kafka_bootstrap}")
    wrong = topics.differences(specs, found, bootstrap=settings.kafka_bootstrap)
    yield from _topics(found, [item for item in wrong if item.kind != "partitions"])
    if found:
        yield from _partitions(settings, [item for item in wrong if item.kind == "partitions"])
    if facts is not None:
        yield from broker_checks.judge(specs, facts, bootstrap=settings.kafka_bootstrap)


def _no_answer(detail: str, mend: str) -> Iterator[Check]:
    yield checks.failed("broker", detail, mend=mend, exit_code=checks.BROKER)
    for name in ("topics", "partitions"):
        yield checks.skipped(name, "no broker to ask")


def _topics(found: dict[str, Any], wrong: list[Any]) -> Iterator[Check]:
    missing = [item.topic for item in wrong if item.kind == "missing"]
    if missing:
        detail = f"{len(missing)} do not exist: {', '.join(missing)}"
        yield checks.failed(
            "topics", detail, mend="livepulse topics create", exit_code=checks.TOPICS
        )
    for item in wrong:
        if item.kind == "cleanup":
            detail = f"{item.topic} {item.problem}"
            yield checks.failed("topics", detail, mend=item.mend, exit_code=checks.TOPICS)
    if any(topic.cleanup is None for topic in found.values()):
        detail = "the broker does not tell this user the cleanup policies: run it as admin, too"
        yield Check(name="topics", status="warn", detail=detail)
    elif not wrong:
        yield checks.ok("topics", f"all {len(found)} exist, with the right cleanup policy")


def _partitions(settings: Any, wrong: list[Any]) -> Iterator[Check]:
    for item in wrong:
        detail = f"{item.topic} {item.problem}: partition p of every topic belongs to task p"
        yield checks.failed("partitions", detail, mend=item.mend, exit_code=checks.PARTITIONS)
    if not wrong:
        yield checks.ok("partitions", f"{settings.partitions} in each existing topic")
