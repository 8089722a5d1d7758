"""The metric contract, as deploy/prometheus/metrics.md states it."""

import re
from typing import Literal, NamedTuple

from tests.deploy.markdown import rows
from tests.deploy.tools import DEPLOY

PAGE = DEPLOY / "prometheus" / "metrics.md"
Role = Literal["worker", "screen"]

_NAME = re.compile(r"`(livepulse_\w+)`")
#: Prometheus' own, and those of its client library that rules and dashboards use.
STANDARD = {
    "up",
    "ALERTS",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
}


class Documented(NamedTuple):
    """What the contract says of one metric."""

    type: str
    labels: frozenset[str]
    help: str


def documented(role: Role | None = None) -> dict[str, Documented]:
    """Return name -> what is said of it, for one process or for both."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    worker, screen = (_table(_section(sections, title)) for title in ("Worker", "Screen"))
    shared = {name: worker[name] for name in _NAME.findall(_text(_section(sections, "Screen")))}
    return {"worker": worker, "screen": shared | screen, None: worker | screen}[role]


def families(names: set[str]) -> set[str]:
    """Return the metrics behind the names of series: a histogram has three kinds."""
    histograms = {name for name, one in documented().items() if one.type == "histogram"}
    return {
        base if (base := re.sub(r"_(bucket|count|sum)$", "", name)) in histograms else name
        for name in names
    }


def edges() -> dict[str, list[float]]:
    """Return the finite edges of every histogram."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    table = rows(_section(sections, "Edges"))
    found: dict[str, list[float]] = {}
    for name, values in table:
        before = list(found.values())
        found[name.strip("`")] = before[-1] if values == "as above" else [
            float(edge) for edge in values.split()
        ]  # fmt: skip
    return found


def values(label: str) -> set[str]:
    """Return the closed set of a label's values."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (text,) = (said for name, said in rows(_section(sections, "Values")) if name == label)
    return set(re.findall(r"`(\w+)`", text))


def _section(sections: list[str], title: str) -> str:
    return next(section for section in sections if section.startswith(title))


def _text(section: str) -> str:
    return "\n".join(line for line in section.splitlines() if not line.startswith("|"))


def _table(section: str) -> dict[str, Documented]:
    return {
        name.strip("`"): Documented(kind, frozenset(filter(None, labels.split(", "))), text)
        for name, kind, labels, text in rows(section)
    }
