"""``livepulse screen``: the live page of a host, and the API behind it."""

from typing import Annotated

import typer


def screen(
    *,
    host: Annotated[
        str | None, typer.Option(help="Listen on this address; else as configured.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Listen on this port (0: any); else as configured."),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(help="Serve Prometheus metrics on this port (0: off); else as configured."),
    ] = None,
) -> None:
    """Serve the live screen until SIGTERM or Ctrl-C. It reads Redis; the workers write there.

    Sign in with what `livepulse token` prints. Behind a proxy with TLS, say with
    LIVEPULSE_SCREEN_URL under which address hosts reach it.

    Example: LIVEPULSE_SCREEN_TOKEN_KEY=$(openssl rand -hex 32) livepulse screen --port 8090
    """
    # aiohttp takes half a second to import: the other commands do not wait for it.
    import asyncio  # noqa: PLC0415 - see above

    from msgspec import structs  # noqa: PLC0415 - see above

    from agents import logs  # noqa: PLC0415 - see above
    from agents.screen.server import serve  # noqa: PLC0415 - see above
    from agents.settings import load  # noqa: PLC0415 - see above

    settings = load()
    given = {"screen_host": host, "screen_port": port}
    settings = structs.replace(settings, **{k: v for k, v in given.items() if v is not None})
    logs.setup(settings)
    at = settings.metrics_port if metrics_port is None else metrics_port
    asyncio.run(serve(settings, metrics_port=at))
