"""`livepulse tail`: watch what livepulse publishes, as people or as programs read it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer
from msgspec import MsgspecError, Struct, json

from schemas.results import (
    ChurnRow,
    ConversionRow,
    CouponTrigger,
    DeadLetter,
    Decision,
    Reason,
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


def tail(
    kind: Annotated[Kind, typer.Argument(help="What to watch.")],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each record's own JSON, one a line.")
    ] = False,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Begin with the oldest record that is kept.")
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

    Example: livepulse tail coupons --from-start --json | jq .discount
    """
    if session is not None and kind == "dead-letters":
        raise typer.BadParameter("a dead letter has no session: leave --session out")
    from agents.settings import load  # noqa: PLC0415 - keeps `livepulse --help` fast
    from agents.topics import names_by_topic  # noqa: PLC0415 - as above

    settings = load()
    topic = settings.topic_of(_TYPES[kind].__name__)
    show = _show_json if as_json else _pretty()
    with closing(_open(settings, topic, from_start=from_start)) as consumer:
        start = "its start" if from_start else "now"
        typer.echo(f"reading {topic} from {start}; Ctrl-C ends", err=True)
        alone = len(names_by_topic(settings)[topic]) == 1
        wanted = _decoded(_values(consumer), _TYPES[kind], session, alone=alone)
        for shown, (value, record) in enumerate(wanted, start=1):
            show(value, record)
            if shown == count:
                break


def _open(settings: Any, topic: str, *, from_start: bool) -> Any:
    """Return a consumer that stands at the start or the end of every partition."""
    import kafka  # noqa: PLC0415 - costs 0.4 s; only commands that talk to a broker pay

    from agents import admin  # noqa: PLC0415 - as above

    admin.knock(settings)
    admin.quiet_kafka_log()
    consumer = kafka.KafkaConsumer(
        **settings.kafka_python_config(),
        client_id=f"{settings.app_id}-tail",
        isolation_level="read_committed",
        auto_offset_reset="earliest" if from_start else "latest",
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
    partitions = [kafka.TopicPartition(topic, number) for number in sorted(numbers)]
    consumer.assign(partitions)
    for partition in partitions:
        consumer.position(partition)  # resolved now: what is published from here on is seen
    return consumer


def _values(consumer: Any) -> Iterator[tuple[str, bytes]]:
    """Yield where each record stands, and its bytes, without end."""
    while True:
        for records in consumer.poll(timeout_ms=_POLL_MS).values():
            for record in records:
                if record.value is not None:
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


def printable(text: str) -> str:
    """Replace control characters, so that data cannot steer the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def describe(record: Any) -> tuple[int, str, str, str]:
    """Return of any result when (epoch ms), who, what and why, for one line of text."""
    return _DESCRIBE[type(record)](record)


def _coupon(trigger: CouponTrigger) -> tuple[int, str, str, str]:
    what = f"coupon {trigger.offer_id}: {trigger.discount} {trigger.currency} (minor units) off"
    return trigger.decided_at, _who(trigger), what, _because(trigger.reasons)


def _recommendation(trigger: RecommendationTrigger) -> tuple[int, str, str, str]:
    products = (
        f"{item.product_id} ({item.source} {item.score:.2f})" for item in trigger.suggestions
    )
    what = "show " + ", ".join(products)
    return trigger.decided_at, _who(trigger), what, _because(trigger.reasons)


def _conversion(row: ConversionRow) -> tuple[int, str, str, str]:
    rates = (f"{name} {_rate(rate.value)}" for name, rate in row.rates.items())
    money = (f"{name} {amount}" for name, amount in row.money.items())
    who = f"{row.session_id} {row.scope} {row.scope_id} {row.window}"
    what = f"{row.status} r{row.revision} viewers {row.people.get('viewers', 0)}"
    return row.end, who, what, "  ".join([*money, *rates])


def _rate(value: float | None) -> str:
    return "too few" if value is None else f"{value:.4g}"


def _churn(row: ChurnRow) -> tuple[int, str, str, str]:
    what = f"risk {row.level} {row.probability:.2f}, cart {row.cart_value}, here {row.watch_s} s"
    return row.ts, _who(row), what, _because(row.reasons)


def _decision(decision: Decision) -> tuple[int, str, str, str]:
    what = f"{decision.kind} {decision.outcome}: {decision.reason}"
    return decision.decided_at, _who(decision), what, f"rule {decision.rule}"


def _dead_letter(letter: DeadLetter) -> tuple[int, str, str, str]:
    where = f"{letter.topic}/{letter.partition}/{letter.offset}"
    return letter.ts, where, letter.reason, f"{letter.detail} ({letter.size} bytes)"


def _who(record: Any) -> str:
    return f"{record.session_id} {record.viewer_id}"


def _because(reasons: tuple[Reason, ...]) -> str:
    named = ", ".join(f"{reason.code} {reason.weight:.2f}" for reason in reasons)
    return f"because {named}" if named else ""


_DESCRIBE: dict[type, Callable[[Any], tuple[int, str, str, str]]] = {
    CouponTrigger: _coupon,
    RecommendationTrigger: _recommendation,
    ConversionRow: _conversion,
    ChurnRow: _churn,
    Decision: _decision,
    DeadLetter: _dead_letter,
}
