"""Rules, their unit tests and the configuration, as Prometheus' own promtool sees them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import metrics_table, promql
from tests.deploy.markdown import blocks
from tests.deploy.rules import FILES, TESTS, alerts, recorded, rules
from tests.deploy.tools import DEPLOY, document, program, run

PROMETHEUS = DEPLOY / "prometheus"


def promtool(*arguments: str) -> None:
    """Run promtool, which Debian's package prometheus brings."""
    done = run(program("promtool", package="prometheus"), *arguments, cwd=PROMETHEUS)
    assert done.returncode == 0, done.stdout


def name_of(rule: dict[str, Any]) -> str:
    """Name a test case after its rule."""
    labels = rule.get("labels", {})
    return "-".join([rule.get("alert") or rule["record"], *labels.values()])


def test_the_rules_are_valid() -> None:
    """Promtool finds nothing wrong, and no two rules that are the same."""
    promtool("check", "rules", "--lint=all", "--lint-fatal", *map(str, FILES))


def test_the_configuration_is_valid() -> None:
    """Prometheus would start with it, and find the rules."""
    promtool("check", "config", "prometheus.yml")


@pytest.mark.parametrize("file", TESTS, ids=lambda file: str(file.stem))
def test_the_rules_do_what_they_say(file: Any) -> None:
    """The unit tests of the rules pass."""
    promtool("test", "rules", str(file))


def test_the_runbook_tells_how_long_a_restore_still_takes(tmp_path: Path) -> None:
    """Of 40,000 offsets 10,000 go in a minute; after two minutes it takes two more."""
    page = blocks(DEPLOY / "runbooks" / "LivepulseRestoreTooLong.md")
    (expr,) = (line for block in page for line in block.lines if "deriv(" in line)
    left = [
        {"series": f"livepulse_restore_remaining_records{labels}", "values": "20000-1250x16"}
        for labels in ('{instance="a",partition="0"}', '{instance="a",partition="1"}')
    ]
    told = {"labels": '{instance="a"}', "value": 120}
    asked = {"expr": expr, "eval_time": "2m", "exp_samples": [told]}
    case = {"interval": "15s", "input_series": left, "promql_expr_test": [asked]}
    file = tmp_path / "restore.yaml"
    file.write_text(json.dumps({"tests": [case]}))  # JSON is YAML
    promtool("test", "rules", str(file))


def expectations() -> list[list[set[tuple[str, str]]]]:
    """Return, per unit test and look, which alerts had to fire: (name, severity)."""
    cases = [case for file in TESTS for case in document(file)["tests"]]
    return [
        [{pair(sample["labels"]) for sample in look["exp_samples"]} for look in looks]
        for looks in (case["promql_expr_test"] for case in cases)
    ]


def pair(labels: str) -> tuple[str, str]:
    """Return name and severity out of labels in Prometheus' notation."""
    return value(labels, "alertname"), value(labels, "severity")


def value(labels: str, name: str) -> str:
    """Return the value of a label in Prometheus' notation, empty when it has none."""
    found = re.search(rf'{name}="([^"]*)"', labels)
    return found[1] if found else ""


@pytest.mark.parametrize("rule", alerts(), ids=name_of)
def test_the_alert_is_seen_firing_and_not_firing(rule: dict[str, Any]) -> None:
    """A unit test expects the alert of this severity at one time, and not at another."""
    wanted = (rule["alert"], rule["labels"]["severity"])
    assert any({wanted in look for look in looks} == {True, False} for looks in expectations())


@pytest.mark.parametrize("rule", alerts(), ids=name_of)
def test_the_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    """It has a severity, a summary, a description and a runbook that exists."""
    assert rule["labels"]["severity"] in {"page", "ticket"}
    said = rule["annotations"]
    assert said["summary"]
    assert said["description"]
    assert said["runbook_url"] == f"deploy/runbooks/{rule['alert']}.md"
    assert (DEPLOY.parent / said["runbook_url"]).is_file()


@pytest.mark.parametrize("rule", rules(), ids=name_of)
def test_the_rule_reads_only_what_there_is(rule: dict[str, Any]) -> None:
    """Every series in it is in the metric contract, or recorded by another rule."""
    read = metrics_table.families(promql.names(rule["expr"]))
    known = metrics_table.documented().keys() | metrics_table.STANDARD | recorded()
    assert read - known == set()


@pytest.mark.parametrize("rule", rules(), ids=name_of)
def test_the_rule_uses_labels_and_edges_that_exist(rule: dict[str, Any]) -> None:
    """A matcher names a label of its metric, and `le` an edge of its histogram."""
    for selector in promql.selectors(rule["expr"]):
        (family,) = metrics_table.families({selector.name})
        metric = metrics_table.documented().get(family)
        for matcher in selector.matchers.matchers if metric else ():
            if matcher.name == "le":
                assert float(matcher.value) in metrics_table.edges()[family]
                assert matcher.value == str(float(matcher.value))
            else:
                assert matcher.name in metric.labels if metric else False
