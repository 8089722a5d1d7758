#!/usr/bin/env python3
"""Starts and stops one Apache Kafka broker (KRaft, its own controller) on loopback.

Needs Linux, Java 17 and, the first time, Maven, which fetches the jars that ``pom.xml`` names.
``--dir`` holds what the broker keeps: records, ``server.properties``, ``kafka.log``, ``kafka.pid``.
"""
# ruff: noqa: S603, T201  every command starts with a program from needed(); a script may print

import argparse
import contextlib
import ctypes
import functools
import hashlib
import os
import shutil
import signal
import socket
import string
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
START_LIMIT_S = 90.0
STOP_LIMIT_S = 10.0
CLUSTER_ID = "bGl2ZXB1bHNlLWxvY2FsAA"  # any 16 bytes in base64; fixed, so that data can be reused
# Quick to start and small: the broker lives for a test run or an afternoon, not for a peak.
JVM_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
PACKAGES = {"java": "openjdk-17-jre-headless", "mvn": "maven"}


def main() -> None:
    """Run the command that the arguments name."""
    options = arguments()
    directory = options.dir.resolve()
    match options.command:
        case "start" if options.foreground:
            serve(directory, port=options.port)
        case "start":
            start(directory, port=options.port)
        case "stop":
            stop(directory)
        case "status":
            status(directory)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="One Kafka broker on loopback.")
    parser.add_argument("command", choices=["start", "stop", "status"])
    parser.add_argument("--dir", type=Path, default=HERE / "run", help="what the broker keeps")
    parser.add_argument("--port", type=int, default=9092, help="where clients connect (start only)")
    parser.add_argument(
        "--foreground",
        action="store_true",
        help="start, say when it answers, and stop it on Ctrl-C, SIGTERM or the parent's end",
    )
    return parser.parse_args()


# --- commands --------------------------------------------------------------------------------


def start(directory: Path, *, port: int) -> None:
    """Leave a broker running in the background; do nothing when one runs already."""
    if running_pid(directory) is None:
        broker = launch(directory, port=port)
        try:
            wait_until_it_answers(broker, directory, port=port)
        except BaseException:
            end(broker.pid, gone=lambda: broker.poll() is not None)
            raise
    status(directory)


def serve(directory: Path, *, port: int) -> None:
    """Run a broker until Ctrl-C, SIGTERM or the end of the process that started this one."""
    if running_pid(directory) is not None:
        sys.exit(f"a broker runs in {directory} already: stop it, or choose another --dir")
    end_with_parent(signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    broker = launch(directory, port=port, first=lambda: end_with_parent(signal.SIGKILL))
    try:
        wait_until_it_answers(broker, directory, port=port)
        status(directory)
        broker.wait()
        sys.exit(f"Kafka ended by itself with code {broker.returncode}\n{log_tail(directory)}")
    finally:
        end(broker.pid, gone=lambda: broker.poll() is not None)


def stop(directory: Path) -> None:
    """End the broker of ``directory``, that process and no other."""
    pid = running_pid(directory)
    if pid is not None:
        end(pid, gone=lambda: running_pid(directory) is None)
    (directory / "kafka.pid").unlink(missing_ok=True)
    print(f"Kafka is stopped ({directory})")


def status(directory: Path) -> None:
    """Say whether the broker runs, and where; exit with 1 when it does not."""
    if running_pid(directory) is None:
        sys.exit(f"Kafka does not run in {directory}")
    pid, address = (directory / "kafka.pid").read_text().split()
    print(f"Kafka runs on {address} (pid {pid}, {directory})", flush=True)


# --- the process -----------------------------------------------------------------------------


def launch(
    directory: Path, *, port: int, first: Callable[[], None] | None = None
) -> subprocess.Popen[bytes]:
    """Start a broker in ``directory``, formatted if new; ``first`` runs in the new process."""
    refuse_taken_port(port)
    settings = write_settings(directory, port=port)
    if not (directory / "data/meta.properties").exists():
        format_data(settings)
    with (directory / "kafka.log").open("wb") as log:
        broker = subprocess.Popen(
            java("kafka.Kafka", settings),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=first,  # noqa: PLW1509  this process has one thread
        )
    (directory / "kafka.pid").write_text(f"{broker.pid} {HOST}:{port}\n")
    return broker


def write_settings(directory: Path, *, port: int) -> Path:
    """Fill in the template and return the path of the result."""
    directory.mkdir(parents=True, exist_ok=True)
    template = string.Template((HERE / "server.properties").read_text())
    settings = directory / "server.properties"
    settings.write_text(
        template.substitute(port=port, controller_port=free_port(), directory=directory)
    )
    return settings


def format_data(settings: Path) -> None:
    """Write the identity of the cluster into a new data directory."""
    command = java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(settings))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"Kafka cannot format its directory:\n{done.stdout}{done.stderr}")


