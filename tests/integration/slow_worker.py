"""``livepulse`` with a state that takes longer to read than a group waits for a silent member."""

import asyncio
from importlib import import_module
from typing import Any

from agents import cli
from agents.engine import changelog
from agents.settings import Settings

RESTORE_S = 9.0


async def read_slowly(
    settings: Settings, partition: int, on_progress: changelog.Progress
) -> dict[bytes, bytes]:
    """Read a changelog as a worker does, later."""
    await asyncio.sleep(RESTORE_S)
    return await changelog.read_changelog(settings, partition, on_progress)


if __name__ == "__main__":
    task: Any = import_module("agents.engine.task")
    task.read_changelog = read_slowly
    cli.main()
