"""Every kind of result as one line that people read: when, who, what and why."""

from collections.abc import Callable
from typing import Any

from schemas.results import (
    ChurnRow,
    ConversionRow,
    CouponTrigger,
    DeadLetter,
    Decision,
    Reason,
    RecommendationTrigger,
)


def printable(text: str) -> str:
    """Replace control characters, so that data cannot steer the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def describe(record: Any) -> tuple[int, str, str, str]:
    """Return of any result when (epoch ms), who, what and why, for one line of text."""
    return _DESCRIBE[type(record)](record)


def _coupon(trigger: CouponTrigger) -> tuple[int, str, str, str]:
    what = f"coupon {trigger.offer_id}: {trigger.discount} {trigger.currency} (minor units) off"
    return trigger.decided_at, _who(trigger), what, _because(trigger.reasons)


def _recommendation(trigger: RecommendationTrigger) -> tuple[int, str, str, str]:
    products = (
        f"{item.product_id} ({item.source} {item.score:.2f})" for item in trigger.suggestions
    )
    what = "show " + ", ".join(products)
    return trigger.decided_at, _who(trigger), what, _because(trigger.reasons)


def _conversion(row: ConversionRow) -> tuple[int, str, str, str]:
    rates = (f"{name} {_rate(rate.value)}" for name, rate in row.rates.items())
    money = (f"{name} {amount}" for name, amount in row.money.items())
    who = f"{row.session_id} {row.scope} {row.scope_id} {row.window}"
    what = f"{row.status} r{row.revision} viewers {row.people.get('viewers', 0)}"
    return row.end, who, what, "  ".join([*money, *rates])


def _rate(value: float | None) -> str:
    return "too few" if value is None else f"{value:.4g}"


def _churn(row: ChurnRow) -> tuple[int, str, str, str]:
    what = f"risk {row.level} {row.probability:.2f}, cart {row.cart_value}, here {row.watch_s} s"
    return row.ts, _who(row), what, _because(row.reasons)


def _decision(decision: Decision) -> tuple[int, str, str, str]:
    what = f"{decision.kind} {decision.outcome}: {decision.reason}"
    return decision.decided_at, _who(decision), what, f"rule {decision.rule}"


def _dead_letter(letter: DeadLetter) -> tuple[int, str, str, str]:
    where = f"{letter.topic}/{letter.partition}/{letter.offset}"
    return letter.ts, where, letter.reason, f"{letter.detail} ({letter.size} bytes)"


def _who(record: Any) -> str:
    return f"{record.session_id} {record.viewer_id}"


def _because(reasons: tuple[Reason, ...]) -> str:
    named = ", ".join(f"{reason.code} {reason.weight:.2f}" for reason in reasons)
    return f"because {named}" if named else ""


_DESCRIBE: dict[type, Callable[[Any], tuple[int, str, str, str]]] = {
    CouponTrigger: _coupon,
    RecommendationTrigger: _recommendation,
    ConversionRow: _conversion,
    ChurnRow: _churn,
    Decision: _decision,
    DeadLetter: _dead_letter,
}
