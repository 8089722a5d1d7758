"""Tail: one line for each kind of result, safe for a terminal, exact as JSON."""

from collections.abc import Iterable

import msgspec
import pytest

from agents.commands.describe import describe, printable
from agents.commands.tail import _TYPES, _decoded
from schemas.results import (
    ChurnRow,
    ConversionRow,
    CouponTrigger,
    DeadLetter,
    Decision,
    Rate,
    Reason,
    RecommendationTrigger,
    Suggestion,
)

WHY = (Reason("old_cart", 0.7), Reason("idle", 0.3))

DECISION = Decision(
    decision_id="d1", kind="coupon", rule="cart", session_id="s1", viewer_id="v1",
    cause_id="e1", decided_at=1_000, outcome="suppressed", reason="no_budget", policy_version="1",
)  # fmt: skip
RESULTS = (
    CouponTrigger(
        trigger_id="t1", session_id="s1", viewer_id="v1", rule="cart", cause_id="e1",
        decided_at=1_000, expires_at=2_000, reasons=WHY, policy_version="1", offer_id="o1",
        kind="amount_off", value=500, discount=450, minimum_spend=0, currency="CNY",
        products=("p1",),
    ),
    RecommendationTrigger(
        trigger_id="t2", session_id="s1", viewer_id="v1", rule="after_order", cause_id="e2",
        decided_at=1_000, expires_at=2_000, reasons=(), policy_version="1",
        suggestions=(Suggestion("p9", 0.5, "co_cart"),),
    ),
    ConversionRow(
        session_id="s1", scope="product", scope_id="p1", window="10s", start=0, end=1_000,
        status="final", revision=3, announced=True, currency="CNY", counts={},
        people={"viewers": 41}, money={"gmv_gross": 900},
        rates={"paid": Rate(0.25, 10, 40, "viewers"), "carted": Rate(None, 1, 2, "viewers")},
    ),
    ChurnRow(
        session_id="s1", viewer_id="v1", ts=1_000, probability=0.66, level="high", reasons=WHY,
        cart_value=1200, watch_s=90,
    ),
    DECISION,
    DeadLetter(
        topic="live.carts", partition=2, offset=7, ts=1_000, reason="invalid_json",
        detail="byte 3", key="v1", size=12, raw="",
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("result", "told"),
    list(
        zip(
            RESULTS,
            (
                ("s1 v1", "coupon o1: 450 CNY", "because old_cart 0.70, idle 0.30"),
                ("s1 v1", "show p9 (co_cart 0.50)", ""),
                (
                    "s1 product p1 10s",
                    "final r3 viewers 41",
                    "gmv_gross 900  paid 0.25  carted too few",
                ),
                ("s1 v1", "risk high 0.66", "because old_cart"),
                ("s1 v1", "coupon suppressed: no_budget", "rule cart"),
                ("live.carts/2/7", "invalid_json", "byte 3 (12 bytes)"),
            ),
            strict=True,
        )
    ),
    ids=lambda value: type(value).__name__,
)
def test_every_kind_of_result_is_told_in_one_line(
    result: msgspec.Struct, told: tuple[str, str, str]
) -> None:
    """When, who, what and why; a rate over too few people is not a number."""
    at_ms, *texts = describe(result)
    assert at_ms == 1_000
    for text, expected in zip(texts, told, strict=True):
        assert expected in text
        assert "\n" not in text


def test_every_kind_that_can_be_named_can_be_described() -> None:
    """No kind fails at its first record."""
    assert set(_TYPES.values()) == {type(result) for result in RESULTS}


def test_data_cannot_steer_the_terminal() -> None:
    """Escape sequences in an id arrive as visible characters; other scripts stay readable."""
    assert printable("\x1b[2Jv1\r\n主播") == "\ufffd[2Jv1\ufffd\ufffd主播"


def read(values: Iterable[bytes], *, session: str | None = None, alone: bool = True) -> list[bytes]:
    """Return the values that are shown."""
    placed = (("live.decisions/0/0", value) for value in values)
    return [value for value, _ in _decoded(placed, Decision, session, alone=alone)]


def test_values_stay_byte_for_byte() -> None:
    """Fields that we do not know, and spaces, are passed on as they came."""
    value = msgspec.json.encode(DECISION).replace(b'"s1"', b' "s1" , "new": 1')
    assert read([value]) == [value]


def test_only_the_session_that_was_asked_for() -> None:
    """Other sessions are left out."""
    other = msgspec.structs.replace(DECISION, session_id="s2")
    values = [msgspec.json.encode(item) for item in (DECISION, other)]
    assert read(values, session="s2") == values[1:]


def test_unreadable_record_is_reported_and_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    """One bad record does not end the watching."""
    good = msgspec.json.encode(DECISION)
    assert read([b"{", good]) == [good]
    assert "live.decisions/0/0 is not a Decision" in capsys.readouterr().err


def test_other_types_of_a_shared_topic_are_passed_over_in_silence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where several types share a topic, another type is nothing to report."""
    assert read([msgspec.json.encode(RESULTS[0])], alone=False) == []
    assert capsys.readouterr().err == ""
