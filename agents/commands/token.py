"""``livepulse token``: a signed, short-lived key to the screen."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from agents.commands.printing import print_json

if TYPE_CHECKING:  # loaded when the command runs
    from agents.settings import Settings

_UNITS = {"s": 1, "m": 60, "h": 3_600}
_TTL = re.compile(r"(\d{1,6})([smh]?)")
LONGEST_S = 30 * 24 * 3_600


def token(
    *,
    session: Annotated[
        list[str] | None,
        typer.Option(help="A session that the token opens; may be given several times."),
    ] = None,
    operator: Annotated[
        bool, typer.Option("--operator", help="Open all sessions, those to come as well.")
    ] = False,
    ttl: Annotated[str, typer.Option(help="Valid for so long: 90s, 45m, 8h.")] = "8h",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the token, its link and its end as JSON.")
    ] = False,
) -> None:
    """Make a token that opens the screen, for a host or for an operator.

    The link has the token behind a #, which browsers do not send: it is in no log.

    Example: livepulse token --session s1 --ttl 4h
    """
    from agents.screen.tokens import Tokens  # noqa: PLC0415 - it imports cryptography
    from agents.settings import load  # noqa: PLC0415 - as above

    if bool(session) == operator:
        raise typer.BadParameter("give --session (once or more) or --operator, not both")
    settings = load()
    made = Tokens(settings).sign(
        sessions=frozenset(session or ()), operator=operator, ttl_s=seconds(ttl)
    )
    link = sign_in_link(settings.screen_url or local_address(settings), made)
    if as_json:
        print_json({"token": made, "link": link, "expires_in_s": seconds(ttl)})
        return
    typer.echo(made)
    typer.echo(link, err=True)


def seconds(ttl: str) -> int:
    """Return a duration like ``45m`` in seconds. Raises BadParameter."""
    match = _TTL.fullmatch(ttl.strip())
    value = int(match[1]) * _UNITS[match[2] or "s"] if match else 0
    if not 0 < value <= LONGEST_S:
        raise typer.BadParameter("--ttl: give a duration like 90s, 45m or 8h, 30 days at most")
    return value


def sign_in_link(url: str, token: str) -> str:
    """Return the address that signs a browser in."""
    return f"{url.rstrip('/')}/login#{token}"


def local_address(settings: "Settings") -> str:
    """Return where a screen with these settings listens."""
    return f"http://{settings.screen_host}:{settings.screen_port}"
