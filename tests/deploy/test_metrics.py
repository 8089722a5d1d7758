"""The metric contract follows Prometheus' conventions, and its closed sets are the code's."""

import re
from pathlib import Path
from typing import get_args

from deploy.prometheus.operator_rules import OBJECT, document
from streams.budget import Answer
from tests.deploy import metrics_table
from tests.deploy.tools import ROOT


def test_the_contract_follows_the_conventions() -> None:
    """Prefix, base units, `_total` for counters only, a help text without a full stop."""
    for name, metric in metrics_table.documented().items():
        assert re.fullmatch(r"livepulse_[a-z0-9_]+", name), name
        assert name.endswith("_total") == (metric.type == "counter"), name
        assert not re.search(r"_(ms|milliseconds|kb|percent)(_|$)", name), name
        assert metric.type in {"counter", "gauge", "histogram"}, name
        assert (metric.type == "histogram") == (name in metrics_table.edges()), name
        assert metric.help, name
        assert not metric.help.endswith("."), name


def test_no_label_names_a_person_or_a_session() -> None:
    """Labels come from closed sets."""
    labels = {label for metric in metrics_table.documented().values() for label in metric.labels}
    assert labels <= {
        "version", "python", "role", "type", "reason", "kind", "outcome", "topic", "partition",
        "call", "answer", "setting",
    }  # fmt: skip


def test_the_reasons_of_dead_letters_are_those_of_the_code() -> None:
    """Every code that is written somewhere is listed, and no other."""
    sources = [path for room in ("schemas", "streams") for path in Path(ROOT, room).rglob("*.py")]
    code = re.compile(r'Rejection\(\s*"(\w+)"')
    written = {reason for path in sources for reason in code.findall(path.read_text())}
    assert metrics_table.values("reason (dead letters)") == written


def test_the_answers_of_budgets_are_those_of_the_code() -> None:
    """As the budget answers."""
    assert metrics_table.values("answer") == set(get_args(Answer))


def test_the_operator_has_the_same_rules() -> None:
    """If not, run: python -m deploy.prometheus.operator_rules."""
    assert OBJECT.read_text(encoding="utf-8") == document()
