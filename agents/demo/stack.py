"""Broker, Redis, worker and screen, started one after the other as a user would start them."""

import secrets
import sys
from collections.abc import Callable, Iterable
from urllib.request import urlopen

from agents.demo import broker, redis_process, scrape
from agents.demo.processes import Processes
from agents.screen.tokens import Tokens
from agents.settings import Settings
from agents.sources import variable_of
from agents.topics import topics

BROKER, REDIS, WORKER, SCREEN = "broker", "redis", "worker", "screen"
STEPS = (BROKER, REDIS, WORKER, SCREEN)
_READY_S = 15.0
#: Python imports for seconds on a busy machine, and a worker then waits for its group.
_PYTHON_READY_S = 60.0


#: The demo's own token ends after so long.
TOKEN_S = 12 * 3_600


def start(
    processes: Processes, on_step: Callable[[str], None], *, screen_port: int | None = None
) -> Settings:
    """Start everything and return the settings that it runs with. Raises ProcessDied."""
    settings = Settings(
        kafka_bootstrap=_start_broker(processes, on_step),
        redis_url=f"redis://127.0.0.1:{_start_redis(processes, on_step)}/0",
        metrics_port=redis_process.free_port(),
        partitions=broker.PARTITIONS,
        # The embedded broker leaves the checksum of its transaction markers at zero.
        kafka_check_crcs=False,
        log_format="pretty",  # when a process dies, the demo shows its last lines
        screen_port=screen_port or redis_process.free_port(),
        screen_token_key=secrets.token_hex(32),
    )
    _start_worker(processes, settings, on_step)
    _start_screen(processes, settings, on_step)
    processes.wait(WORKER, lambda: _all_tasks(settings), seconds=_PYTHON_READY_S)
    processes.wait(SCREEN, lambda: _is_served(settings), seconds=_PYTHON_READY_S)
    return settings


def screen_address(settings: Settings) -> str:
    """Return where the screen is."""
    return f"http://{settings.screen_host}:{settings.screen_port}/"


def screen_link(settings: Settings) -> str:
    """Return the address that signs an operator in; the token stands where no server sees it."""
    token = Tokens(settings).sign(operator=True, ttl_s=TOKEN_S)
    return f"{screen_address(settings)}login#{token}"


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


def _start_screen(processes: Processes, settings: Settings, on_step: Callable[[str], None]) -> None:
    on_step(SCREEN)
    command = [sys.executable, "-m", "agents.cli", "screen", "--metrics-port", "0"]
    given = environment(settings, ("redis_url", "screen_port", "screen_token_key"))
    processes.start(SCREEN, command, env=given)


def _is_served(settings: Settings) -> bool | None:
    try:
        with urlopen(f"{screen_address(settings)}healthz", timeout=1):  # noqa: S310 - our own
            return True
    except OSError:
        return None


def _all_tasks(settings: Settings) -> bool | None:
    """Return True when every partition has its task."""
    numbers = scrape.read(settings.metrics_port)
    return (numbers is not None and numbers.tasks == settings.partitions) or None


_GIVEN = (
    "kafka_bootstrap", "redis_url", "metrics_port", "partitions", "kafka_check_crcs", "log_format",
)  # fmt: skip


def environment(settings: Settings, names: Iterable[str] = _GIVEN) -> dict[str, str]:
    """Return the variables that make a process use these settings."""
    return {variable_of(name): str(getattr(settings, name)).lower() for name in names}
