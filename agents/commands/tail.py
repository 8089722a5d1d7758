"""`livepulse tail`: watch what livepulse publishes, as people or as programs read it."""

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer
from msgspec import MsgspecError, Struct, json

from agents.commands.describe import describe, printable
from agents.commands.durations import seconds
from agents.interrupts import held
from schemas.results import (
    ChurnRow,
    ConversionRow,
    CouponTrigger,
    DeadLetter,
    Decision,
    RecommendationTrigger,
)

Kind = Literal["coupons", "recommendations", "conversion", "churn", "decisions", "dead-letters"]

_TYPES: dict[Kind, type[Struct]] = {
    "coupons": CouponTrigger,
    "recommendations": RecommendationTrigger,
    "conversion": ConversionRow,
    "churn": ChurnRow,
    "decisions": Decision,
    "dead-letters": DeadLetter,
}
_POLL_MS = 500


def tail(  # noqa: PLR0913 - one for each option
    kind: Annotated[Kind, typer.Argument(help="What to watch.")],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each record's own JSON, one a line.")
    ] = False,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Begin with the oldest record that is kept.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            help="Begin with what came so long ago: 90s, 15m, 6h, 7d.", show_default=False
        ),
    ] = None,
    to_end: Annotated[
        bool, typer.Option("--to-end", help="End with the newest record that is there now.")
    ] = False,
    count: Annotated[
        int | None, typer.Option(min=1, help="End after so many records.", show_default=False)
    ] = None,
    session: Annotated[
        str | None, typer.Option(help="Only those of this session.", show_default=False)
    ] = None,
) -> None:
    """Watch triggers, rows, decisions or dead letters as they are published.

    Reads committed records only, joins no consumer group, and ends on Ctrl-C (exit code 130).

    Example: livepulse tail coupons --since 1h --to-end --json | jq .discount
    """
    if session is not None and kind == "dead-letters":
        raise typer.BadParameter("a dead letter has no session: leave --session out")
    if from_start and since is not None:
        raise typer.BadParameter("give --from-start or --since, not both")
    ago_s = math.inf if from_start else seconds(since, "--since") if since is not None else 0.0
    from agents.settings import load  # noqa: PLC0415 - keeps `livepulse --help` fast
    from agents.topics import names_by_topic  # noqa: PLC0415 - as above

    settings = load()
    topic = settings.topic_of(_TYPES[kind].__name__)
    show = _show_json if as_json else _pretty()
    with closing(_open(settings, topic)) as consumer:
        start = "its start" if from_start else f"{since} ago" if since else "now"
        ends = _seek(consumer, ago_s, to_end=to_end)
        typer.echo(f"reading {topic} from {start}; Ctrl-C ends", err=True)
        alone = len(names_by_topic(settings)[topic]) == 1
        wanted = _decoded(_values(consumer, ends), _TYPES[kind], session, alone=alone)
        for shown, (value, record) in enumerate(wanted, start=1):
            show(value, record)
            if shown == count:
                break


def _open(settings: Any, topic: str) -> Any:
    """Return a consumer that has every partition of a topic."""
    import kafka  # noqa: PLC0415 - costs 0.4 s; only commands that talk to a broker pay

    from agents import admin  # noqa: PLC0415 - as above

    admin.knock(settings)
    admin.quiet_kafka_log()
    consumer = kafka.KafkaConsumer(
        **settings.kafka_python_config(),
        client_id=f"{settings.app_id}-tail",
        isolation_level="read_committed",
        auto_offset_reset="latest",
        enable_auto_commit=False,
        allow_auto_create_topics=False,
    )
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        consumer.close()
        typer.secho(
            f"livepulse: there is no topic {topic}, or this user may not read it; make it with:"
            " livepulse topics create; what a user needs says: livepulse topics acls",
            fg="red",
            err=True,
        )
        raise typer.Exit(1)
    consumer.assign([kafka.TopicPartition(topic, number) for number in sorted(numbers)])
    return consumer


def _seek(consumer: Any, ago_s: float, *, to_end: bool) -> dict[Any, int]:
    """Go to what came so long ago (inf: all that is kept); return where to end, if anywhere."""
    partitions = consumer.assignment()
    ends = consumer.end_offsets(partitions)
    begins = dict(ends)  # what is published from here on is seen
    if math.isinf(ago_s):
        begins = consumer.beginning_offsets(partitions)
    elif ago_s:
        since_ms = time.time_ns() // 1_000_000 - round(ago_s * 1_000)
        found = consumer.offsets_for_times(dict.fromkeys(partitions, since_ms))
        begins |= {partition: one.offset for partition, one in found.items() if one}
    for partition, offset in begins.items():
        consumer.seek(partition, offset)
    return ends if to_end else {}


def _values(consumer: Any, ends: Mapping[Any, int]) -> Iterator[tuple[str, bytes]]:
    """Yield where each record stands, and its bytes: up to these ends, or without end."""
    while not ends or any(consumer.position(one) < end for one, end in ends.items()):
        with held():
            batches = consumer.poll(timeout_ms=_POLL_MS)
        for partition, records in batches.items():
            for record in records:
                if record.value is not None and record.offset < ends.get(partition, math.inf):
                    yield f"{record.topic}/{record.partition}/{record.offset}", record.value


def _decoded(
    values: Iterator[tuple[str, bytes]], kind: type[Struct], session: str | None, *, alone: bool
) -> Iterator[tuple[bytes, Any]]:
    """Keep what is of this type and session; in a topic of its own, report anything else."""
    decoder = json.Decoder(kind)
    for place, value in values:
        try:
            record: Any = decoder.decode(value)
        except MsgspecError as error:
            if alone:
                typer.secho(f"{place} is not a {kind.__name__}: {error}", fg="yellow", err=True)
            continue
        if session is None or record.session_id == session:
            yield value, record


def _show_json(value: bytes, _record: Any) -> None:
    sys.stdout.buffer.write(value + b"\n")
    sys.stdout.buffer.flush()


def _pretty() -> Callable[[bytes, Any], None]:
    """Return a function that prints one record as one line, in colour on a terminal."""
    from rich.console import Console  # noqa: PLC0415 - only where it draws
    from rich.text import Text  # noqa: PLC0415 - as above

    console = Console(soft_wrap=True, highlight=False)

    def show(_value: bytes, record: Any) -> None:
        at_ms, who, what, why = describe(record)
        line = Text(datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S "), style="dim")
        line.append(printable(f"{who}  "), style="cyan")
        line.append(printable(what), style="bold")
        line.append(printable(f"  {why}"), style="dim")
        console.print(line)

    return show
