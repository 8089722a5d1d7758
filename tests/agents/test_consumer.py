"""The consumer kit: each trigger once, while it is valid."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.consumer import Sieve, decode
from schemas.results import CouponTrigger, RecommendationTrigger, Suggestion


def recommendation(number: int, *, expires_at: int = 10_000) -> RecommendationTrigger:
    """Return a trigger; the same number is the same trigger."""
    return RecommendationTrigger(
        trigger_id=f"t{number}", session_id="s", viewer_id="v", rule="r", cause_id="c",
        decided_at=1, expires_at=expires_at, reasons=(), policy_version="1",
        suggestions=(Suggestion("p", 1.0, "pinned"),),
    )  # fmt: skip


def coupon() -> CouponTrigger:
    """Return a coupon."""
    return CouponTrigger(
        trigger_id="c1", session_id="s", viewer_id="v", rule="r", cause_id="c", decided_at=1,
        expires_at=2, reasons=(), policy_version="1", offer_id="o", kind="percent_off", value=10,
        discount=5, minimum_spend=0, currency="CNY", products=(),
    )  # fmt: skip


@pytest.mark.parametrize("trigger", [coupon(), recommendation(1)], ids=["coupon", "recommendation"])
def test_either_type_is_told_by_its_fields(trigger: CouponTrigger | RecommendationTrigger) -> None:
    """Both may share a topic: no header and no topic name is needed."""
    assert decode(msgspec.json.encode(trigger)) == trigger


@pytest.mark.parametrize("value", [b"", b"{}", b"[1]", b"\xff"])
def test_what_is_no_trigger_is_an_error(value: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(msgspec.MsgspecError):
        decode(value)


@pytest.mark.parametrize(("now_s", "admitted"), [(9.999, True), (10.0, False), (11.0, False)])
def test_expired_triggers_are_held_back(now_s: float, admitted: bool) -> None:  # noqa: FBT001 - a parameter of the table above
    """From the millisecond at which it expires on, a trigger is too late."""
    sieve = Sieve(clock=lambda: now_s, remember=10)
    assert sieve.admits(recommendation(1, expires_at=10_000)) is admitted
    assert sieve.expired == int(not admitted)


@given(
    st.lists(st.integers(min_value=0, max_value=30)),
    st.integers(min_value=1, max_value=40),
)
def test_repeats_are_held_back_while_they_are_remembered(numbers: list[int], remember: int) -> None:
    """A trigger comes through exactly when it is not among the last that were handled."""
    sieve = Sieve(clock=lambda: 0.0, remember=remember)
    remembered: list[int] = []
    repeated = 0
    for number in numbers:
        new = number not in remembered
        assert sieve.admits(recommendation(number)) is new
        repeated += not new
        if new:
            sieve.note(recommendation(number))
            remembered = [*remembered, number][-remember:]
    assert sieve.repeated == repeated


def test_what_was_not_handled_is_no_repeat() -> None:
    """It comes again after an error, or from another partition's new owner."""
    sieve = Sieve(clock=lambda: 0.0, remember=10)
    assert sieve.admits(recommendation(1))
    assert sieve.admits(recommendation(1))
    assert sieve.repeated == 0
