"""A TCP proxy in a process of its own, which can be told to take its time."""

import asyncio
import multiprocessing
from contextlib import suppress
from multiprocessing.sharedctypes import Synchronized
from types import TracebackType
from typing import Self

from tests.chaos.leash import end_with_tests
from tests.ports import free_port

_forks = multiprocessing.get_context("forkserver")
_CHUNK = 1 << 16


class Detour:
    """Leads from ``port`` to a broker; ``delay`` holds every byte back for so many seconds."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._delay_s: Synchronized[float] = _forks.Value("d", 0.0)
        self._process = _forks.Process(
            target=_serve, args=(self.port, target, self._delay_s), daemon=True
        )

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.join()

    def delay(self, seconds: float) -> None:
        """Hold back what comes from now on."""
        self._delay_s.value = seconds


def _serve(port: int, target: int, delay_s: "Synchronized[float]") -> None:
    end_with_tests()
    asyncio.run(_listen(port, target, delay_s))


async def _listen(port: int, target: int, delay_s: "Synchronized[float]") -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
            await asyncio.gather(
                _carry(reader, far_writer, delay_s), _carry(far_reader, writer, delay_s)
            )

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: "Synchronized[float]"
) -> None:
    """Carry bytes in their order, each when its time has come."""
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    clock = asyncio.get_running_loop().time

    async def write() -> None:
        while True:
            due, chunk = await waiting.get()
            await asyncio.sleep(max(due - clock(), 0.0))
            if not chunk:
                writer.close()
                return
            writer.write(chunk)
            await writer.drain()

    writing = asyncio.create_task(write())
    chunk = b"."
    while chunk:
        try:
            chunk = await reader.read(_CHUNK)
        except OSError:
            chunk = b""
        waiting.put_nowait((clock() + delay_s.value, chunk))
    with suppress(OSError):
        await writing
