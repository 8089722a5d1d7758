"""The batch answer: what a night job in plain Python makes of the raw records. None of our code.

Windows are cut by the events' own times; people are sets, money is added up; a refund belongs
to the window of its payment. Nothing here knows panes, tasks, state, watermarks or order.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple, Protocol

WINDOWS = {"10s": 10_000, "1m": 60_000, "5m": 300_000, "session": 0}
STEP_OF = {
    "ProductExposed": "exposed", "ProductClicked": "clicked", "CartAdded": "carted",
    "OrderPlaced": "ordered", "OrderPaid": "paid", "LikesSent": "interacted",
    "CommentPosted": "interacted", "SessionShared": "interacted", "HostFollowed": "interacted",
}  # fmt: skip
#: Told by a machine, perhaps much later: they do not say that the viewer is there.
REPORTS = {"RoomShown", "ViewerLeft", "OrderPaid", "OrderRefunded"}

AMOUNT_OF = {
    "OrderPlaced": "ordered_amount", "OrderPaid": "gmv_gross", "OrderRefunded": "refunded",
}  # fmt: skip

Identity = tuple[str, str, str, str, int]
#: What is added to a row: a number by its name, or a person (viewer) by a step.
Part = tuple[str, str, int | str]


class Valued(Protocol):
    """A record, of whatever kind: here only its value is read."""

    @property
    def value(self) -> bytes | None:
        """The JSON of one event."""


class Answer(NamedTuple):
    """What one row must say."""

    counts: dict[str, int]
    people: dict[str, int]
    money: dict[str, int]


def batch(records: Iterable[Valued]) -> dict[Identity, Answer]:
    """Return the answer for every row of scope session and product that anything happened in."""
    events = list(distinct(records))
    paid_at = {e["order_id"]: e["ts"] for e in events if e["type"] == "OrderPaid"}
    numbers: defaultdict[Identity, Counter[str]] = defaultdict(Counter)
    people: defaultdict[Identity, defaultdict[str, set[str]]]
    people = defaultdict(lambda: defaultdict(set))
    for event in events:
        refund = event["type"] == "OrderRefunded"
        money_ts = paid_at[event["order_id"]] if refund else event["ts"]
        for scope, scope_id, parts in told(event):
            for kind, name, value in parts:
                ts = money_ts if name == "refunded" else event["ts"]
                for window, size in WINDOWS.items():
                    start = ts - ts % size if size else 0
                    row = (event["session_id"], scope, scope_id, window, start)
                    if kind == "person":
                        people[row][name].add(str(value))
                    else:
                        numbers[row][f"{kind}.{name}"] += int(value)
    return {row: _answer(numbers[row], people[row]) for row in numbers.keys() | people.keys()}


def distinct(records: Iterable[Valued]) -> Iterator[dict[str, Any]]:
    """Yield each viewer's event once, whatever was sent twice."""
    seen = set()
    for record in records:
        event = json.loads(record.value or b"")
        if "viewer_id" in event and event["id"] not in seen:
            seen.add(event["id"])
            yield event


def told(event: dict[str, Any]) -> Iterator[tuple[str, str, list[Part]]]:
    """Yield what an event adds to the row of its session and to those of products."""
    kind, viewer = event["type"], event["viewer_id"]
    step = [("person", STEP_OF[kind], viewer)] if kind in STEP_OF else []
    watches = [] if kind in REPORTS else [("person", "viewers", viewer)]
    times = event.get("count", 1) if kind == "LikesSent" else 1
    amount = [("money", AMOUNT_OF[kind], event["amount"])] if kind in AMOUNT_OF else []
    lines = event.get("lines", ())
    units = [("count", "units", line["quantity"]) for line in lines if kind == "OrderPlaced"]
    whole = [("count", kind, times), *step, *watches, *amount, *units]
    yield "session", event["session_id"], whole
    if "product_id" in event:
        yield "product", event["product_id"], [("count", kind, 1), *step]
    for line, share in zip(lines, shares(lines, event.get("amount", 0)), strict=True):
        money = ("money", AMOUNT_OF[kind], share)
        if kind == "OrderRefunded":
            yield "product", line["product_id"], [money]
            continue
        pieces = [("count", "units", line["quantity"])] if kind == "OrderPlaced" else []
        yield "product", line["product_id"], [("count", kind, 1), *step, money, *pieces]


def shares(lines: Sequence[dict[str, Any]], amount: int) -> list[int]:
    """Share an amount out by what the lines are worth, rounding down from the first line on."""
    upto = list(accumulate(line["quantity"] * line["unit_price"] for line in lines))
    due = [0, *(amount * value // upto[-1] for value in upto)]
    return [after - before for before, after in pairwise(due)]


def _answer(numbers: Counter[str], people: dict[str, set[str]]) -> Answer:
    def of(kind: str) -> dict[str, int]:
        return {
            name.removeprefix(kind): n for name, n in numbers.items() if name.startswith(kind) and n
        }

    money = of("money.")
    net = money.get("gmv_gross", 0) - money.get("refunded", 0)
    money |= {"gmv_net": net} if net else {}
    return Answer(of("count."), {step: len(who) for step, who in people.items()}, money)
