"""`livepulse demo`: everything in one command, with nothing installed beside Python."""

import os
import signal
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from agents.commands.printing import print_json

if TYPE_CHECKING:  # the demo's parts take a second to import: `--help` does not wait for them
    from agents.demo.processes import Processes
    from agents.demo.run import Demo, Plan

_STATUS_EVERY_S = 3.0
_INTERRUPTED = 130
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")

#: Shows a demo; ``ending`` when only what is left is read.
Show = Callable[["Demo", bool], None]


def demo(  # noqa: PLR0913 - every option of the command is a parameter
    *,
    seconds: Annotated[
        float | None,
        typer.Option(min=1, help="End after so long; by default on Ctrl-C.", show_default=False),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the counters as one line of JSON at the end.")
    ] = False,
    rate: Annotated[float, typer.Option(min=10, max=3000, help="Events a second.")] = 1500,
    sessions: Annotated[int, typer.Option(min=1, max=20, help="How many sessions are on.")] = 3,
    seed: Annotated[int, typer.Option(help="Same seed: same kind of viewers and products.")] = 1,
    lang: Annotated[
        Literal["en", "zh"] | None,
        typer.Option(help="Language of the view; by default as LANG says.", show_default=False),
    ] = None,
    screen_port: Annotated[
        int | None,
        typer.Option(min=1, max=65_535, help="Port of the host screen; by default any free one."),
    ] = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Do not open the host screen in a browser.")
    ] = False,
) -> None:
    """See it all at work: broker, Redis, a worker, the host screen and simulated viewers.

    It opens the host screen, if there is a browser. All of it runs on this machine only.

    Nothing is kept and nothing of yours is touched: your settings do not apply here.

    Example: livepulse demo --seconds 30 --json
    """
    from agents.demo.processes import ProcessDied, Processes  # noqa: PLC0415 - see above
    from agents.demo.run import Plan, Unsettled  # noqa: PLC0415 - see above
    from agents.demo.words import language  # noqa: PLC0415 - see above

    plan = Plan(seconds=seconds, rate=rate, sessions=sessions, seed=seed)
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        with Processes() as processes:
            opens = not (no_open or as_json)
            view = _View(lang or language(), as_json=as_json, screen_port=screen_port, opens=opens)
            _run(processes, plan, view)
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None
    except (ProcessDied, Unsettled) as error:
        typer.secho(f"livepulse demo: {error}", fg="red", err=True)
        raise typer.Exit(1) from error


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class _View(NamedTuple):
    """How the demo is shown."""

    lang: Literal["en", "zh"]
    as_json: bool
    screen_port: int | None
    opens: bool


def _run(processes: "Processes", plan: "Plan", view: _View) -> None:
    from agents.demo import lines, run, stack  # noqa: PLC0415 - see above
    from agents.demo.report import report  # noqa: PLC0415 - see above
    from agents.demo.words import WORDS  # noqa: PLC0415 - see above

    words = WORDS[view.lang]
    settings = stack.start(
        processes,
        lambda step: typer.echo(f"livepulse: {words.starting[step]}", err=True),
        screen_port=view.screen_port,
    )
    link = stack.screen_link(settings)
    typer.echo(f"livepulse: {words.open_screen}\n{link}", err=True)
    if view.opens and _has_browser():
        webbrowser.open(link)
    with closing(run.begin(settings, plan)) as running, _view(view, link) as show:
        if _watch(running, processes, plan, show):
            run.settle(running, processes, show=lambda demo: show(demo, True))
    if view.as_json:
        print_json(report(running))
    else:
        typer.echo(lines.summary(running, words))


def _watch(running: "Demo", processes: "Processes", plan: "Plan", show: Show) -> bool:
    """Watch until the time is up, then return True.

    Without a time Ctrl-C is the way to end, not an error: return False, whoever ends it does
    not want to wait for the last record.
    """
    from agents.demo import run  # noqa: PLC0415 - see above

    seconds = float("inf") if plan.seconds is None else plan.seconds
    until_s = time.monotonic() + seconds
    try:
        run.watch(running, processes, until_s=until_s, show=lambda demo: show(demo, False))
    except KeyboardInterrupt:
        if plan.seconds is not None:
            raise
        return False
    return True


def _has_browser() -> bool:
    """Tell whether somebody sits at this machine; one in the terminal would cover the demo."""
    on_desk = sys.platform in {"darwin", "win32"} or any(map(os.environ.get, _DISPLAYS))
    return sys.stdout.isatty() and on_desk


def _view(view: _View, link: str) -> AbstractContextManager[Show]:
    if sys.stdout.isatty() and not view.as_json:
        return _page(view.lang, link)
    return _status_lines(view.lang, view.as_json)


@contextmanager
def _page(lang: Literal["en", "zh"], link: str) -> Iterator[Show]:
    """Draw on the terminal's second screen, so that the first is as it was afterwards."""
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.live import Live  # noqa: PLC0415 - see above

    from agents.demo.screen import Screen  # noqa: PLC0415 - see above

    console, screen, began = Console(), Screen(lang, link=link), time.monotonic()
    with Live(console=console, screen=True, auto_refresh=False) as live:

        def show(running: "Demo", ending: bool) -> None:  # noqa: FBT001 - a callback
            elapsed_s = time.monotonic() - began
            height = console.size.height
            page = screen.page(running, elapsed_s=elapsed_s, height=height, ending=ending)
            live.update(page, refresh=True)

        yield show


@contextmanager
def _status_lines(lang: Literal["en", "zh"], on_stderr: bool) -> Iterator[Show]:  # noqa: FBT001
    """Print a line every few seconds, on stderr when stdout is for JSON."""
    from agents.demo import lines  # noqa: PLC0415 - see above
    from agents.demo.words import WORDS  # noqa: PLC0415 - see above

    began = time.monotonic()
    due_s = began + _STATUS_EVERY_S

    def show(running: "Demo", _ending: bool) -> None:  # noqa: FBT001 - a callback
        nonlocal due_s
        now_s = time.monotonic()
        if now_s >= due_s:
            due_s = now_s + _STATUS_EVERY_S
            typer.echo(lines.status(running, WORDS[lang], elapsed_s=now_s - began), err=on_stderr)

    yield show
