"""`livepulse simulate`: believable live-commerce sessions, to Kafka or into a file."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TimeElapsedColumn,
)

from agents import admin, recording
from agents.commands.printing import print_json
from agents.recording import Record
from agents.settings import Settings, load
from agents.simulator.scenario import Scenario, Tally, default_topics, viewers_needed
from agents.simulator.sending import SendingError, send
from agents.simulator.world import simulate as simulated

#: Event time of a world that is sent as fast as it can: so many events a second of it.
FULL_SPEED_RATE = 1_000.0
#: Workers refuse what is more than a day old when it comes; an hour is left for the sending.
MOST_HISTORY_S = 23 * 3_600
#: The population, in multiples of the smallest that can tell the rate.
ROOMY = 2.5
PROGRESS_EVERY = 500
INTERRUPTED = 130


def simulate(  # noqa: PLR0913 - every option of the command is a parameter
    *,
    to_kafka: Annotated[
        bool, typer.Option("--to-kafka", help="Send to the broker of the settings (the default).")
    ] = False,
    to_file: Annotated[
        Path | None,
        typer.Option(
            help="Write a recording instead, of the settings' topics; - is standard output.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        float,
        typer.Option(min=0, help="Events a second; 0: as fast as it can, as history to Kafka."),
    ] = FULL_SPEED_RATE,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="End after so much event time.", show_default=False),
    ] = None,
    events: Annotated[
        int | None, typer.Option(min=1, help="End after about so many records.", show_default=False)
    ] = None,
    sessions: Annotated[int, typer.Option(min=1, help="How many sessions are on.")] = 8,
    viewers: Annotated[
        int | None,
        typer.Option(min=1, help="How many people there are; by default as the rate needs."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed and start: same records.")] = 1,
    start: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Epoch ms of the first event; by default now, at --rate 0 to Kafka as long ago"
            " as --seconds or --events take.",
            show_default=False,
        ),
    ] = None,
    late: Annotated[
        float, typer.Option(min=0, max=1, help="Share that arrives 3 to 20 s late.")
    ] = 0.01,
    duplicates: Annotated[
        float, typer.Option(min=0, max=1, help="Share that is sent twice.")
    ] = 0.005,
    bad: Annotated[
        float, typer.Option(min=0, max=1, help="Share of broken records, of ten kinds.")
    ] = 0.001,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was sent as one line of JSON at the end.")
    ] = False,
) -> None:
    """Generate sessions with viewers, carts, orders, comments, a host, and some bad records.

    At a rate above 0, event time is the time of day. Without --seconds or --events it runs
    until Ctrl-C, which ends it cleanly. At --rate 0 Kafka gets history that ends now, a second
    of it for every 1,000 events: give --seconds or --events, up to 23 hours of it.

    Example: livepulse simulate --rate 2000 --seconds 60 --json
    """
    if to_kafka and to_file is not None:
        raise typer.BadParameter("give --to-kafka or --to-file, not both")
    settings = load()
    if start is None:
        is_history = rate == 0 and to_file is None
        start = _now_ms() - (_history_ms(seconds, events) if is_history else 0)
    scenario = _scenario(
        rate, viewers, start_ms=start, seed=seed, sessions=sessions, events=events,
        duration_s=seconds, late_share=late, duplicate_share=duplicates, bad_share=bad,
        topics={name: settings.topic_of(name) for name in default_topics()},
    )  # fmt: skip
    tally, stop = Tally(), Event()
    records = simulated(scenario, tally=tally)
    with _stop_on_interrupt(stop), _progress(scenario) as on_progress:
        if to_file is None:
            _send(settings, records, rate=rate, on_progress=on_progress, stop=stop)
        else:
            _record(to_file, records, on_progress=on_progress, stop=stop)
    _report(tally, as_json=as_json, on_stdout=str(to_file) != recording.STANDARD_STREAM)
    if stop.is_set():
        raise typer.Exit(INTERRUPTED)


def _history_ms(seconds: float | None, events: int | None) -> int:
    """Return how much event time is sent at once: it must be over, or it is from the future."""
    span_s = min(seconds or math.inf, (events or math.inf) / FULL_SPEED_RATE)
    if span_s > MOST_HISTORY_S:
        raise typer.BadParameter(
            f"--rate 0 sends history that ends now, at most 23 hours of it: give --seconds up to"
            f" {MOST_HISTORY_S}, --events up to {MOST_HISTORY_S * FULL_SPEED_RATE:.0f}, or --start"
        )
    return round(span_s * 1_000)


def _scenario(rate: float, viewers: int | None, **others: Any) -> Scenario:
    """Fill in what depends on other options."""
    rate = rate or FULL_SPEED_RATE
    viewers = viewers or math.ceil(ROOMY * viewers_needed(rate))
    try:
        return Scenario(rate=rate, viewers=viewers, **others)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _now_ms() -> int:
    return round(time.time() * 1_000)  # noqa: TID251 - agents may read the clock


def _record(
    path: Path, records: Iterator[Record], *, on_progress: Callable[[int], None], stop: Event
) -> None:
    try:
        recording.write(path, _watched(records, on_progress=on_progress, stop=stop))
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise typer.BadParameter(f"--to-file {path}: {error.strerror}") from error


def _watched(
    records: Iterator[Record], *, on_progress: Callable[[int], None], stop: Event
) -> Iterator[Record]:
    """Pass the records on, tell how many, and end after the one during which to stop."""
    for number, record in enumerate(records, start=1):
        yield record
        if number % PROGRESS_EVERY == 0:
            on_progress(number)
        if stop.is_set():
            return


def _send(
    settings: Settings,
    records: Iterator[Record],
    *,
    rate: float,
    on_progress: Callable[[int], None],
    stop: Event,
) -> None:
    admin.knock(settings)
    config = settings.confluent_config()
    try:
        send(records, producer_config=config, rate=rate, on_progress=on_progress, stop=stop)
    except SendingError as error:
        typer.secho(f"livepulse: {error}", fg="red", err=True)
        raise typer.Exit(1) from error


@contextmanager
def _stop_on_interrupt(stop: Event) -> Iterator[None]:
    """Let the first Ctrl-C end the run cleanly, and the second one at once."""

    def on_interrupt(_signal: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(scenario: Scenario) -> Iterator[Callable[[int], None]]:
    """Draw a progress bar on stderr while it is a terminal."""
    total = scenario.events
    if scenario.duration_s is not None:
        expected = round(scenario.rate * scenario.duration_s)
        total = expected if total is None else min(total, expected)
    console = Console(stderr=True)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("records", total=total)
        yield lambda sent: bar.update(task, completed=sent)


def _report(tally: Tally, *, as_json: bool, on_stdout: bool) -> None:
    if as_json:
        print_json(tally.as_json(), to_stderr=not on_stdout)
        return
    good, bad = sum(tally.sent.values()), sum(tally.bad.values())
    typer.echo(
        f"{tally.records} records: {good} good ({tally.late} of them late), "
        f"{tally.duplicates} duplicates, {bad} broken",
        err=True,
    )
