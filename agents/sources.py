"""Where settings come from: LIVEPULSE_* variables, a .env file, a TOML file. Raw values only."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

PREFIX = "LIVEPULSE_"
CONFIG_VARIABLE = "LIVEPULSE_CONFIG"
TEST_PREFIX = "LIVEPULSE_TEST_"


class SettingsError(Exception):
    """A setting cannot be used. Says which one, where it was set, and what to do."""

    def __init__(self, variable: str, problem: str, *, source: str, fix: str) -> None:
        super().__init__(f"{variable} ({source}): {problem}. Fix: {fix}")
        self.variable = variable
        self.problem = problem
        self.source = source
        self.fix = fix


class Given(NamedTuple):
    """One raw value and where it was found. Text still needs converting to its type."""

    value: object
    source: str
    is_text: bool


def variable_of(key: str) -> str:
    """Return the environment variable of a setting: ``policy.grace_ms`` and so on."""
    return PREFIX + key.replace(".", "_").upper()


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that looks most like ``name``."""
    return difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)[0]


def gather(
    keys: Iterable[str],
    *,
    toml: Path | None,
    env: Mapping[str, str],
    dotenv: Path | None,
) -> dict[str, Given]:
    """Collect what is given for ``keys``, the strongest source of each.

    Files that are named must exist; ``.env`` and ``livepulse.toml`` in the working directory
    are read when they are there. Raises SettingsError for unknown names and unreadable files.
    """
    variables = {variable_of(key): key for key in keys}
    dotenv_file = _existing(dotenv, Path(".env"), named_by="dotenv")
    dotenv_text = read_dotenv(dotenv_file) if dotenv_file else {}
    named_toml = toml or _path(env.get(CONFIG_VARIABLE) or dotenv_text.get(CONFIG_VARIABLE))
    toml_file = _existing(named_toml, Path("livepulse.toml"), named_by=CONFIG_VARIABLE)
    found = _from_toml(toml_file, set(variables.values())) if toml_file else {}
    found |= _from_variables(dotenv_text, variables, source=str(dotenv_file))
    return found | _from_variables(env, variables, source="environment")


def read_dotenv(path: Path) -> dict[str, str]:
    """Read ``NAME=value`` lines; ``export``, ``# comments`` and quotes are understood."""
    values: dict[str, str] = {}
    for number, line in enumerate(_text(path).splitlines(), start=1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(
                f"line {number}", "is not NAME=value", source=str(path), fix="add the '='"
            )
        values[name.strip()] = _unquote(value.strip())
    return values


def _unquote(value: str) -> str:
    if value[:1] in {"'", '"'}:
        closing = value.find(value[0], 1)
        return value[1:closing] if closing > 0 else value
    return value.split(" #", 1)[0].rstrip()


def _from_variables(
    env: Mapping[str, str], variables: Mapping[str, str], *, source: str
) -> dict[str, Given]:
    """Keep the LIVEPULSE_* ones. An empty value counts as not given, as compose files do."""
    found = {}
    for name, value in env.items():
        ours = name.startswith(PREFIX) and not name.startswith(TEST_PREFIX)
        if not ours or name == CONFIG_VARIABLE:
            continue
        if name not in variables:
            raise _unknown(name, variables, source=source)
        if value:
            found[variables[name]] = Given(value, source, is_text=True)
    return found


def _from_toml(path: Path, keys: set[str]) -> dict[str, Given]:
    try:
        document = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            "the file", f"is not TOML: {error}", source=str(path), fix="mend that line"
        ) from None
    flat = _flatten(document, path)
    for key in flat:
        if key not in keys:
            raise _unknown(key, keys, source=str(path))
    return {key: Given(value, str(path), is_text=False) for key, value in flat.items()}


def _flatten(document: dict[str, object], path: Path) -> dict[str, object]:
    policy = document.pop("policy", {})
    if not isinstance(policy, dict):
        raise SettingsError(
            "policy", "is not a table", source=str(path), fix="write its values under [policy]"
        )
    return document | {f"policy.{name}": value for name, value in policy.items()}


def _unknown(name: str, known: Iterable[str], *, source: str) -> SettingsError:
    return SettingsError(
        name,
        "there is no such setting",
        source=source,
        fix=f"did you mean {nearest(name, known)}? Correct it or remove it",
    )


def _path(name: str | None) -> Path | None:
    return Path(name) if name else None


def _existing(named: Path | None, default: Path, *, named_by: str) -> Path | None:
    if named is None:
        return default if default.is_file() else None
    if not named.is_file():
        raise SettingsError(
            named_by, f"there is no file {named}", source=str(named), fix="correct the path"
        )
    return named


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            "the file", f"cannot be read: {error}", source=str(path), fix="make it UTF-8 text"
        ) from None
