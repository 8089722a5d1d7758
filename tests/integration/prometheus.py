"""Debian's Prometheus, really scraping, with our rules in quick motion.

Every span of the rules is divided by ``FACTOR`` (a window of 5 min is one of 25 s), and what is
scraped every 15 s is scraped every second. The limits of ratios and counts stay as they are.
"""

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.integration.cluster import until
from tests.ports import free_port

FACTOR = 12
RULES = Path(__file__).parents[2] / "deploy/prometheus/rules"
_UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_WINDOW = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])")
_FOR = re.compile(r"(?:(?<=for: )|(?<=offset ))(\d+)([smhd])\b")
#: The one limit that is itself a span: how old the newest event may be.
_AGE = re.compile(r"(?<=livepulse_last_event_timestamp_seconds\) > )(\d+)()")

CONFIG = """
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules/*.yaml]
scrape_configs:
  - job_name: livepulse
    file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]
"""


def quickened(rules: str) -> str:
    """Divide every span of a file of rules by ``FACTOR``."""
    rules = _AGE.sub(lambda found: f"{int(found[1]) / FACTOR:g}", rules)
    for pattern in (_WINDOW, _FOR):
        rules = pattern.sub(lambda found: f"{_ms(found) // FACTOR}ms", rules)
    return rules


def _ms(found: re.Match[str]) -> int:
    return int(found[1]) * _UNIT_S[found[2]] * 1_000


class Prometheus:
    """A server that scrapes what ``targets`` names."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        (directory / "rules").mkdir(parents=True)
        for file in RULES.glob("*.yaml"):
            (directory / "rules" / file.name).write_text(quickened(file.read_text()))
        (directory / "prometheus.yml").write_text(CONFIG)
        self.targets(())

    def targets(self, workers: Iterable[int], screens: Iterable[int] = ()) -> None:
        """Scrape these ports of loopback from now on, and no others."""
        jobs = {"livepulse-worker": workers, "livepulse-screen": screens}
        found = [
            {"targets": [f"127.0.0.1:{port}" for port in ports], "labels": {"job": job}}
            for job, ports in jobs.items()
        ]
        part = self.directory / "targets.part"
        part.write_text(json.dumps(found))
        part.rename(self.directory / "targets.json")

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire now, those of objectives with their burn rate.

        As ``LivepulseTriggersSlow/14.4``.
        """
        alerts = [one for one in self._get("alerts")["alerts"] if one["state"] == "firing"]
        return {_name(one["labels"]) for one in alerts}

    def alerts(self) -> list[str]:
        """Return all alerts that fire or are about to, for people."""
        return [f"{a['state']} {a['labels']} {a['value']}" for a in self._get("alerts")["alerts"]]

    def value(self, expression: str) -> float | None:
        """Evaluate an expression now; None when it has no value."""
        query = urllib.request.quote(expression)  # type: ignore[attr-defined]
        result = self._get(f"query?query={query}")["result"]
        return float(result[0]["value"][1]) if result else None

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}") as answer:
            return json.load(answer)["data"]


def _name(labels: dict[str, str]) -> str:
    return "/".join(labels[key] for key in ("alertname", "burn") if key in labels)


@contextmanager
def running_prometheus(directory: Path) -> Iterator[Prometheus]:
    """Run a server that ends with the block or this process.

    Raises FileNotFoundError when it is not installed.
    """
    program = shutil.which("prometheus")
    if program is None:
        raise FileNotFoundError("prometheus is not installed: apt install prometheus")
    made = Prometheus(directory)
    command = [
        "setpriv", "--pdeathsig", "KILL", program, "--config.file=prometheus.yml",
        "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{made.port}",
    ]  # fmt: skip
    with (
        (directory / "prometheus.log").open("wb") as log,
        subprocess.Popen(command, cwd=directory, stdout=log, stderr=log) as server,
    ):
        try:
            until(lambda: (directory / "prometheus.log").read_text()[-2_000:], made_ready(made))
            yield made
        finally:
            server.kill()


def made_ready(prometheus: Prometheus) -> Any:
    """Return the condition that a server answers."""

    def answers() -> bool:
        with suppress(OSError):
            return prometheus.value("vector(1)") == 1
        return False

    return answers
