"""`livepulse config show`: every setting, its value and where it comes from."""

from typing import Annotated

import typer

from agents.commands.printing import print_json

app = typer.Typer(help="Show the settings and where each of them comes from.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `show` a command of its own, though it is the only one."""


@app.command()
def show(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object: name, value, origin, variable.")
    ] = False,
) -> None:
    """Show every setting with its value, its origin and its variable; secrets are hidden.

    Sources, strongest first: LIVEPULSE_* variables, .env, livepulse.toml, defaults.

    Example: LIVEPULSE_POLICY_CART_AGE_MS=20000 livepulse config show
    """
    from agents.settings import load_with_origins  # noqa: PLC0415 - as above
    from agents.sources import variable_of  # noqa: PLC0415 - as above

    settings, origins = load_with_origins()
    rows = [
        {"name": name, "value": value, "origin": origins[name], "variable": variable_of(name)}
        for name, value in settings.masked().items()
    ]
    if as_json:
        print_json({"settings": rows})
        return
    for row in rows:
        value = "-" if row["value"] is None else str(row["value"])
        given = row["origin"] != "default"
        typer.secho(f"{row['variable']:<46}  {value:<32}  {row['origin']}", bold=given)
