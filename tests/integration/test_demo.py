"""`livepulse demo` as a user runs it: it counts right, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.demo

COUNTERS = (
    "events_in", "dead_letters", "bad_records_injected", "duplicates", "sessions", "viewers",
    "conversion_rows", "churn_rows", "coupons", "recommendations", "suppressed", "p50_ms", "p99_ms",
)  # fmt: skip


class RunningDemo:
    """A demo in a session of its own, by which all of its processes are found."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        env = {k: v for k, v in os.environ.items() if not k.startswith("LIVEPULSE_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agents.cli", "demo", "--lang", "en", *arguments],
            env=env,
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_for(self, text: str) -> None:
        """Read stdout until a line has this text."""
        assert self.process.stdout is not None
        assert any(text in line for line in self.process.stdout), self.process.communicate()

    def others(self) -> dict[int, str]:
        """Return the commands of the demo's other processes that run, by process id."""
        found = {}
        for entry in Path("/proc").iterdir():
            with suppress(OSError):  # it may end meanwhile
                if entry.name.isdigit() and int(entry.name) != self.process.pid:
                    state, _, _, session = (
                        (entry / "stat").read_text().rpartition(")")[2].split()[:4]
                    )
                    if int(session) == self.process.pid and state != "Z":
                        found[int(entry.name)] = (entry / "cmdline").read_text()
        return found

    def is_alone_within(self, seconds: float) -> bool:
        """Tell whether all other processes end in that time."""
        deadline = time.monotonic() + seconds
        while self.others():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True


@pytest.fixture
def demos() -> Iterator[list[RunningDemo]]:
    """Collect demos, which are killed after the test."""
    started: list[RunningDemo] = []
    yield started
    for demo in started:
        demo.process.kill()
        demo.process.communicate()
        for pid in demo.others():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def running(demos: list[RunningDemo], tmp_path: Path) -> RunningDemo:
    """Return a demo without an end, which shows its first numbers."""
    demos.append(RunningDemo(tmp_path, "--rate", "200"))
    demos[0].wait_for("viewers now")
    return demos[0]


def test_every_record_is_accounted_for(demos: list[RunningDemo], tmp_path: Path) -> None:
    """All counters are above zero, and each broken record has become one dead letter."""
    demos.append(RunningDemo(tmp_path, "--seconds", "30", "--json"))
    out, err = demos[0].process.communicate(timeout=240)
    assert demos[0].process.returncode == 0, err
    counted = json.loads(out.splitlines()[-1])
    assert {name: counted[name] for name in COUNTERS if not counted[name]} == {}
    assert counted["dead_letters"] == counted["bad_records_injected"]
    assert sum(counted["events_by_type"].values()) == counted["events_in"]
    assert {"CartAdded", "OrderPaid", "SessionStarted"} <= counted["events_by_type"].keys()
    assert "Rejection" not in counted["events_by_type"]
    assert counted["sessions"] == counted["events_by_type"]["SessionStarted"] == 3
    assert counted["p50_ms"] <= counted["p99_ms"]
    assert demos[0].others() == {}


def test_ctrl_c_ends_it_soon(running: RunningDemo) -> None:
    """It is the way to end a demo without a time: code 0, a summary, nothing left."""
    began = time.monotonic()
    running.process.send_signal(signal.SIGINT)
    out, _ = running.process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert running.process.returncode == 0
    assert "dead letters" in out
    assert running.others() == {}


def test_a_killed_demo_leaves_nothing_behind(running: RunningDemo) -> None:
    """Broker, Redis and worker end when the demo is gone."""
    commands = " ".join(running.others().values())
    assert all(name in commands for name in ("keeper", "broker", "redis-server", "worker"))
    running.process.kill()
    assert running.is_alone_within(15)


def test_a_dead_worker_ends_the_demo(running: RunningDemo) -> None:
    """Code 1, with the worker's last words."""
    worker = next(pid for pid, command in running.others().items() if "worker" in command)
    os.kill(worker, signal.SIGKILL)
    _, err = running.process.communicate(timeout=30)
    assert running.process.returncode == 1
    assert "worker ended with code -9" in err
    assert "[INFO]" in err
    assert running.others() == {}
