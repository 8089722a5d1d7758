"""`livepulse doctor`: is everything there that a worker needs, and if not, how to mend it."""

import time
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import typer
from msgspec import Struct

from agents.commands.printing import print_json

Status = Literal["ok", "warn", "failed", "skipped"]

_SETTINGS, _BROKER, _TOPICS, _PARTITIONS, _REDIS = 10, 11, 12, 13, 14
_COLOURS: dict[str, str] = {"ok": "green", "warn": "yellow", "failed": "red", "skipped": "blue"}
#: A task waits this long for late events, so a clock that is further off is a real fault.
_SKEW_S = 2.0
_REDIS_TIMEOUT_S = 3.0


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was looked at. ``exit_code`` is used when it failed."""

    name: str
    status: Status
    detail: str
    mend: str = ""
    exit_code: int = 0


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
      11  broker
      12  topics: one is missing, or has the wrong cleanup policy
      13  partitions: their number is not that of the settings
      14  Redis: unreachable, or it may evict coupon budgets

    Example: livepulse doctor --json | jq '.checks[] | select(.status=="failed")'
    """  # noqa: D301 - a real backspace character tells the help to keep the table's lines
    checks = []
    for check in diagnose():
        checks.append(check)
        if not as_json:
            _print(check)
    code = next((check.exit_code for check in checks if check.status == "failed"), 0)
    if as_json:
        report = {"ok": code == 0, "exit_code": code, "checks": checks}
        print_json(report)
    raise typer.Exit(code)


def _print(check: Check) -> None:
    typer.secho(f"{check.status:>7}", fg=_COLOURS[check.status], bold=True, nl=False)
    typer.echo(f"  {check.name:<12} {check.detail}")
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
        yield _failed("settings", detail, mend=error.fix, exit_code=_SETTINGS)
        return
    yield _ok("settings", f"for {settings.app_id}, topics {settings.topic_prefix}*")
    yield from _broker(settings)
    yield from _redis(settings)


def _broker(settings: Any) -> Iterator[Check]:
    from kafka.errors import KafkaError  # noqa: PLC0415 - keeps `--help` fast

    from agents import admin, topics  # noqa: PLC0415 - as above

    specs = topics.topics(settings)
    try:
        with admin.open_admin(settings) as client:
            found = admin.existing(client, [spec.name for spec in specs])
    except (admin.Unreachable, KafkaError) as error:
        detail, _, mend = str(error).rpartition("; ")
        yield _failed("broker", detail, mend=mend, exit_code=_BROKER)
        for name in ("topics", "partitions"):
            yield Check(name=name, status="skipped", detail="no broker to ask")
        return
    yield _ok("broker", f"answers at {settings.kafka_bootstrap}")
    wrong = topics.differences(specs, found, bootstrap=settings.kafka_bootstrap)
    yield from _topics(found, [item for item in wrong if item.kind != "partitions"])
    if found:
        yield from _partitions(settings, [item for item in wrong if item.kind == "partitions"])


def _topics(found: dict[str, Any], wrong: list[Any]) -> Iterator[Check]:
    missing = [item.topic for item in wrong if item.kind == "missing"]
    if missing:
        detail = f"{len(missing)} do not exist: {', '.join(missing)}"
        yield _failed("topics", detail, mend="livepulse topics create", exit_code=_TOPICS)
    for item in wrong:
        if item.kind == "cleanup":
            detail = f"{item.topic} {item.problem}"
            yield _failed("topics", detail, mend=item.mend, exit_code=_TOPICS)
    if any(topic.cleanup is None for topic in found.values()):
        detail = "this broker does not tell its cleanup policies (the demo's does not)"
        yield Check(name="topics", status="warn", detail=detail)
    elif not wrong:
        yield _ok("topics", f"all {len(found)} exist, with the right cleanup policy")


def _partitions(settings: Any, wrong: list[Any]) -> Iterator[Check]:
    for item in wrong:
        detail = f"{item.topic} {item.problem}"
        yield _failed("partitions", detail, mend=item.mend, exit_code=_PARTITIONS)
    if not wrong:
        yield _ok("partitions", f"{settings.partitions} in each existing topic")


def _redis(settings: Any) -> Iterator[Check]:
    import redis  # noqa: PLC0415 - costs 0.2 s; only this check pays

    address = settings.masked()["redis_url"]
    try:
        client = redis.from_url(
            **settings.redis_config(),
            retry=None,
            socket_timeout=_REDIS_TIMEOUT_S,
            socket_connect_timeout=_REDIS_TIMEOUT_S,
        )
        with client:
            memory = client.info("memory")
            skew_s = _skew_s(client)
    except (redis.RedisError, OSError) as error:
        detail = f"no Redis answers at {address}: {error}"
        mend = "start it, or correct LIVEPULSE_REDIS_URL and its user and password"
        yield _failed("redis", detail, mend=mend, exit_code=_REDIS)
        return
    yield _ok("redis", f"answers at {address}")
    yield eviction(int(memory["maxmemory"]), str(memory["maxmemory_policy"]))
    yield clock(skew_s)


def _skew_s(client: Any) -> float:
    """Return how far this machine's clock is ahead of Redis', in seconds."""
    before = time.time()  # noqa: TID251 - agents own the clock
    seconds, micros = client.time()
    after = time.time()  # noqa: TID251 - agents own the clock
    return (before + after) / 2 - float(seconds + micros / 1e6)


def eviction(maxmemory: int, policy: str) -> Check:
    """Judge Redis' memory limit (bytes, 0 for none): coupon budgets must not be evicted."""
    if maxmemory == 0 or policy == "noeviction":
        limit = f"{maxmemory} bytes" if maxmemory else "no limit"
        return _ok("redis memory", f"{limit}, {policy}")
    return _failed(
        "redis memory",
        f"maxmemory-policy {policy} may evict coupon budgets, which would be spent again",
        mend="redis-cli CONFIG SET maxmemory-policy noeviction (and in redis.conf)",
        exit_code=_REDIS,
    )


def clock(skew_s: float) -> Check:
    """Judge this machine's clock against Redis', in seconds ahead."""
    if abs(skew_s) <= _SKEW_S:
        return _ok("clock", f"within {_SKEW_S:g} s of the clock of Redis")
    direction = "ahead of" if skew_s > 0 else "behind"
    detail = f"{abs(skew_s):.1f} s {direction} the clock of Redis"
    return Check(name="clock", status="warn", detail=detail, mend="synchronise both with NTP")


def _ok(name: str, detail: str) -> Check:
    return Check(name=name, status="ok", detail=detail)


def _failed(name: str, detail: str, *, mend: str, exit_code: int) -> Check:
    return Check(name=name, status="failed", detail=detail, mend=mend, exit_code=exit_code)
