"""What the doctor says of one thing that was looked at."""

from typing import Literal

from msgspec import Struct

Status = Literal["ok", "warn", "failed", "skipped"]

#: Exit codes, by what failed.
SETTINGS, BROKER, TOPICS, PARTITIONS, REDIS = 10, 11, 12, 13, 14


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was looked at. ``exit_code`` is used when it failed."""

    name: str
    status: Status
    detail: str
    mend: str = ""
    exit_code: int = 0


def ok(name: str, detail: str) -> Check:
    """Return that all is well."""
    return Check(name=name, status="ok", detail=detail)


def skipped(name: str, detail: str) -> Check:
    """Return that something could not be looked at, and why."""
    return Check(name=name, status="skipped", detail=detail)


def warn(name: str, detail: str, *, mend: str) -> Check:
    """Return what works but should be otherwise."""
    return Check(name=name, status="warn", detail=detail, mend=mend)


def failed(name: str, detail: str, *, mend: str, exit_code: int) -> Check:
    """Return what must be mended."""
    return Check(name=name, status="failed", detail=detail, mend=mend, exit_code=exit_code)
