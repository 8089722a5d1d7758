#!/usr/bin/env python3
"""Starts and stops an Apache Kafka (KRaft) on loopback: one broker, or a cluster of several.

Needs Linux, Java 17 and, the first time, Maven, which fetches the jars that ``pom.xml`` names.
``--dir`` holds what the broker keeps: records, ``server.properties``, ``kafka.log``, ``kafka.pid``.
With ``--brokers 3`` each broker is a process of its own on the ports from ``--port`` on, and keeps
its own in ``--dir``/1 to 3: kill, pause or start again any of them by its pid.
"""
# ruff: noqa: S603, T201  every command starts with a program from needed(); a script may print

import argparse
import contextlib
import ctypes
import functools
import hashlib
import os
import random
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
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
START_LIMIT_S = 90.0
STOP_LIMIT_S = 10.0
CLUSTER_ID = "bGl2ZXB1bHNlLWxvY2FsAA"  # any 16 bytes in base64; fixed, so that data can be reused
# Quick to start and small: the broker lives for a test run or an afternoon, not for a peak.
JVM_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
PACKAGES = {"java": "openjdk-17-jre-headless", "mvn": "maven"}


@dataclass(frozen=True)
class Broker:
    """One broker, its own controller: its number, its port for clients, how many there are."""

    directory: Path
    port: int
    node: int = 1
    brokers: int = 1

    def controllers(self) -> list[str]:
        """Return ``node@host:port`` of every controller; a cluster agrees on them once."""
        if self.brokers == 1:
            return [f"1@{HOST}:{free_port()}"]
        agreed = self.directory.parent / "controllers"
        if not agreed.exists():
            ports = free_ports(self.brokers)
            voters = [f"{node}@{HOST}:{port}" for node, port in enumerate(ports, 1)]
            self.directory.mkdir(parents=True, exist_ok=True)
            mine = self.directory / "controllers"
            mine.write_text("\n".join(voters))
            with contextlib.suppress(FileExistsError):  # another broker was quicker
                agreed.hardlink_to(mine)
        return agreed.read_text().split()


def main() -> None:
    """Run the command that the arguments name."""
    options = arguments()
    directory = options.dir.resolve()
    match options.command:
        case "start" if options.foreground:
            serve(brokers(options)[0])
        case "start":
            start(brokers(options))
            status(directory)
        case "stop":
            stop(directory)
        case "status":
            status(directory)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Kafka on loopback.")
    parser.add_argument("command", choices=["start", "stop", "status"])
    parser.add_argument("--dir", type=Path, default=HERE / "run", help="what the broker keeps")
    parser.add_argument("--port", type=int, default=9092, help="where clients connect (start only)")
    parser.add_argument(
        "--brokers",
        type=int,
        default=1,
        help="so many make a cluster, on the ports from --port on (start only)",
    )
    parser.add_argument("--only", type=int, help="start this broker of the cluster, from 1 on")
    parser.add_argument(
        "--foreground",
        action="store_true",
        help="start, say when it answers, and stop it on Ctrl-C, SIGTERM or the parent's end",
    )
    options = parser.parse_args()
    if options.foreground and options.brokers > 1 and options.only is None:
        parser.error("--foreground runs one broker: say which with --only")
    return options


def brokers(options: argparse.Namespace) -> list[Broker]:
    """Return the brokers that the options ask for."""
    directory, count = options.dir.resolve(), options.brokers
    if count == 1:
        return [Broker(directory, options.port)]
    every = [
        Broker(directory / str(node), options.port + node - 1, node, count)
        for node in range(1, count + 1)
    ]
    return [broker for broker in every if options.only in (None, broker.node)]


# --- commands --------------------------------------------------------------------------------


def start(wanted: list[Broker]) -> None:
    """Leave brokers running in the background; one that runs already is left alone."""
    missing = [broker for broker in wanted if running_pid(broker.directory) is None]
    launched: list[subprocess.Popen[bytes]] = []
    try:
        launched.extend(launch(broker) for broker in missing)
        for broker, process in zip(missing, launched, strict=True):
            wait_until_it_answers(process, broker)
    except BaseException:
        for process in launched:
            end(process.pid, gone=lambda process=process: process.poll() is not None)  # type: ignore[misc]
        raise


