"""Broker, Redis and worker, started one after the other as a user would start them."""

import sys
from collections.abc import Callable, Iterable

from agents.demo import broker, redis_process, scrape
from agents.demo.processes import Processes
from agents.settings import Settings
from agents.sources import variable_of
from agents.topics import topics

BROKER, REDIS, WORKER = "broker", "redis", "worker"
STEPS = (BROKER, REDIS, WORKER)
_READY_S = 15.0
#: A worker imports for seconds on a busy machine and then waits for its group.
_WORKER_READY_S = 60.0


def start(processes: Processes, on_step: Callable[[str], None]) -> Settings:
    """Start everything and return the settings that it runs with. Raises ProcessDied."""
    settings = Settings(
        kafka_bootstrap=_start_broker(processes, on_step),
        redis_url=f"redis://127.0.0.1:{_start_redis(processes, on_step)}/0",
        metrics_port=redis_process.free_port(),
        partitions=broker.PARTITIONS,
        # The embedded broker leaves the checksum of its transaction markers at zero.
        kafka_check_crcs=False,
    )
    _start_worker(processes, settings, on_step)
    return settings


def _start_broker(processes: Processes, on_step: Callable[[str], None]) -> str:
    on_step(BROKER)
    processes.start(BROKER, broker.command([spec.name for spec in topics(Settings())]))
    return processes.wait(BROKER, lambda: broker.address(processes.log(BROKER)), seconds=_READY_S)


def _start_redis(processes: Processes, on_step: Callable[[str], None]) -> int:
    on_step(REDIS)
    port = redis_process.free_port()
    processes.start(REDIS, redis_process.command(port))
    processes.wait(REDIS, lambda: redis_process.answers(port), seconds=_READY_S)
    return port


def _start_worker(processes: Processes, settings: Settings, on_step: Callable[[str], None]) -> None:
    on_step(WORKER)
    command = [sys.executable, "-m", "agents.cli", "worker"]
    processes.start(WORKER, command, env=environment(settings))
    processes.wait(WORKER, lambda: _all_tasks(settings), seconds=_WORKER_READY_S)


def _all_tasks(settings: Settings) -> bool | None:
    """Return True when every partition has its task."""
    numbers = scrape.read(settings.metrics_port)
    return (numbers is not None and numbers.tasks == settings.partitions) or None


_GIVEN = ("kafka_bootstrap", "redis_url", "metrics_port", "partitions", "kafka_check_crcs")


def environment(settings: Settings, names: Iterable[str] = _GIVEN) -> dict[str, str]:
    """Return the variables that make a process use these settings."""
    return {variable_of(name): str(getattr(settings, name)).lower() for name in names}
