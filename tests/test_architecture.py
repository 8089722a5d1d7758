"""The house keeps its walls: packages come from here, the core is pure, every module says why."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import agents
import schemas
import streams

ROOT = Path(__file__).resolve().parents[1]
PURE = sorted(path for room in ("schemas", "streams") for path in (ROOT / room).rglob("*.py"))
MODULES = sorted([*PURE, *(ROOT / "agents").rglob("*.py")])

# What reaches for a clock, dice, the machine, the network, a thread or a log.
BANNED_MODULES = frozenset(
    """
    _thread asyncio atexit builtins concurrent ctypes fcntl fileinput ftplib getpass glob http
    importlib io logging mmap multiprocessing os pathlib platform queue random resource sched
    secrets select selectors shelve shutil signal smtplib socket socketserver sqlite3 ssl
    subprocess sys syslog tempfile threading time timeit urllib uuid xmlrpc
    """.split()  # noqa: SIM905  a paragraph reads better than forty quoted words
)
# hash() of text and id() differ from one process to the next, and so would the results.
BANNED_CALLS = frozenset(
    """
    open print input breakpoint exec eval compile __import__
    hash id
    datetime.now datetime.utcnow datetime.today date.today
    """.split()  # noqa: SIM905  as above
)


def impurities(source: str) -> Iterator[str]:
    """Name each import and call in ``source`` that the pure packages may not contain."""
    for node in ast.walk(ast.parse(source)):
        for name in (*imported(node), *called(node)):
            yield f"line {getattr(node, 'lineno', 0)}: {name}"


def imported(node: ast.AST) -> list[str]:
    """Return the banned modules that an import statement names."""
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        names = [node.module or ""]
    return [name for name in names if name.partition(".")[0] in BANNED_MODULES]


def called(node: ast.AST) -> list[str]:
    """Return the banned function that a call names, by its last two words."""
    if not isinstance(node, ast.Call):
        return []
    name = ".".join(ast.unparse(node.func).split(".")[-2:])
    return [name] if name in BANNED_CALLS else []


def relative(path: Path) -> str:
    """Name a test case after its file."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("package", [schemas, streams, agents], ids=lambda p: str(p.__name__))
def test_the_package_is_the_one_in_this_repository(package: object) -> None:
    """A package of the same name elsewhere on the path is not tested by mistake."""
    assert Path(getattr(package, "__file__", "")).resolve().parents[1] == ROOT


@pytest.mark.parametrize("path", PURE, ids=relative)
def test_the_core_is_pure(path: Path) -> None:
    """Nothing in schemas/ and streams/ does I/O, asks a clock, throws dice or awaits."""
    assert list(impurities(path.read_text())) == []


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_the_module_says_what_it_is(path: Path) -> None:
    """Every module of the three packages opens with a docstring."""
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path as p",
        "from asyncio import sleep",
        "def f():\n    import random",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime\ndatetime.now(UTC)",
        "open('x')",
        "hash('viewer')",
    ],
)
def test_the_check_sees_an_impurity(source: str) -> None:
    """Each way to leave the pure world is noticed."""
    assert len(list(impurities(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import math, heapq, msgspec",
        "from . import time",
        "from streams.time import pane",
        "state.open(1)",
        "from datetime import datetime\ndatetime.fromtimestamp(0, UTC)",
    ],
)
def test_the_check_lets_plain_code_pass(source: str) -> None:
    """What only looks similar is left alone."""
    assert list(impurities(source)) == []