def java(*main_class_and_arguments: str | Path) -> list[str | Path]:
    """Return the command line that runs a class of Kafka."""
    log_settings = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
    class_path = f"{jars()}/*"
    return [
        needed("java"),
        *JVM_OPTIONS,
        log_settings,
        "-cp",
        class_path,
        *main_class_and_arguments,
    ]


def wait_until_it_answers(broker: subprocess.Popen[bytes], directory: Path, *, port: int) -> None:
    """Return when clients can use the broker; exit with its last words when it fails to start."""
    deadline_s = time.monotonic() + START_LIMIT_S
    while not answers(port):
        if broker.poll() is not None or time.monotonic() > deadline_s:
            sys.exit(f"Kafka did not start on {HOST}:{port}\n{log_tail(directory)}")
        time.sleep(0.1)


def answers(port: int) -> bool:
    """Say whether a broker on ``port`` names a live broker in answer to a Metadata request."""
    # Size of the rest, API key 3, version 1, correlation id, no client id, no topics.
    request = struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0)
    try:
        with socket.create_connection((HOST, port), timeout=2) as link:
            link.sendall(request)
            reply = link.recv(12)
        _size, _correlation_id, brokers = struct.unpack(">iii", reply)
    except (OSError, struct.error):
        return False
    return bool(brokers > 0)


def end(pid: int, *, gone: Callable[[], bool]) -> None:
    """Ask the process to stop, wait, and kill it when it does not; ``gone`` says whether it has."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline_s = time.monotonic() + STOP_LIMIT_S
        with contextlib.suppress(ProcessLookupError):
            if not gone():
                os.kill(pid, number)
        while not gone() and time.monotonic() < deadline_s:
            time.sleep(0.05)


def end_with_parent(number: int) -> None:
    """Ask Linux to send this process a signal when the process that started it ends."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, number)


def running_pid(directory: Path) -> int | None:
    """Return the pid of the broker of ``directory``; a pid that now belongs to others is none."""
    try:
        pid = int((directory / "kafka.pid").read_text().split()[0])
    except FileNotFoundError:
        return None
    return pid if str(directory / "server.properties") in command_of(pid) else None


def command_of(pid: int) -> str:
    """Return the command line of a process, empty when there is none."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def log_tail(directory: Path) -> str:
    """Return the last lines that the broker wrote, and where the rest is."""
    log = directory / "kafka.log"
    return "\n".join([*log.read_text(errors="replace").splitlines()[-15:], f"(from {log})"])


# --- what it needs ---------------------------------------------------------------------------


@functools.cache
def jars() -> Path:
    """Return the directory of Kafka's jars, fetched once for each version of the pom."""
    version = hashlib.sha256((HERE / "pom.xml").read_bytes()).hexdigest()[:12]
    wanted = HERE / "target" / version
    if not wanted.is_dir():
        fetch_jars(wanted)
    return wanted


def fetch_jars(wanted: Path) -> None:
    """Let Maven copy the jars that the pom names into ``wanted``, all of them or none."""
    maven, pom = needed("mvn"), str(HERE / "pom.xml")
    print("fetching Kafka from Maven Central, once (45 MB, a minute or less)", flush=True)
    wanted.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wanted.parent) as scratch:
        copied = Path(scratch, "jars")
        copy = ["dependency:copy-dependencies", f"-DoutputDirectory={copied}"]
        done = subprocess.run(
            [maven, "-q", "-B", "-f", pom, *copy], capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"Maven could not fetch Kafka:\n{done.stdout}{done.stderr}")
        with contextlib.suppress(OSError):  # another start was quicker
            copied.rename(wanted)


def needed(program: str) -> str:
    """Return the path of a program; exit with 69 (EX_UNAVAILABLE) when it is not installed."""
    path = shutil.which(program)
    if path is None:
        sys.stderr.write(
            f"{program} is not installed; on Debian: apt install {PACKAGES[program]}\n"
        )
        sys.exit(os.EX_UNAVAILABLE)
    return path


def free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


def refuse_taken_port(port: int) -> None:
    """Exit when somebody listens on ``port``: its answers would be taken for our broker's."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        sys.exit(f"--port {port} cannot be used: {error.strerror}; choose another")


if __name__ == "__main__":
    main()
