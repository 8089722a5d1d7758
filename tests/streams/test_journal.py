"""What is noted as events pass: outcomes, revenue, marks; and that a repeat notes the same."""

from typing import Any

from schemas import events as ev
from streams.journal import Became, Earned, Held, Journal, Marked, Note, Sent
from streams.results import Results
from tests.streams.world import SHOP, T0, World, event, order, record_of

LISTED: dict[str, Any] = {"product_id": "p1", "price": 1_000, "stock": 5, "currency": "CNY"}


class Noted:
    """A world whose first task keeps a journal."""

    def __init__(self, tasks: int = 1) -> None:
        self.world = World(tasks)
        self.journals = [Journal() for _ in range(tasks)]

    def says(self, kind: type[ev.Event], second: float, /, **fields: Any) -> list[Note]:
        """Let an event happen, and return what is noted, by any task."""
        return self.feed(event(kind, second, **fields))

    def feed(self, one: ev.Event) -> list[Note]:
        """Let an event happen, and return what is noted, by any task."""
        tasks = len(self.world.tasks)
        results = self.world.feed(one)
        notes: list[Note] = []
        for task, journal in zip(self.world.tasks, self.journals, strict=True):
            arrival = (one, record_of(one, tasks=tasks))
            journal.note(task.state, [arrival], results if task is self.world.tasks[0] else _NONE)
            notes += journal.take()
        return notes


_NONE = Results()


def coupon(noted: Noted) -> str:
    """Let viewer v1 get a coupon; returns its id."""
    noted.says(ev.SessionStarted, 0, currency="CNY")
    noted.says(ev.ProductListed, 0, **LISTED)
    noted.says(
        ev.OfferListed, 0, offer_id="c1", kind="amount_off", value=100, currency="CNY",
        budget=10_000, valid_until=T0 + 3_600_000,
    )  # fmt: skip
    noted.says(ev.ViewerEntered, 0)
    noted.says(ev.CartAdded, 1, product_id="p1", **SHOP)
    sent = [
        note
        for second in range(5, 45, 5)
        for note in noted.says(ev.Heartbeat, second)
        if isinstance(note, Sent)
    ]
    assert [(one.session_id, one.kind) for one in sent] == [("s1", "coupon")]
    return sent[0].trigger_id


def test_a_coupon_is_followed_to_its_end() -> None:
    """Sent, shown, accepted and paid with, each noted under the coupon's kind and id."""
    noted = Noted()
    this = coupon(noted)
    assert noted.says(ev.TriggerShown, 45, trigger_id=this) == [
        Became("s1", "coupon", "shown", this)
    ]
    assert noted.says(ev.TriggerAccepted, 46, trigger_id=this) == [
        Became("s1", "coupon", "accepted", this)
    ]
    paid = order(ev.OrderPaid, 50, trigger_id=this, amount=900)
    assert noted.feed(paid) == [Earned("s1", "coupon", "o1", 900)]


def test_what_is_no_coupon_is_a_recommendation() -> None:
    """Outcomes say only an id; the visit knows its coupons."""
    noted = Noted()
    noted.says(ev.ViewerEntered, 0)
    assert noted.says(ev.TriggerDeclined, 1, trigger_id="t9") == [
        Became("s1", "recommendation", "declined", "t9")
    ]


def test_an_outcome_of_a_stranger_is_not_noted() -> None:
    """Somebody whom this task has never seen was sent nothing."""
    noted = Noted()
    noted.says(ev.ViewerEntered, 0)
    assert noted.says(ev.TriggerShown, 1, viewer_id="nobody", trigger_id="t9")[1:] == []


def test_an_order_without_a_trigger_or_of_other_money_earns_nothing() -> None:
    """Revenue is what names a trigger, in the session's currency."""
    noted = Noted()
    this = coupon(noted)
    assert noted.feed(order(ev.OrderPaid, 50, order_id="o2")) == []
    assert noted.feed(order(ev.OrderPaid, 50, order_id="o3", trigger_id=this, currency="USD")) == []


def test_a_refusal_is_noted_with_its_reason() -> None:
    """A hesitating viewer for whom there is nothing to recommend."""
    noted = Noted()
    noted.says(ev.SessionStarted, 0, currency="CNY")
    noted.says(ev.ViewerEntered, 0)
    noted.says(ev.ProductClicked, 1, product_id="p1")
    (held,) = noted.says(ev.ProductClicked, 2, product_id="p1")
    assert isinstance(held, Held)
    assert held.reason == "no_candidate"


def test_what_the_host_does_is_marked() -> None:
    """Pins and offers, with the event's own time."""
    noted = Noted()
    noted.says(ev.ProductListed, 0, **LISTED)
    assert noted.says(ev.ProductPinned, 1, product_id="p1") == [
        Marked("s1", T0 + 1_000, "pin", "p1")
    ]
    assert noted.says(ev.ProductUnpinned, 2, product_id="p1") == [
        Marked("s1", T0 + 2_000, "unpin", "p1")
    ]


def test_a_product_is_sold_out_once() -> None:
    """Reported empty again it is no news; sold out after a new delivery it is."""
    noted = Noted()
    noted.says(ev.ProductListed, 0, **LISTED)
    marks = [
        [type(note) for note in noted.says(ev.StockChanged, second, product_id="p1", stock=stock)]
        for second, stock in enumerate((2, 0, 0, 7, 0), start=1)
    ]
    assert marks == [[], [Marked], [], [], [Marked]]


def test_a_lower_price_is_marked_and_a_higher_one_is_not() -> None:
    """A flash sale begins; its end is no offer."""
    noted = Noted()
    noted.says(ev.ProductListed, 0, **LISTED)
    cheaper = noted.says(ev.ProductListed, 1, **LISTED | {"price": 700})
    assert cheaper == [Marked("s1", T0 + 1_000, "flash_price", "p1")]
    assert noted.says(ev.ProductListed, 2, **LISTED) == []


def test_one_task_marks_what_all_of_them_read() -> None:
    """The host's events come to every task; the session's owner notes them."""
    noted = Noted(tasks=3)
    noted.says(ev.ProductListed, 0, **LISTED)
    assert len(noted.says(ev.ProductPinned, 1, product_id="p1")) == 1


def test_a_repeat_is_the_same_note() -> None:
    """Notes are written by their identity: one that comes twice changes nothing."""
    noted = Noted()
    pinned = event(ev.ProductPinned, 1, product_id="p1")
    assert noted.feed(pinned) == noted.feed(pinned)


def test_the_journal_forgets_a_session_that_has_ended() -> None:
    """What it remembers of the shelf does not grow from session to session."""
    noted = Noted()
    noted.says(ev.ProductListed, 0, **LISTED)
    assert noted.journals[0]._shelf
    noted.says(ev.SessionEnded, 1)
    assert not noted.journals[0]._shelf
