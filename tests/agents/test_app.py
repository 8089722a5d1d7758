"""The Faust app that carries the tasks."""

from pathlib import Path

import pytest

from agents.engine.app import Worker, new_app
from agents.settings import Settings


def test_a_worker_leaves_nothing_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's root may be read-only."""
    monkeypatch.chdir(tmp_path)
    new_app(Settings())._create_directories()
    assert list(tmp_path.iterdir()) == []


def test_a_worker_says_how_many_tasks_there_must_be_before_it_has_any() -> None:
    """A group that cannot form has no task, and nothing else would tell that they are missing."""
    metrics = Worker(Settings(partitions=12)).exposition.collect()
    samples = {one.name: one.value for metric in metrics for one in metric.samples}
    assert samples["livepulse_partitions"] == 12
