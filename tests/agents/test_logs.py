"""Log lines for machines and for people."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

import pytest
from redis.exceptions import ResponseError

from agents import logs
from agents.metrics.meters import Meters
from agents.redis_client import reason
from agents.settings import Settings


def said(style: str, *, task: bool = False, error: Exception | None = None) -> str:
    """Return what a log line looks like."""
    settings = Settings(app_id="pulse", log_format=style)  # type: ignore[arg-type]
    made = logs.config(settings)["formatters"]["lines"]
    formatter = made["()"](app_id=made["app_id"])
    record = logging.makeLogRecord(
        {"name": "agents.x", "levelno": 20, "levelname": "INFO", "msg": "%d\nthings", "args": (3,)}
    )
    if error is not None:
        record.exc_info = (type(error), error, None)
    meter = Meters().begin(2)
    meter.commits = 41
    token = logs.current.set(meter if task else None)
    try:
        return str(formatter.format(record))
    finally:
        logs.current.reset(token)


def test_json_is_one_object_a_line() -> None:
    """Whatever the message is."""
    line = said("json", task=True, error=ValueError("no\ngood"))
    assert "\n" not in line
    fields = json.loads(line)
    assert fields["message"] == "3\nthings"
    assert fields["level"] == "info"
    assert fields["error"].endswith("ValueError: no\ngood")
    assert fields["ts"].endswith("+00:00")


def test_a_line_of_a_task_tells_the_commit_that_it_belongs_to() -> None:
    """App, task and the number of the commit that was being filled."""
    fields = json.loads(said("json", task=True))
    assert fields["correlation_id"] == "pulse/2/42"
    assert (fields["task"], fields["commit"]) == (2, 42)
    assert "[pulse/2/42] 3\nthings" in said("pretty", task=True)


def test_other_lines_have_the_app() -> None:
    """And no task."""
    fields = json.loads(said("json"))
    assert fields["correlation_id"] == "pulse"
    assert "task" not in fields
    assert "[INFO] 3\nthings" in said("pretty")


@pytest.mark.parametrize(("terminal", "kind"), [(True, logs.PrettyLines), (False, logs.JsonLines)])
def test_auto_is_pretty_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, *, terminal: bool, kind: type[logging.Formatter]
) -> None:
    """A container's log is read by machines."""
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    assert logs.config(Settings())["formatters"]["lines"]["()"] is kind


def test_a_refused_command_is_not_quoted() -> None:
    """Its arguments name viewers."""
    told = reason(
        ResponseError(
            "Command # 1 (HSET livepulse:churn:s1 v-secret {..}) of pipeline caused error: OOM"
        )
    )
    assert told == "ResponseError: OOM"


def heard(*told: tuple[str, float, str, tuple[object, ...]]) -> list[str]:
    """Return what is let through of lines: logger, time, message and arguments."""
    repeats = logs.Repeats()
    made = [
        logging.makeLogRecord({"name": name, "created": at, "msg": message, "args": args})
        for name, at, message, args in told
    ]
    return [record.getMessage() for record in made if repeats.filter(record)]


def test_a_client_that_repeats_itself_is_heard_once_in_ten_seconds() -> None:
    """Then it is said how often it was; the arguments do not make another message of it."""
    away = "aiokafka.conn", "Unable connect to node with id %s"
    told = [(away[0], 100.0 + n / 10, away[1], (n % 3,)) for n in range(100)]
    assert heard(*told, (away[0], 110.0, away[1], (7,))) == [
        "Unable connect to node with id 0",
        "Unable connect to node with id 7 (99 more like it in 10 s)",
    ]


def test_other_lines_are_all_heard() -> None:
    """Another message, another logger, and whatever we say ourselves."""
    assert heard(
        ("aiokafka", 1.0, "a", ()), ("aiokafka", 1.0, "b", ()), ("aiokafka.conn", 1.0, "a", ()),
        ("agents.engine.task", 1.0, "a", ()), ("agents.engine.task", 1.0, "a", ()),
    ) == ["a", "b", "a", "a", "a"]  # fmt: skip


def test_the_screen_logs_as_it_is_told() -> None:
    """One JSON object a line, as a worker does."""
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "agents.cli", "screen"]
    environment = {"LIVEPULSE_LOG_FORMAT": "json", "LIVEPULSE_SCREEN_TOKEN_KEY": "k" * 40}
    with subprocess.Popen(
        [*command, "--port", "0", "--metrics-port", "0"],
        env=environment, stderr=subprocess.PIPE, text=True,
    ) as screen:  # fmt: skip
        try:
            messages = [json.loads(line)["message"] for line in until_it_listens(screen.stderr)]
        finally:
            screen.terminate()
    assert messages[-1].startswith("screen: listening on http://127.0.0.1:")


def until_it_listens(lines: IO[str] | None) -> Iterator[str]:
    """Yield lines up to the one that says where the screen is."""
    for line in lines or ():
        yield line
        if "listening on" in line:
            return
