"""A small HTTP server in threads of its own: Prometheus and Kubernetes are answered always."""

import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AddressFamily
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from agents.metrics.health import Health, Verdict
from agents.settings import SettingsError


class Reply(NamedTuple):
    """What is sent back."""

    status: HTTPStatus
    kind: str
    body: bytes


#: By path; each is given the request's Accept header.
Routes = Mapping[str, Callable[[str], Reply]]


def routes(registry: CollectorRegistry, health: Health) -> Routes:
    """Return what a worker answers."""
    return {
        "/metrics": lambda accept: metrics(registry, accept),
        "/healthz": lambda _: _judged(health.alive()),
        "/readyz": lambda _: _judged(health.ready()),
        "/startupz": lambda _: _judged(health.started()),
    }


def serve(host: str, port: int, answers: Routes) -> ThreadingHTTPServer:
    """Answer until the process ends. Raises SettingsError when the port cannot be had."""

    class Server(ThreadingHTTPServer):
        address_family = AddressFamily.AF_INET6 if ":" in host else AddressFamily.AF_INET

    class Handler(_Handler):
        routes = answers

    try:
        server = Server((host, port), Handler)
    except OSError as error:
        raise SettingsError(
            "LIVEPULSE_METRICS_PORT", f"cannot listen on {host}:{port}: {error.strerror or error}",
            source="settings", fix="choose a free port, and an address of this machine",
        ) from error  # fmt: skip
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
    return server


def metrics(registry: CollectorRegistry, accept: str) -> Reply:
    """Return all metrics in OpenMetrics if that is asked for, else in Prometheus' text format."""
    encode, kind = choose_encoder(accept)
    return Reply(HTTPStatus.OK, kind, encode(registry))


def _judged(verdict: Verdict) -> Reply:
    status = HTTPStatus.OK if verdict.ok else HTTPStatus.SERVICE_UNAVAILABLE
    return Reply(status, "application/json", msgspec.json.encode(verdict) + b"\n")


class _Handler(BaseHTTPRequestHandler):
    routes: ClassVar[Routes] = {}
    timeout = 10.0  # a client that says nothing is let go

    def do_GET(self) -> None:
        answer = self.routes.get(urlsplit(self.path).path)
        if answer is None:
            self.send_error(HTTPStatus.NOT_FOUND, f"there is {', '.join(self.routes)}")
            return
        reply = answer(self.headers.get("Accept", ""))
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base class has it
        """Keep scrapes and probes out of the log."""
