"""What commands print for programs: one JSON object a line, written by orjson."""

from typing import Any

import orjson
import typer
from msgspec import to_builtins


def print_json(value: Any, *, to_stderr: bool = False) -> None:
    """Print a value, which may hold structs, as one line of JSON."""
    typer.echo(orjson.dumps(value, default=to_builtins).decode(), err=to_stderr)
