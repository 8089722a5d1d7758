"""The page's words: both languages say the same things, and nothing is left unsaid."""

import json
import re
from pathlib import Path

import pytest

from schemas.codes import WHY_NOT
from streams import churn

PAGE = Path(__file__).parents[2] / "agents/screen/page"
Words = dict[str, str | dict[str, str]]

#: Words that are put together from a code: `reason.${code}`.
COMPOSED = re.compile(r"`([a-z_.0-9]+\.)\$\{")
LITERAL = re.compile(r'"([a-z_0-9]+(?:\.[a-z_0-9-]+)*)"')


def words(lang: str) -> Words:
    """Return the dictionary of one language."""
    text = (PAGE / f"words/{lang}.json").read_text(encoding="utf-8")
    found: Words = json.loads(text)
    return found


def forms(entry: str | dict[str, str]) -> list[str]:
    """Return the forms of an entry: one, or one per plural category."""
    return [entry] if isinstance(entry, str) else list(entry.values())


def sources() -> str:
    """Return all modules and pages as one text."""
    files = sorted([*PAGE.glob("js/**/*.js"), *PAGE.glob("*.html")])
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def test_languages_have_the_same_keys() -> None:
    """Every text exists in English and in Chinese."""
    assert list(words("en")) == list(words("zh"))


def test_languages_name_the_same_parameters() -> None:
    """No number is lost in translation."""
    english, chinese = words("en"), words("zh")
    for key, entry in english.items():
        named = {frozenset(re.findall(r"\{(\w+)\}", form)) for form in forms(entry)}
        theirs = {frozenset(re.findall(r"\{(\w+)\}", form)) for form in forms(chinese[key])}
        assert named == theirs, key


@pytest.mark.parametrize(("lang", "categories"), [("en", {"one", "other"}), ("zh", {"other"})])
def test_plurals_have_the_categories_of_their_language(lang: str, categories: set[str]) -> None:
    """English has one and other, Chinese has other."""
    for key, entry in words(lang).items():
        assert isinstance(entry, str) or set(entry) <= categories, key


def test_every_text_is_used() -> None:
    """A text that no page can show is dead."""
    literal = set(LITERAL.findall(sources()))
    prefixes = tuple(COMPOSED.findall(sources()))
    unused = [key for key in words("en") if key not in literal and not key.startswith(prefixes)]
    assert unused == []


def test_every_text_that_pages_name_exists() -> None:
    """What a data-t attribute names is in the dictionary."""
    named = set(re.findall(r'data-t(?:-label|-title)?="([^"]+)"', sources()))
    assert named - set(words("en")) == set()


def test_every_churn_reason_has_words() -> None:
    """The core can give no reason that the page cannot word."""
    codes = {code for _, up, down in churn._PARTS for code in (up, down)}
    assert {f"reason.{code}" for code in codes} <= set(words("en"))


def test_every_refusal_has_words() -> None:
    """The core can hold nothing back for a reason that the page cannot word."""
    held = {key.removeprefix("held.") for key in words("en") if key.startswith("held.")}
    assert held == set(WHY_NOT)
