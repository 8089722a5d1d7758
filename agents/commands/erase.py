"""`livepulse erase`: make livepulse forget a viewer."""

import time
from typing import Annotated
from uuid import uuid4

import typer

from agents.commands.printing import print_json


def erase(
    viewer: Annotated[str, typer.Argument(help="The viewer's own id, not the pseudonym.")],
    *,
    session: Annotated[
        str, typer.Option(help="Only in this session; by default in all of them.")
    ] = "*",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object: topic, id, ts.")
    ] = False,
) -> None:
    """Order the viewer's erasure: state and views go within seconds, the log within a day.

    The order goes to the viewer's own task, after all that it knows of the viewer. Counts stay
    what they are. Doing it twice does no harm. What is kept for a week and by whom says
    deploy/security.md.

    Example: livepulse erase viewer-1f3a --session session-8042
    """
    import msgspec  # noqa: PLC0415 - keeps `livepulse --help` fast

    from agents import admin  # noqa: PLC0415 - as above
    from agents.recording import Record  # noqa: PLC0415 - as above
    from agents.settings import load  # noqa: PLC0415 - as above
    from agents.simulator.sending import SendingError, send  # noqa: PLC0415 - as above
    from schemas.events import ViewerErased  # noqa: PLC0415 - as above

    settings = load()
    topic = settings.topic_of(ViewerErased.__name__)
    now_ms = time.time_ns() // 1_000_000
    order = {"id": uuid4().hex, "ts": now_ms, "session_id": session, "viewer_id": viewer}
    try:
        event = msgspec.convert(order | {"type": ViewerErased.__name__}, ViewerErased)
    except msgspec.ValidationError as error:
        raise typer.BadParameter(str(error)) from error
    record = Record(topic, viewer.encode(), msgspec.json.encode(event), now_ms)
    admin.knock(settings)
    try:
        send(
            [record], producer_config=settings.confluent_config(), rate=0,
            on_progress=lambda _: None, stop=None,
        )  # fmt: skip
    except SendingError as error:
        raise admin.Refused(str(error)) from error
    if as_json:
        print_json({"topic": topic, "id": event.id, "ts": now_ms})
    else:
        typer.echo(f"ordered in {topic}; workers that run have done it in a few seconds")
