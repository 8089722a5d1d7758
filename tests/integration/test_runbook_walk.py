"""Every runbook followed word for word, beside a deployment under load in which all is well.

The shell's lines are run as they stand and must succeed; Prometheus takes every expression, and
what a runbook ends with ("Verify") holds. What a runbook mends, the game day breaks.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from agents.recording import Record
from agents.simulator.scenario import Scenario, Tally
from agents.simulator.world import simulate
from tests.deploy.markdown import blocks
from tests.deploy.test_runbooks import RUNBOOKS
from tests.integration.certificates import Authority
from tests.integration.cluster import Site, _environment, new_site, until
from tests.integration.conftest import entered, skip_or_fail
from tests.integration.kafka import Kafka
from tests.integration.prometheus import Prometheus, running_prometheus
from tests.integration.test_screen import screen_of
from tests.ports import free_port

pytestmark = [pytest.mark.kafka, pytest.mark.long]

TOOL = Path(__file__).parents[2] / "deploy/kafka-local/tool.py"
#: A line may wait for the next coupon or for twenty dead letters.
LINE_S = 150
#: Nothing here runs on Kubernetes.
_ELSEWHERE = re.compile(r"^kubectl ")
#: Runbooks whose end does not hold here: this deployment has no certificate.
NOT_HERE = {"LivepulseCertificateExpires"}


class Walk(NamedTuple):
    """What a runbook is tried on: the shell's environment and the server that is asked."""

    environment: dict[str, str]
    certificate: Path
    directory: Path
    prometheus: Prometheus

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line as an operator types it."""
        environment = self.environment
        if line.startswith("openssl "):  # this deployment connects without one
            environment = environment | {"LIVEPULSE_KAFKA_SSL_CERT_FILE": str(self.certificate)}
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=self.directory, env=environment, timeout=LINE_S,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def holds(self, expression: str) -> None:
        """Wait until an expression has a value: a comparison has none where it is false."""
        until(lambda: expression, lambda: self.prometheus.value(expression) is not None)


@pytest.fixture(scope="module")
def walk(kafka: Kafka, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """Give a deployment with the names that runbooks use, while viewers do what they do."""
    if shutil.which("jq") is None:
        skip_or_fail("jq is not installed: apt install jq")
    directory = tmp_path_factory.mktemp("walk")
    names = {"app_id": "livepulse", "topic_prefix": "live.", "screen_token_key": "k" * 40}
    site = new_site(kafka, redis_url, directory, **names)
    site.create_topics()
    with ExitStack() as stack:
        prometheus = entered(stack, running_prometheus(directory / "prometheus"))
        worker = stack.enter_context(site.worker()).ready()
        screen = stack.enter_context(screen_of(site.settings, free_port()))
        prometheus.targets([worker._port], screens=[screen.metrics_port])
        stack.enter_context(site.feeding(viewers()))
        verified = "livepulse:coupons_without_budget:ratio_rate10m"
        until(lambda: "coupons", lambda: prometheus.value(verified) is not None, limit_s=90)
        certificate, _ = Authority(directory).issue("worker")
        yield Walk(shell(site, directory), certificate, directory, prometheus)


def viewers() -> Iterator[Record]:
    """Return what viewers do for a quarter of an hour; few of their records are broken."""
    scenario = Scenario(
        start_ms=time.time_ns() // 1_000_000, rate=200.0, viewers=2_000, sessions=3,
        duration_s=900.0, warm_up_s=60.0, bad_share=0.005,
    )  # fmt: skip
    return simulate(scenario, tally=Tally())


def shell(site: Site, directory: Path) -> dict[str, str]:
    """Return the environment of an operator's shell, with livepulse and Kafka's tools."""
    programs = directory / "bin"
    programs.mkdir()
    tool = f"{sys.executable} {TOOL} ${{0##*/}}"
    called = {"livepulse": f"{sys.executable} -m agents.cli"} | {
        f"kafka-{name}.sh": tool
        for name in ("configs", "consumer-groups", "get-offsets", "topics", "transactions")
    }
    for name, command in called.items():
        (programs / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (programs / name).chmod(0o755)
    environment = _environment(site.settings)
    return environment | {"PATH": f"{programs}:{environment['PATH']}"}


def lines(page: Path, *languages: str) -> list[str]:
    """Return the lines of a page's blocks in these languages that can be typed here."""
    return [
        line for b in blocks(page) if b.language in languages for line in b.lines
        if not _ELSEWHERE.match(line)
    ]  # fmt: skip


def verify(page: Path) -> list[str]:
    """Return the expressions that end a runbook."""
    text = page.read_text(encoding="utf-8")
    end = lines_after(text, "## Verify")
    return [line for line in lines(page, "promql") if line in end]


def lines_after(text: str, heading: str) -> set[str]:
    """Return the lines of a text that come after a heading."""
    return {line.strip() for line in text.partition(heading)[2].splitlines()}


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: str(page.stem))
def test_every_line_can_be_typed(walk: Walk, page: Path) -> None:
    """None fails, waits for ever, or is for another version of a tool."""
    for line in lines(page, "sh", "console"):
        done = walk.run(line.removeprefix("$ "))
        assert done.returncode == 0, f"{line}\n{done.stdout[-1_000:]}{done.stderr[-2_000:]}"


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: str(page.stem))
def test_every_expression_is_answered(walk: Walk, page: Path) -> None:
    """Prometheus joins what they join, and the last ones hold where all is well."""
    for expression in lines(page, "promql"):
        walk.prometheus.value(expression)  # raises where they cannot be evaluated
    for expression in () if page.stem in NOT_HERE else verify(page):
        walk.holds(expression)
