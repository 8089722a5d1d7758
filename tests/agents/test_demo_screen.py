"""The demo's page and lines, drawn from what a worker would publish."""

from collections import Counter
from itertools import count
from typing import Any, Literal

import pytest
from msgspec import structs
from rich.cells import cell_len
from rich.console import Console

from agents.demo import lines
from agents.demo.load import scenario
from agents.demo.report import report
from agents.demo.run import Demo
from agents.demo.scrape import Numbers
from agents.demo.screen import Screen
from agents.demo.words import ENGLISH, WORDS, Language
from agents.settings import Settings
from schemas.results import (
    ChurnRow,
    ConversionRow,
    CouponTrigger,
    DeadLetter,
    Decision,
    Reason,
    RecommendationTrigger,
    Suggestion,
)

AT_MS = 1_800_000_000_000
_PEOPLE = {
    "viewers": 900, "exposed": 700, "clicked": 200, "carted": 30, "ordered": 9, "paid": 5,
}  # fmt: skip
_numbers = count()


def _demo() -> Demo:
    settings = Settings()
    return Demo(settings, scenario(settings, rate=100, sessions=1, seed=1))


def _row(session_id: str, *, present: int, gmv: int, currency: str = "CNY") -> ConversionRow:
    return ConversionRow(
        session_id=session_id, scope="session", scope_id=session_id, window="session",
        start=AT_MS, end=AT_MS, status="provisional", revision=1, announced=True,
        currency=currency, counts={"OrderPaid": 4}, people=_PEOPLE, money={"gmv_gross": gmv},
        rates={}, present=present, peak_present=present + 1,
    )  # fmt: skip


def _trigger(at_ms: int, rule: str, *reasons: Reason) -> dict[str, Any]:
    return {
        "trigger_id": f"t{next(_numbers)}", "session_id": "s1", "viewer_id": "v7", "rule": rule,
        "cause_id": "e1", "decided_at": at_ms, "expires_at": at_ms + 1, "reasons": reasons,
        "policy_version": "1",
    }  # fmt: skip


def _coupon(at_ms: int = AT_MS, rule: str = "cart_waiting") -> CouponTrigger:
    reason = Reason("cart_age_s" if rule == "cart_waiting" else "idle", 31.0)
    return CouponTrigger(
        **_trigger(at_ms, rule, reason), offer_id="o1", kind="amount_off", value=500,
        discount=500, minimum_spend=0, currency="CNY", products=("p1",),
    )  # fmt: skip


def _recommendation(at_ms: int = AT_MS) -> RecommendationTrigger:
    suggestions = tuple(Suggestion(f"p{n}", 0.5, "co_cart") for n in range(1, 5))
    reason = Reason("ordered", 1)
    return RecommendationTrigger(**_trigger(at_ms, "after_order", reason), suggestions=suggestions)


def _decision(outcome: Literal["sent", "suppressed"]) -> Decision:
    return Decision(
        decision_id=f"d-{outcome}", kind="coupon", rule="at_risk", session_id="s1", viewer_id="v1",
        cause_id="e1", decided_at=AT_MS, outcome=outcome, reason="no_offer", policy_version="1",
    )  # fmt: skip


def _busy() -> Demo:
    """Return a demo in which everything that can be shown has happened."""
    demo = _demo()
    demo.titles = {"s1": "晚间好物 Evening finds"}
    demo.observer.titles = {"p1": "经典口红 classic lipstick", "p2": "茶叶 tea"}
    results = [
        _row("s1", present=600, gmv=123_456), _row("s2", present=20, gmv=99, currency="USD"),
        *(_recommendation(AT_MS + n) for n in range(70)), _coupon(), _coupon(rule="at_risk"),
    ]  # fmt: skip
    for result in results:
        demo.observer._note(result)
    reasons = (Reason("silent", 2.0), Reason("old_cart", 1.0))
    demo.at_risk = 10
    demo.risks = [
        ChurnRow(
            session_id="s1", viewer_id=f"v{n}", ts=AT_MS, probability=n / 10, level="high",
            reasons=reasons, cart_value=0, watch_s=30,
        )
        for n in range(10)
    ]  # fmt: skip
    demo.numbers = Numbers(events=Counter(Heartbeat=1_234), duplicates=5)
    return demo


