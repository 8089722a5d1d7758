"""The demo's texts: the same in both languages, and a word for every reason."""

import pytest
from msgspec import structs

from agents.demo.words import CHINESE, ENGLISH, WORDS, Language, amount, language, title_in, why
from schemas.results import Reason
from streams import churn

#: What ``streams.propose`` gives as a reason, beside the codes of the churn model.
PROPOSED = {"cart_age_s", "ordered", "removed_from_cart", "sold_out", "clicks_without_cart"}


@pytest.mark.parametrize("lang", WORDS)
def test_every_reason_has_its_words(lang: Language) -> None:
    """No code of ours is ever shown as a code."""
    codes = PROPOSED | {code for _, *pair in churn._PARTS for code in pair}
    assert set(WORDS[lang].reasons) == codes


def test_both_languages_say_the_same() -> None:
    """Every text is there in both, with the same places to fill in."""
    english, chinese = structs.asdict(ENGLISH), structs.asdict(CHINESE)
    for name, text in english.items():
        other = chinese[name]
        assert type(text) is type(other)
        if isinstance(text, str):
            assert text.count("{") == other.count("{"), name
        else:
            assert text.keys() == other.keys(), name


def test_reasons_are_told_in_plain_words() -> None:
    """The weight is filled in where it means something, and what spoke against it is left out."""
    reasons = (Reason("cart_age_s", 31.4), Reason("idle", 0.7), Reason("lively", -0.2))
    assert why(ENGLISH, reasons) == "in the cart for 31 s, has stopped acting"
    assert why(CHINESE, reasons) == "已加购 31 秒, 不再互动"


def test_an_unknown_reason_is_shown_as_it_is() -> None:
    """A newer worker may know more reasons than this screen."""
    assert why(ENGLISH, (Reason("full_moon", 1.0),)) == "full_moon"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({}, "en"),
    ],
)
def test_the_language_is_the_terminals(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    """LC_ALL goes before LANG, as everywhere."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language() == expected


@pytest.mark.parametrize(
    ("lang", "title", "expected"),
    [
        ("en", "经典口红 classic lipstick", "classic lipstick"),
        ("zh", "经典口红 classic lipstick", "经典口红"),
        ("zh", "Friday haul", "Friday haul"),
        ("en", "口红", "口红"),
    ],
)
def test_a_title_is_shown_in_one_language(lang: Language, title: str, expected: str) -> None:
    """Titles of simulated sessions and products carry both."""
    assert title_in(title, lang) == expected


def test_money_is_written_as_people_write_it() -> None:
    """Minor units become a sign, thousands and two decimals."""
    assert amount(123456, "CNY") == "¥1,234.56"
    assert amount(65, "USD") == "$0.65"
    assert amount(100, "EUR") == "EUR 1.00"
