"""Log lines: one JSON object each for machines, one line of text for people.

A line of a task carries a correlation id, ``app/task/commit``: the transaction that was being
filled. Nothing that is logged names a viewer or quotes a comment.
"""

import logging
import logging.config
import os
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson

from agents.metrics.task_meter import TaskMeter
from agents.settings import Settings

#: The task that the current code works for, if any.
current: ContextVar[TaskMeter | None] = ContextVar("current", default=None)

#: What aiokafka repeats is said once in so long.
QUIET_S = 10.0

_PRETTY = "[%(asctime)s] [%(levelname)s] %(where)s%(message)s"


def config(settings: Settings) -> dict[str, Any]:
    """Return what ``logging.config.dictConfig`` wants: everything goes to stderr."""
    style = settings.log_format
    if style == "auto":
        style = "pretty" if sys.stderr.isatty() else "json"
    kind = JsonLines if style == "json" else PrettyLines
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": kind, "app_id": settings.app_id}},
        "filters": {"repeats": {"()": Repeats}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "lines",
                "filters": ["repeats"],
            },
        },
        "root": {"level": settings.log_level, "handlers": ["stderr"]},
        # log_ends, who alone uses kafka-python here, says itself what goes wrong.
        "loggers": {"aiokafka": {"level": "WARNING"}, "kafka": {"level": "CRITICAL"}},
    }


def setup(settings: Settings) -> None:
    """Set logging up for a process that no library sets up."""
    logging.config.dictConfig(config(settings))


def correlation_id(app_id: str) -> str:
    """Return ``app/task/commit`` in a task, else ``app``."""
    task = current.get()
    return app_id if task is None else f"{app_id}/{task.partition}/{task.commits + 1}"


class Repeats(logging.Filter):
    """Holds back what aiokafka says again and again, and counts it.

    While a broker is away it says so at every turn, which is fifty lines a second. The message
    without its arguments decides what is the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Let a message through that is new, or old enough; then with the number held back."""
        if record.name.partition(".")[0] != "aiokafka":
            return True
        what = record.name, str(record.msg)
        at, held = self._said.get(what, (-QUIET_S, 0))
        if record.created - at < QUIET_S:
            self._said[what] = at, held + 1
            return False
        self._said[what] = record.created, 0
        if held:
            record.msg = f"{record.msg} ({held} more like it in {QUIET_S:.0f} s)"
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line, times in UTC."""

    def __init__(self, app_id: str) -> None:
        super().__init__()
        self._app_id = app_id
        self._pid = os.getpid()

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as JSON; ``error`` is its traceback."""
        said: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "correlation_id": correlation_id(self._app_id),
            "app_id": self._app_id,
            "pid": self._pid,
            "logger": record.name,
        }
        task = current.get()
        if task is not None:
            said |= {"task": task.partition, "commit": task.commits + 1}
        if record.exc_info:
            said["error"] = "".join(traceback.format_exception(*record.exc_info)).rstrip()
        return orjson.dumps(said, default=str).decode()


class PrettyLines(logging.Formatter):
    """A line as people read it, times in their zone; a traceback follows."""

    def __init__(self, app_id: str) -> None:
        super().__init__(_PRETTY)
        self._app_id = app_id

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as text, with the correlation id where there is one."""
        known = correlation_id(self._app_id)
        record.where = "" if known == self._app_id else f"[{known}] "
        return super().format(record)
