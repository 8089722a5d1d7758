"""``livepulse schemas``: write the published contract, or check that it stands and holds."""

import difflib
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct
from rich.console import Console

from agents.commands.printing import print_json
from schemas.compatibility import contract_incompatibilities
from schemas.contract import documents

CHECK_FAILED = 3

_MEND = "livepulse schemas export"
_DIFF_LINES = 12
#: What an export owns; other files in the directory are the source code and stay.
_OWNED = ("asyncapi.json", "json/*.schema.json", "examples/*/*.json")

app = typer.Typer(
    help="The published contract: JSON Schemas, AsyncAPI and examples.", no_args_is_help=True
)
_screen = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


class Drift(Struct, frozen=True):
    """A committed file that is not what the structs say: changed, missing or left over."""

    file: str
    state: str
    diff: list[str]


class Report(Struct, frozen=True):
    """What ``check`` found; ``ok`` when both lists are empty."""

    ok: bool
    drift: list[Drift]
    incompatible: list[str]


@app.command()
def export(
    directory: Annotated[
        Path, typer.Option("--dir", file_okay=False, help="Where to write the contract.")
    ] = Path("schemas"),
    *,
    allow_breaking: Annotated[
        bool,
        typer.Option(
            "--allow-breaking",
            help="Write it even though old readers or writers break. Only right before the first "
            "release, or when nobody uses the type yet; else publish the next major beside it: "
            "a new struct (CartAddedV2) on its own topic, until all have moved.",
        ),
    ] = False,
) -> None:
    """Write the contract; refuse a change that is not fully compatible with what stands there."""
    committed, generated = _committed(directory), documents()
    incompatible = contract_incompatibilities(committed, generated)
    _print_incompatible(incompatible)
    if incompatible and not allow_breaking:
        _screen.print("Nothing was written. What --allow-breaking is for: see --help.")
        raise typer.Exit(CHECK_FAILED)
    for found in _drift(committed, generated):
        _mend(directory, found.file, generated)
        _screen.print(f"{found.state}: {directory / found.file}")
    _screen.print(f"The contract stands in {directory}: {len(generated)} files.", style="green")


@app.command()
def check(
    directory: Annotated[
        Path,
        typer.Option(
            "--dir", exists=True, file_okay=False, help="Where the contract is committed."
        ),
    ] = Path("schemas"),
    *,
    against: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Compare with the contract committed here, e.g. the last release, not in --dir.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Fail with 3 when the committed contract differs from the structs, or a change breaks it."""
    report = _compare(_committed(directory), _committed(against or directory))
    if as_json:
        print_json(report)
    else:
        _print_report(report, directory)
    if not report.ok:
        raise typer.Exit(CHECK_FAILED)


def _compare(committed: dict[str, bytes], base: dict[str, bytes]) -> Report:
    generated = documents()
    drift = _drift(committed, generated)
    incompatible = contract_incompatibilities(base, generated)
    return Report(ok=not drift and not incompatible, drift=drift, incompatible=incompatible)


def _committed(directory: Path) -> dict[str, bytes]:
    paths = (path for pattern in _OWNED for path in directory.glob(pattern))
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


def _drift(committed: dict[str, bytes], generated: dict[str, bytes]) -> list[Drift]:
    return [
        Drift(file, _state(file, committed, generated), _diff(file, committed, generated))
        for file in sorted(committed.keys() | generated.keys())
        if committed.get(file) != generated.get(file)
    ]


def _state(file: str, committed: dict[str, bytes], generated: dict[str, bytes]) -> str:
    if file not in committed:
        return "missing"
    return "changed" if file in generated else "left over"


def _diff(file: str, committed: dict[str, bytes], generated: dict[str, bytes]) -> list[str]:
    if file not in committed or file not in generated:
        return []
    before, after = (
        files[file].decode(errors="replace").splitlines() for files in (committed, generated)
    )
    lines = difflib.unified_diff(before, after, "committed", "generated", n=1, lineterm="")
    return list(islice(lines, _DIFF_LINES))


def _mend(directory: Path, file: str, generated: dict[str, bytes]) -> None:
    path = directory / file
    if file not in generated:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(generated[file])


def _print_report(report: Report, directory: Path) -> None:
    for found in report.drift:
        _screen.print(f"{found.state}: {directory / found.file}", style="yellow")
        _screen.print(*found.diff, sep="\n", end="\n" if found.diff else "")
    _print_incompatible(report.incompatible)
    if report.drift:
        _screen.print(f"{len(report.drift)} files differ. Mend it with: {_MEND} --dir {directory}")
    if report.ok:
        _screen.print(f"The contract in {directory} is what the structs say.", style="green")


def _print_incompatible(incompatible: list[str]) -> None:
    for problem in incompatible:
        _screen.print(f"incompatible: {problem}", style="red")
