"""``livepulse worker``: one worker of the group; start as many as there is work for."""

from typing import Annotated

import typer


def worker(
    metrics_port: Annotated[
        int | None,
        typer.Option(help="Serve Prometheus metrics on this port (0: off); else as configured."),
    ] = None,
) -> None:
    """Run a worker: consume, decide, commit, until SIGTERM or Ctrl-C.

    Workers of one app id share the partitions; add or stop them at any time.

    Example: LIVEPULSE_KAFKA_BOOTSTRAP=kafka:9092 livepulse worker --metrics-port 9100
    """
    # Faust and aiokafka take a second to import: the other commands do not wait for them.
    from agents.doctor import permissions  # noqa: PLC0415
    from agents.engine.run_worker import run  # noqa: PLC0415
    from agents.settings import load  # noqa: PLC0415

    settings = load()
    permissions.require(settings, "worker")
    run(settings, metrics_port=metrics_port)
