"""Runs the worker process: logging, the metrics port, Faust's own event loop."""

import gc
import logging

import faust
from prometheus_client import CollectorRegistry, start_http_server

from agents.app import Worker
from agents.settings import Settings


def run(settings: Settings, *, metrics_port: int | None = None) -> None:
    """Run a worker, with its metrics, until it is told to stop; never returns."""
    worker = Worker(settings)
    port = settings.metrics_port if metrics_port is None else metrics_port
    if port:
        registry = CollectorRegistry()
        registry.register(worker.meters)
        start_http_server(port, addr=settings.metrics_host, registry=registry)
    serve(worker)


def serve(worker: Worker) -> None:
    """Run Faust's worker; never returns."""
    gc.disable()  # the worker collects by itself, see Worker.collect_garbage
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    faust.Worker(
        worker.app, loglevel=worker.settings.log_level.lower(), redirect_stdouts=False
    ).execute_from_commandline()
