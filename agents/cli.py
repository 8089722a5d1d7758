"""`livepulse`: the command that users type. Each command's module is loaded when it is used."""

import sys
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

FAILURE, USAGE, UNREACHABLE = 1, 2, 4

EXIT_CODES = """\b
Exit codes:
  0    ok
  1    failure
  2    usage or settings
  3    a check failed (doctor has its own: see livepulse doctor --help)
  4    broker or Redis unreachable
  130  interrupted"""


class Mounted(NamedTuple):
    """A command, where it lives (``module:attribute``) and its line in the help."""

    name: str
    target: str
    summary: str


COMMANDS = (
    Mounted("demo", "demo:demo", "See it all at work, with nothing else installed."),
    Mounted("worker", "worker:worker", "Turn the events of live sessions into decisions."),
    Mounted("screen", "screen:screen", "Serve the live screen that hosts watch."),
    Mounted("token", "token:token", "Make a signed token that opens the screen."),
    Mounted("simulate", "simulate:simulate", "Generate believable sessions, to Kafka or a file."),
    Mounted("replay", "replay:replay", "Run a recorded file through the pure core."),
    Mounted("tail", "tail:tail", "Watch triggers, rows and dead letters as they come."),
    Mounted("topics", "topics:app", "Create the topics, and list what each is for."),
    Mounted("plan", "plan:plan", "Say how many workers, partitions and bytes a load needs."),
    Mounted("erase", "erase:erase", "Forget a viewer: state and views go, counts stay."),
    Mounted("doctor", "doctor:doctor", "Check settings, broker, topics and Redis."),
    Mounted("config", "config:app", "Show the settings and where each comes from."),
    Mounted("schemas", "schemas:app", "Export and check the published contract."),
)


class LazyGroup(TyperGroup):
    """A group whose commands are placeholders until one of them is called."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for mounted in COMMANDS:
            self.commands[mounted.name] = TyperCommand(mounted.name, help=mounted.summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that was typed, and load it."""
        name, _, rest = super().resolve_command(ctx, args)
        target = next((mounted.target for mounted in COMMANDS if mounted.name == name), None)
        return name, load_command(target) if target else None, rest


def load_command(target: str) -> Any:
    """Import ``module:attribute`` of agents.commands: a Typer app, or one function."""
    module, _, attribute = target.partition(":")
    found = getattr(import_module(f"agents.commands.{module}"), attribute)
    if isinstance(found, typer.Typer):
        found.rich_markup_mode = None
        return typer.main.get_group(found)
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(module)(found)
    return typer.main.get_command(single)


app = typer.Typer(
    name="livepulse",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its Markdown renderer would triple the time that --help takes
    epilog=EXIT_CODES,
)


@app.callback()
def livepulse() -> None:
    """Real-time decisions for live commerce, while the viewer is still watching.

    Try it: livepulse demo
    """


def main() -> None:
    """Run the command line; what users can mend is one red line on stderr, not a traceback."""
    try:
        app()
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        typer.secho(f"livepulse: {one_line(error)}", fg="red", err=True)
        sys.exit(code)


def exit_code(error: Exception) -> int | None:
    """Return the exit code of an error that a user can mend; None for a fault of ours."""
    for code, kinds in (
        (USAGE, {("agents.sources", "SettingsError")}),
        (UNREACHABLE, _UNREACHABLE),
        (FAILURE, _REFUSED),
    ):
        if any((kind.__module__, kind.__name__) in kinds for kind in type(error).__mro__):
            return code
    return None


#: By name, because importing these libraries would cost every command their start-up time.
_UNREACHABLE = {
    ("agents.admin", "Unreachable"),
    ("kafka.errors", "KafkaConnectionError"),
    ("kafka.errors", "KafkaTimeoutError"),
    ("kafka.errors", "NodeNotReadyError"),
    ("aiokafka.errors", "KafkaConnectionError"),
    ("aiokafka.errors", "KafkaTimeoutError"),
    ("aiokafka.errors", "NodeNotReadyError"),
    ("redis.exceptions", "ConnectionError"),
    ("redis.exceptions", "TimeoutError"),
    ("builtins", "ConnectionError"),
}
_REFUSED = {
    ("agents.admin", "Refused"),
    ("kafka.errors", "KafkaError"),
    ("aiokafka.errors", "KafkaError"),
    ("redis.exceptions", "RedisError"),
}


def one_line(error: Exception) -> str:
    """Return the message of an error without line breaks, or its name when it has none."""
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    main()
