"""`livepulse replay`: a recorded file through the pure core, with no broker and no clock."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from agents import recording
from agents.commands.describe import describe, printable
from agents.engine.decoders import decoders
from agents.pseudonyms import renaming
from agents.recording import RecordingError
from agents.settings import load
from streams.records import Record
from streams.replay import Replay
from streams.results import Results


def replay(
    file: Annotated[Path, typer.Argument(help="A recording; - is standard input.")],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each trigger's own JSON, one a line.")
    ] = False,
    decisions: Annotated[
        bool, typer.Option("--decisions", help="Print all that was considered, with the reason.")
    ] = False,
) -> None:
    """Print the triggers that a recorded session leads to, the same ones every time.

    Topics and policy are those of the settings. A summary goes to stderr.

    Example: livepulse simulate --to-file live.jsonl --seconds 60; livepulse replay live.jsonl
    """
    settings = load()
    by_topic = decoders(settings)
    known = renaming(by_topic, settings.pseudonym_key, partition=0, partitions=1)
    core = Replay(known, settings.topic_of("SessionStarted"), settings.policy)
    tally: Counter[str] = Counter()
    try:
        for results in core.run(_records(file, by_topic, tally)):
            _count(results, tally)
            for result in _ordered(results, decisions=decisions):
                _print(result, as_json=as_json)
    except RecordingError as error:
        typer.secho(f"livepulse: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from error
    sys.stdout.flush()
    _summarise(tally)


def _records(file: Path, topics: Iterable[str], tally: Counter[str]) -> Iterator[Record]:
    """Yield the records as the core knows them: a recording has no offsets, they are counted.

    Raises RecordingError for a record of a topic that carries no events.
    """
    offsets = {topic: count() for topic in topics}
    for number, record in enumerate(recording.read(file), start=1):
        if record.topic not in offsets:
            raise RecordingError(
                f"{file}:{number}: `topic` {record.topic!r} carries no events; use one of"
                f" {', '.join(sorted(offsets))}, or name it in LIVEPULSE_TOPICS"
            )
        tally["records"] += 1
        offset = next(offsets[record.topic])
        yield Record(record.topic, 0, offset, record.timestamp, record.key, record.value)


def _count(results: Results, tally: Counter[str]) -> None:
    tally["repeats"] += len(results.duplicates)
    tally["refused"] += len(results.refused)
    tally["coupons"] += len(results.coupons)
    tally["recommendations"] += len(results.recommendations)
    tally["suppressed"] += sum(d.outcome == "suppressed" for d in results.decisions)


def _ordered(results: Results, *, decisions: bool) -> list[Any]:
    """Return what is printed of a step, in the order in which it was decided."""
    triggers = [*results.coupons, *results.recommendations]
    shown = [*triggers, *results.decisions] if decisions else triggers
    return sorted(shown, key=lambda result: result.decided_at)


def _print(result: Any, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(result) + b"\n")
        return
    at_ms, who, what, why = describe(result)
    clock = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S")
    typer.echo(printable(f"{clock} {who}  {what}  {why}"))


def _summarise(tally: Counter[str]) -> None:
    events = tally["records"] - tally["repeats"] - tally["refused"]
    typer.echo(
        f"{tally['records']} records: {events} events, {tally['repeats']} repeats,"
        f" {tally['refused']} refused; {tally['coupons']} coupons,"
        f" {tally['recommendations']} recommendations, {tally['suppressed']} suppressed",
        err=True,
    )
