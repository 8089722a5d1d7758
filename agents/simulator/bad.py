"""Every way in which a record can be broken; each costs the worker one dead letter."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

#: More than a day, ahead as well: up to a day of history may be sent at once.
OFF_MS = 25 * 3_600_000


class Origin(NamedTuple):
    """Where a broken record seems to come from. ``event_id`` is fresh, ``now_ms`` its arrival."""

    event_id: str
    now_ms: int
    session_id: str
    viewer_id: str

    def fields(self, kind: str, **own: Any) -> dict[str, Any]:
        """Give the fields of a good event of type ``kind``, to be broken."""
        who = {"session_id": self.session_id, "viewer_id": self.viewer_id}
        return {"type": kind, "id": self.event_id, "ts": self.now_ms} | who | own


def _invalid_json(origin: Origin) -> bytes:
    return msgspec.json.encode(origin.fields("ProductClicked", product_id="p1"))[:-9]


def _invalid_utf8(origin: Origin) -> bytes:
    encoded = msgspec.json.encode(origin.fields("CommentPosted", text="#"))
    return encoded.replace(b"#", b"\xff\xfe\xc3")


def _missing_field(origin: Origin) -> bytes:
    return msgspec.json.encode(origin.fields("ProductExposed"))


def _wrong_type(origin: Origin) -> bytes:
    return msgspec.json.encode(origin.fields("LikesSent", count="many"))


def _unknown_type(origin: Origin) -> bytes:
    return msgspec.json.encode(origin.fields("ViewerTeleported"))


def _negative_amount(origin: Origin) -> bytes:
    lines = [{"product_id": "p1", "quantity": 1, "unit_price": 100}]
    order = {"order_id": f"o-{origin.event_id}", "lines": lines, "amount": -100, "currency": "CNY"}
    return msgspec.json.encode(origin.fields("OrderPaid", **order))


def _empty_id(origin: Origin) -> bytes:
    return msgspec.json.encode(origin.fields("Heartbeat", id=""))


def _null_value(_: Origin) -> None:
    return None


def _too_new(origin: Origin) -> bytes:
    return msgspec.json.encode(origin.fields("Heartbeat", ts=origin.now_ms + OFF_MS))


def _too_old(origin: Origin) -> bytes:
    return msgspec.json.encode(origin.fields("Heartbeat", ts=origin.now_ms - OFF_MS))


class Fault(NamedTuple):
    """A kind of broken record: its name, the type whose topic it goes to, how to make it."""

    name: str
    type_name: str
    make: Callable[[Origin], bytes | None]


FAULTS = (
    Fault("invalid_json", "ProductClicked", _invalid_json),
    Fault("invalid_utf8", "CommentPosted", _invalid_utf8),
    Fault("missing_field", "ProductExposed", _missing_field),
    Fault("wrong_type", "LikesSent", _wrong_type),
    Fault("unknown_type", "Heartbeat", _unknown_type),
    Fault("negative_amount", "OrderPaid", _negative_amount),
    Fault("empty_id", "Heartbeat", _empty_id),
    Fault("null_value", "CartAdded", _null_value),
    Fault("future_time", "Heartbeat", _too_new),
    Fault("old_time", "Heartbeat", _too_old),
)
