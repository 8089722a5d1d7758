"""Runs the worker process: logging, the metrics port, Faust's own event loop."""

import gc

import faust

from agents import logs
from agents.engine.app import Worker
from agents.metrics import probes, vitals
from agents.metrics.health import Health
from agents.settings import Settings


def run(settings: Settings, *, metrics_port: int | None = None) -> None:
    """Run a worker, with its metrics, until it is told to stop; never returns.

    Raises SettingsError when the metrics port cannot be had.
    """
    worker = Worker(settings)
    port = settings.metrics_port if metrics_port is None else metrics_port
    if port:
        registry = vitals.registry(worker.vitals, worker.exposition)
        health = Health(worker.meters, worker.vitals, worker.redis_meter, worker.dead)
        probes.serve(settings.metrics_host, port, probes.routes(registry, health))
    serve(worker)


def serve(worker: Worker) -> None:
    """Run Faust's worker; never returns."""
    gc.disable()  # the worker collects by itself, see Worker.collect_garbage
    settings = worker.settings
    faust.Worker(
        worker.app,
        loglevel=settings.log_level.lower(),
        logging_config=logs.config(settings),
        redirect_stdouts=False,
    ).execute_from_commandline()
