"""The systemd units: valid, confined, and calling commands that exist."""

import shlex
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from agents.settings import Settings
from tests.deploy.markdown import inline
from tests.deploy.test_runbooks import DIRECTORY, parse
from tests.deploy.tools import DEPLOY, program, run

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMMAND = "/opt/livepulse/bin/livepulse"


def settings_of(unit: Path, section: str = "Service") -> dict[str, str]:
    """Return the settings of a section; of a repeated one the last."""
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)
    return dict(parser[section])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_systemd_accepts_the_unit(unit: Path, tmp_path: Path) -> None:
    """systemd-analyze finds nothing wrong, once the command is where a program is."""
    here = tmp_path / unit.name.replace("@", "@1")
    here.write_text(unit.read_text().replace(COMMAND, sys.executable))
    done = run(program("systemd-analyze", package="systemd"), "verify", str(here))
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_the_unit_is_confined(unit: Path) -> None:
    """By systemd's own score, what it exposes is at most 1.5 out of 10."""
    analyze = program("systemd-analyze", package="systemd")
    done = run(analyze, "security", "--offline=true", "--threshold=15", "--no-pager", str(unit))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_the_command_exists(unit: Path) -> None:
    """Its command line parses, with an instance's number filled in."""
    words = shlex.split(settings_of(unit)["ExecStart"].replace("%i", "1"))
    assert words[0] == COMMAND
    parse(words[1:])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_it_starts_again_and_may_finish(unit: Path) -> None:
    """A worker that ends on purpose (a fault) comes back; one that stops has time to commit."""
    settings = settings_of(unit)
    assert settings["Restart"] == "always"
    assert int(settings["TimeoutStopSec"]) >= 20
    assert "ExecStop" not in settings


def test_a_worker_is_back_in_time() -> None:
    """Before its group gives its tasks away, with 5 s for the start of the process itself."""
    (unit,) = (one for one in UNITS if "worker" in one.name)
    assert int(settings_of(unit)["RestartSec"]) + 5 < Settings().session_timeout_s


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_it_never_gives_up(unit: Path) -> None:
    """However often it starts in vain while Kafka is away, it is there when Kafka is back."""
    assert settings_of(unit, "Unit")["StartLimitIntervalSec"] == "0"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_prometheus_may_know_the_process(unit: Path) -> None:
    """Its client reads /proc/stat, and says nothing of start, CPU and memory where it cannot."""
    assert settings_of(unit).get("ProcSubset", "all") == "all"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_what_operators_type_runs_as_the_unit_does(unit: Path) -> None:
    """The same program, user and settings; systemd reads the file, so no secret is an argument."""
    settings = settings_of(unit)
    (typed,) = (line for line in inline(DIRECTORY / "README.md") if "systemd-run" in line)
    assert f"--uid={settings['User']}" in typed
    assert f"EnvironmentFile={settings['EnvironmentFile']}" in typed
    assert typed.endswith(f"{COMMAND} doctor")