def _drawn(demo: Demo, lang: Language = "en", *, width: int = 100, height: int = 30) -> list[str]:
    console = Console(width=width, height=height, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123 - closed with the console
    with console.file:
        console.print(Screen(lang).page(demo, elapsed_s=75, height=height))
    return console.export_text().splitlines()


@pytest.mark.parametrize("lang", WORDS)
@pytest.mark.parametrize(("width", "height"), [(100, 30), (160, 50)])
@pytest.mark.parametrize("make", [_demo, _busy])
def test_the_page_fills_the_terminal_and_no_more(
    make: Any, width: int, height: int, lang: Language
) -> None:
    """A page that is too long or too wide would be cut off, or scroll."""
    drawn = _drawn(make(), lang, width=width, height=height)
    assert len(drawn) <= height
    assert max(map(cell_len, drawn)) <= width


def test_nothing_moves_when_numbers_come() -> None:
    """The headings stand where they stood on the first page."""
    empty, busy = (_drawn(demo) for demo in (_demo(), _busy()))
    for heading in (ENGLISH.triggers, ENGLISH.leaving, ENGLISH.events_per_s):
        places = [
            next(n for n, line in enumerate(page) if line.startswith(heading))
            for page in (empty, busy)
        ]
        assert places[0] == places[1], heading


def test_a_coupon_is_told_in_plain_words() -> None:
    """Who gets what off which product, and why."""
    line = next(line for line in _drawn(_busy()) if "in the cart for 31 s" in line)
    assert "coupon v7 ¥5.00 off: classic lipstick" in " ".join(line.split())


def test_a_coupon_against_leaving_says_so() -> None:
    """The reasons of the churn model alone would not tell what they speak for."""
    assert any("may leave: has stopped acting" in line for line in _drawn(_busy(), width=160))


def test_a_recommendation_names_products() -> None:
    """Two by name, the rest as a number."""
    page = _drawn(_busy(), width=160)
    assert any("classic lipstick, tea, and 2 more" in line for line in page)


def test_sessions_the_busiest_first() -> None:
    """In the order of who watches, with money in the session's own currency."""
    page = _drawn(_busy())
    first = next(n for n, line in enumerate(page) if "Evening finds" in line)
    assert page[first].split()[2:7] == ["600", "601", "900", "4", "¥1,234.56"]
    assert "$0.99" in page[first + 1]


def test_the_page_says_what_is_embedded() -> None:
    """Nobody shall take the demo's broker for one that keeps anything."""
    text = " ".join(_drawn(_demo()))
    assert "embedded broker (4 partitions a topic, the last 5 MB of each)" in text
    assert "forgotten" in text


def test_rare_triggers_are_not_washed_away() -> None:
    """Seventy recommendations leave room for the two coupons of other rules."""
    newest = _busy().observer.newest(3)
    assert {trigger.rule for trigger in newest} == {"after_order", "at_risk", "cart_waiting"}
    assert newest[0].decided_at == AT_MS + 69


def test_latency_is_measured_from_now_on() -> None:
    """What the history at the start made is not in the quantiles."""
    demo = _demo()
    inf = float("inf")
    demo.numbers = Numbers(latency={0.1: 0, 0.2: 10, 10.0: 90, inf: 90})
    assert demo.quantile_ms(0.5) is None
    assert lines.latency(demo, ENGLISH) == "measuring"
    demo._history_latency = {0.1: 0, 0.2: 0, 10.0: 80, inf: 80}
    assert demo.quantile_ms(0.5) == pytest.approx(150)
    assert lines.latency(demo, ENGLISH) == "150 ms / 199 ms"


def test_the_status_line_has_the_numbers() -> None:
    """One line for a log or a pipe."""
    line = lines.status(_busy(), ENGLISH, elapsed_s=75)
    for part in ("01:15", "viewers now 620", "GMV ¥1,234.56 + $0.99", "coupons 2",
                 "recommendations 70", "at risk of leaving 10"):  # fmt: skip
        assert part in line


def test_the_report_counts_what_was_published() -> None:
    """Results are counted by type, events as the worker has applied them."""
    demo = _busy()
    demo.load.tally.bad = {"null_value": 1}
    letter = DeadLetter(
        topic="t", partition=0, offset=0, ts=0, reason="null_value", detail="", key=None, size=0,
        raw="",
    )  # fmt: skip
    demo.observer._note(letter)
    for outcome in ("sent", "suppressed"):
        demo.observer._note(_decision(outcome))
    counted = report(demo)
    expected = {
        "events_in": 1_234, "events_by_type": {"Heartbeat": 1_234}, "duplicates": 5,
        "dead_letters": 1, "bad_records_injected": 1, "sessions": 2, "viewers": 1_800,
        "conversion_rows": 2, "churn_rows": 0, "coupons": 2, "recommendations": 70,
        "suppressed": 1, "p50_ms": None, "p99_ms": None,
    }  # fmt: skip
    assert counted == expected


def test_an_older_row_does_not_replace_a_newer_one() -> None:
    """Partitions are read in any order; the revision tells."""
    demo = _demo()
    newer = _row("s1", present=5, gmv=2)
    older = structs.replace(newer, revision=0, present=1)
    for row in (newer, older):
        demo.observer._note(row)
    assert lines.viewers_now(demo) == 5