def serve(broker: Broker) -> None:
    """Run a broker until Ctrl-C, SIGTERM or the end of the process that started this one."""
    directory = broker.directory
    if running_pid(directory) is not None:
        sys.exit(f"a broker runs in {directory} already: stop it, or choose another --dir")
    end_with_parent(signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    process = launch(broker, first=lambda: end_with_parent(signal.SIGKILL))
    try:
        wait_until_it_answers(process, broker)
        status(directory)
        process.wait()
        sys.exit(f"Kafka ended by itself with code {process.returncode}\n{log_tail(directory)}")
    finally:
        end(process.pid, gone=lambda: process.poll() is not None)


def stop(directory: Path) -> None:
    """End the brokers of ``directory``, these processes and no others."""
    for home in homes(directory):
        pid = running_pid(home)
        if pid is not None:
            end(pid, gone=lambda home=home: running_pid(home) is None)  # type: ignore[misc]
        (home / "kafka.pid").unlink(missing_ok=True)
    print(f"Kafka is stopped ({directory})")


def status(directory: Path) -> None:
    """Say which brokers run, and where; exit with 1 when none does."""
    running = [home for home in homes(directory) if running_pid(home) is not None]
    if not running:
        sys.exit(f"Kafka does not run in {directory}")
    for home in running:
        pid, address = (home / "kafka.pid").read_text().split()
        print(f"Kafka runs on {address} (pid {pid}, {home})", flush=True)


def homes(directory: Path) -> list[Path]:
    """Return the directories of the brokers that were started in ``directory``."""
    found = (directory.glob(pattern) for pattern in ("kafka.pid", "[0-9]*/kafka.pid"))
    return sorted(file.parent for files in found for file in files)


# --- the process -----------------------------------------------------------------------------


def launch(broker: Broker, *, first: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
    """Start a broker in its directory, formatted if new; ``first`` runs in the new process."""
    directory = broker.directory
    refuse_taken_port(broker.port)
    settings = write_settings(broker)
    if not (directory / "data/meta.properties").exists():
        format_data(settings)
    with (directory / "kafka.log").open("ab") as log:
        process = subprocess.Popen(
            java("kafka.Kafka", settings),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=first,  # noqa: PLW1509  this process has one thread
        )
    (directory / "kafka.pid").write_text(f"{process.pid} {HOST}:{broker.port}\n")
    return process


def write_settings(broker: Broker) -> Path:
    """Fill in the template and return the path of the result."""
    broker.directory.mkdir(parents=True, exist_ok=True)
    template = string.Template((HERE / "server.properties").read_text())
    settings = broker.directory / "server.properties"
    controllers = broker.controllers()
    copies = min(broker.brokers, 3)
    settings.write_text(
        template.substitute(
            node=broker.node,
            port=broker.port,
            controllers=",".join(controllers),
            controller_port=controllers[broker.node - 1].rpartition(":")[2],
            copies=copies,
            in_sync=max(copies - 1, 1),
            directory=broker.directory,
        )
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


def wait_until_it_answers(process: subprocess.Popen[bytes], broker: Broker) -> None:
    """Return when clients can use the broker; exit with its last words when it fails to start."""
    deadline_s = time.monotonic() + START_LIMIT_S
    while not answers(broker.port):
        if process.poll() is not None or time.monotonic() > deadline_s:
            where = f"{HOST}:{broker.port}"
            sys.exit(f"Kafka did not start on {where}\n{log_tail(broker.directory)}")
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
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Return so many different ports of loopback that nobody listens on now.

    None of those that Linux gives to clients: one that asks for a broker which is down could be
    given its very port, and would keep it from coming back.
    """
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(10_000, 32_000)  # noqa: S311 - no secret
        with contextlib.suppress(OSError), socket.create_server((HOST, port)):
            found.add(port)
    return sorted(found)


def refuse_taken_port(port: int) -> None:
    """Exit when somebody listens on ``port``: its answers would be taken for our broker's."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        sys.exit(f"--port {port} cannot be used: {error.strerror}; choose another")


if __name__ == "__main__":
    main()
