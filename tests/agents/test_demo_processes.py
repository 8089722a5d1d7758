"""The demo's processes: they start, they are missed when they die, none is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.demo.processes import ProcessDied, Processes

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal as s, time; s.signal(15, s.SIG_IGN); print('up', flush=True); time.sleep(60)",
]
#: Starts a process as the demo does, tells its pid and directory, and waits to be killed.
DEMO = """
import sys, time
from agents.demo.processes import Processes
child = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
with Processes() as processes:
    processes.start("child", [sys.executable, "-c", child])
    pid = processes.wait("child", lambda: processes.log("child") or None, seconds=20)
    print(pid.strip(), processes.directory, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Return an empty group, ended after the test."""
    with Processes() as group:
        yield group


def _is_up(group: Processes, name: str) -> bool:
    return group.wait(name, lambda: "up" in group.log(name) or None, seconds=20)


def test_the_last_lines_of_a_dead_process_are_told(processes: Processes) -> None:
    """Whoever sees the demo end learns from the message why."""
    processes.start("worker", [sys.executable, "-c", "print('no broker'); raise SystemExit(3)"])
    with pytest.raises(ProcessDied, match=r"worker ended with code 3\nno broker"):
        processes.wait("worker", lambda: None, seconds=20)


def test_a_process_that_never_gets_ready_is_told(processes: Processes) -> None:
    """Waiting has an end, and the message says for what."""
    processes.start("worker", SLEEP)
    _is_up(processes, "worker")
    with pytest.raises(ProcessDied, match=r"worker was not ready after 0.1 s\nup"):
        processes.wait("worker", lambda: None, seconds=0.1)


def test_settings_of_the_user_do_not_pass(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A demo must never write to the broker that the user has configured."""
    monkeypatch.setenv("LIVEPULSE_KAFKA_BOOTSTRAP", "production:9092")
    show = "import os; print(*(k + '=' + v for k, v in os.environ.items() if 'LIVEPULSE' in k))"
    processes.start("env", [sys.executable, "-c", show], env={"LIVEPULSE_APP_ID": "demo"})
    shown = processes.log
    with pytest.raises(ProcessDied, match="code 0"):
        processes.wait("env", lambda: None, seconds=20)
    assert shown("env").split() == ["LIVEPULSE_APP_ID=demo"]


def test_nothing_is_left_after_the_end() -> None:
    """Also a process that ignores SIGTERM is gone, and so are the files."""
    with Processes() as group:
        group.start("stubborn", STUBBORN)
        _is_up(group, "stubborn")
        running = group._running["stubborn"]
    assert running.returncode == -signal.SIGKILL
    assert group._keeper.returncode == 0
    assert not group.directory.exists()


def test_nothing_is_left_when_the_demo_is_killed() -> None:
    """A ``kill -9`` runs no code of the demo: the keeper sees its pipe close."""
    with subprocess.Popen([sys.executable, "-c", DEMO], stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        pid, directory = demo.stdout.readline().split()
        assert _runs(int(pid))
        demo.kill()
    deadline = time.monotonic() + 20
    while (_runs(int(pid)) or Path(directory).exists()) and time.monotonic() < deadline:
        time.sleep(0.05)  # there is nothing to be awaited: its parent is gone
    assert not _runs(int(pid))
    assert not Path(directory).exists()


def _runs(pid: int) -> bool:
    """Tell whether a process runs; one that has ended but was not reaped does not."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
