"""The workers of a run: processes that are killed, frozen, stopped, and that come back.

A keeper starts a worker anew when it has ended, as an orchestrator does, and notes every end.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.chaos.engine import DUMP, Engine, Memory, main
from tests.chaos.failpoints import Failpoint

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.chaos.engine"])
_memory = msgspec.msgpack.Decoder(Memory)

STOP_S = 12.0
DUMP_S = 10.0
#: A worker that dies at its start is started so often at most.
BACKOFF_S = 1.0
_POLL_S = 0.05
_WORDS = 8_000
_SIGNS = ('"level":"error"', '"level":"critical"')


class End(NamedTuple):
    """A worker's end: which, with which exit code (a signal is negative), whether it was asked."""

    number: int
    code: int
    asked: bool
    words: str


class WorkerProcess:
    """One life of a worker."""

    def __init__(self, number: int, variables: dict[str, str], log: Path, engine: Engine) -> None:
        self.number = number
        self.log = log
        self.asked = False
        self.started_s = time.monotonic()
        self._asking = threading.Lock()
        self._process = _forks.Process(target=main, args=(variables, str(log), engine), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        with self._asking:  # two who ask at once would both read it, and one would find nothing
            return self._process.exitcode

    def signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power cut does."""
        self.asked = True
        self.signal(signal.SIGKILL)
        self.wait()

    def ask_to_stop(self) -> None:
        """Ask it to end; once, since the second time would be taken as impatience."""
        self.asked = True
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)

    def wait(self) -> int | None:
        """Return the exit code, None when it has not ended in time."""
        deadline = time.monotonic() + STOP_S
        while self.exit_code is None and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return self.exit_code

    def is_frozen(self) -> bool:
        """Tell whether it was stopped by a signal."""
        with suppress(FileNotFoundError, ProcessLookupError):  # it just ends
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        return False

    def is_at_work(self) -> bool:
        """Tell whether its tasks run: who is about to begin them is nobody's zombie."""
        said = self.log.read_text(errors="replace") if self.log.exists() else ""
        return said.rfind("run here") > said.rfind("Executing _on_partitions_assigned")

    def memory(self) -> Memory:
        """Let it write down what it remembers. Raises TimeoutError when it does not."""
        path = self.log.with_suffix(".memory")
        path.unlink(missing_ok=True)
        self.signal(DUMP)
        deadline = time.monotonic() + DUMP_S
        while not path.exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"worker {self.number} does not say what it remembers")
            time.sleep(_POLL_S)
        return _memory.decode(path.read_bytes())

    def last_words(self) -> str:
        """Return what it said when it ended: its errors with a few lines each, and the end."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        wrong = [line for line in lines if any(sign in line for sign in _SIGNS)]
        return "\n".join([*wrong, *lines[-30:]])[-_WORDS:]


class Fleet:
    """So many workers, kept running; ``ends`` are the ends that came about.

    ``engines`` says which workers are not as they should be, in all their lives.
    """

    def __init__(self, variables: dict[str, str], directory: Path) -> None:
        self.ends: list[End] = []
        self.engines: defaultdict[int, Engine] = defaultdict(Engine)
        self._failpoints: dict[int, Failpoint] = {}
        self._variables = variables
        self._directory = directory
        self._workers: dict[int, WorkerProcess] = {}
        self._lives = 0
        self._kept = True
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def arm(self, number: int, failpoint: Failpoint) -> None:
        """Give the next life of a worker a failpoint."""
        self._failpoints[number] = failpoint

    def start(self, number: int) -> WorkerProcess:
        """Start a worker, or one more life of it."""
        with self._lock:
            engine = replace(self.engines[number], failpoint=self._failpoints.pop(number, None))
            self._lives += 1
            log = self._directory / f"worker-{number}-life-{self._lives}.log"
            worker = WorkerProcess(number, self._variables, log, engine)
            self._workers[number] = worker
            return worker

    def __getitem__(self, number: int) -> WorkerProcess:
        with self._lock:
            return self._workers[number]

    def numbers(self) -> list[int]:
        """Return the numbers of the workers that shall run."""
        with self._lock:
            return sorted(self._workers)

    def kill(self, number: int) -> None:
        """Kill a worker; the keeper starts it again."""
        self[number].kill()

    def retire(self, number: int) -> int | None:
        """Ask a worker to end for good; returns its exit code."""
        with self._lock:
            worker = self._workers.pop(number)
        worker.ask_to_stop()
        code = worker.wait()
        self._note(worker)
        if code is None:
            worker.kill()
        return code

    def pause_keeping(self) -> None:
        """Start nothing until ``go_on``."""
        with self._lock:
            self._kept = False

    def go_on(self) -> None:
        """Keep the workers running again."""
        with self._lock:
            self._kept = True

    def close(self) -> list[int | None]:
        """Stop all; returns the exit codes."""
        self._closing.set()
        self._keeper.join()
        workers = list(self._workers.values())
        self._workers = {}
        for worker in workers:
            worker.ask_to_stop()
        codes = [worker.wait() for worker in workers]
        for worker in workers:
            worker.kill()
        return codes

    def each(self, act: Callable[[int], None]) -> None:
        """Do something to each worker in turn."""
        for number in self.numbers():
            act(number)

    def _keep(self) -> None:
        while not self._closing.wait(_POLL_S):
            with self._lock:
                if self._kept:
                    self._revive()

    def _revive(self) -> None:
        for number, worker in list(self._workers.items()):
            if worker.exit_code is not None and time.monotonic() - worker.started_s > BACKOFF_S:
                self._note(worker)
                self.start(number)

    def _note(self, worker: WorkerProcess) -> None:
        code = worker.exit_code
        words = "" if worker.asked else worker.last_words()
        self.ends.append(End(worker.number, -1 if code is None else code, worker.asked, words))
