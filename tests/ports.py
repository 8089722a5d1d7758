"""Ports for servers that tests start, and start again."""

import socket
from contextlib import suppress
from random import randrange

#: Below those that Linux gives to clients (32768 and up). One that asks for a server which is
#: down could be given that very port, and would keep the server from coming back.
_CHOICE = (10_000, 32_000)


def free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    while True:
        port = randrange(*_CHOICE)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
