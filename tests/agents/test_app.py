"""The Faust app that carries the tasks."""

from pathlib import Path

import pytest

from agents.engine.app import new_app
from agents.settings import Settings


def test_a_worker_leaves_nothing_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's root may be read-only."""
    monkeypatch.chdir(tmp_path)
    new_app(Settings())._create_directories()
    assert list(tmp_path.iterdir()) == []
