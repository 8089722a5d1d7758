"""Programs from outside, and the folder that is tested."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # PyYAML ships no types

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def program(name: str, *, package: str) -> str:
    """Return the path of a program; without it the test is skipped, but fails in CI."""
    found = shutil.which(
        name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    if found is None:
        missing(name, package)
    return str(found)


def missing(name: str, package: str) -> None:
    """Skip the test, or fail it in CI, because something is not installed."""
    reason = f"{name} is not installed: install {package}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; its two outputs come as one text."""
    return subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def documents(file: Path) -> list[dict[str, Any]]:
    """Return the documents of a YAML file."""
    return parse_documents(file.read_text(encoding="utf-8"))


def parse_documents(text: str) -> list[dict[str, Any]]:
    """Return the documents of a YAML text."""
    return [one for one in yaml.safe_load_all(text) if one]


def document(file: Path) -> dict[str, Any]:
    """Return the only document of a YAML file."""
    (one,) = documents(file)
    return one
