"""The dashboards are what their program writes, and show only what is exported."""

import json
import re
from typing import Any

import pytest

from deploy.grafana.dashboards import DASHBOARDS, DIRECTORY, documents
from tests.deploy import metrics_table, promql
from tests.deploy.rules import recorded, rules

GENERATED = documents()
PARSED = {name: json.loads(text) for name, text in GENERATED.items()}


def expressions(document: dict[str, Any]) -> list[str]:
    """Return the PromQL of a dashboard, with Grafana's own variables filled in."""
    targets = [t for panel in document["panels"] for t in panel.get("targets", [])]
    return [target["expr"].replace("$__rate_interval", "1m") for target in targets]


def metrics_used() -> set[str]:
    """Return the metrics that dashboards and rules read: what processes must export.

    A test with a running worker and a running screen compares it with what they do export.
    """
    shown = [expr for document in PARSED.values() for expr in expressions(document)]
    judged = [rule["expr"] for rule in rules()]
    names = set().union(*(promql.names(expr) for expr in [*shown, *judged]))
    return metrics_table.families(names) - recorded() - metrics_table.STANDARD


@pytest.mark.parametrize("name", GENERATED)
def test_the_committed_file_is_the_generated_one(name: str) -> None:
    """If not, run: python -m deploy.grafana.dashboards."""
    assert (DIRECTORY / name).read_text(encoding="utf-8") == GENERATED[name]


def test_no_other_file_is_there() -> None:
    """A dashboard that is no longer made is removed."""
    assert {path.name for path in DIRECTORY.iterdir()} == set(GENERATED)


@pytest.mark.parametrize("name", GENERATED)
def test_every_expression_reads_what_there_is(name: str) -> None:
    """It parses, and its series are in the metric contract or recorded by a rule."""
    known = metrics_table.documented().keys() | recorded() | metrics_table.STANDARD
    for expr in expressions(PARSED[name]):
        assert metrics_table.families(promql.names(expr)) - known == set(), expr


@pytest.mark.parametrize("name", GENERATED)
def test_legends_name_labels_that_the_expression_keeps(name: str) -> None:
    """`{{label}}` is a label of the metric, or one that a scrape adds."""
    scraped = {"instance", "job"}
    for panel in PARSED[name]["panels"]:
        for target in panel.get("targets", []):
            labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            read = metrics_table.families(
                promql.names(target["expr"].replace("$__rate_interval", "1m"))
            )
            metrics = metrics_table.documented()
            of_metrics = {label for one in read if one in metrics for label in metrics[one].labels}
            assert labels <= of_metrics | scraped, target["expr"]


@pytest.mark.parametrize("name", GENERATED)
def test_panels_have_a_place_of_their_own(name: str) -> None:
    """No panel lies over another one, and none sticks out."""
    taken: set[tuple[int, int]] = set()
    for panel in PARSED[name]["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_sessions_are_added_up() -> None:
    """Each worker counts only those that its tasks speak for."""
    shown = [expr for document in PARSED.values() for expr in expressions(document)]
    assert "sum(livepulse_sessions)" in shown
    assert not [expr for expr in shown if "max(livepulse_sessions)" in expr]


def test_both_languages_show_the_same() -> None:
    """The dashboards differ in their words only, and each word has a translation."""
    for dashboard in DASHBOARDS:
        english, chinese = (PARSED[f"{dashboard.name}.{code}.json"] for code in ("en", "zh"))
        assert expressions(english) == expressions(chinese)
        for left, right in zip(english["panels"], chinese["panels"], strict=True):
            assert left["title"] == "Kafka" or left["title"] != right["title"]


def test_no_metric_is_exported_for_nobody() -> None:
    """Every metric of the contract is on a dashboard or in a rule."""
    assert metrics_table.documented().keys() - metrics_used() == set()
