"""The viewers of a session: who was touched since the last commit is awake, the others sleep.

A sleeping visit is one bytes object: its own changelog value. It costs a sixth of the memory of
a struct with all that hangs on it, a restore need not decode it, and whether a commit has to
write it is a comparison of bytes.

The value begins with a head of fixed places, so that a timer can be read without decoding:
3 bytes of msgpack array header, ``due`` as uint64, ``risk`` as a positive fixint, and then
``cart``, which is nil for most.
"""

from collections.abc import Iterator, Mapping

from msgspec import Raw, msgpack

from streams.state import UNSCORED, Visit

_ARRAY16, _UINT64 = 0xDC, 0xCF
_DUE = slice(4, 12)  # after the array header and the type byte
_RISK = 12
_CART = 13
_NIL = 0xC0

_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder(Visit).decode
_check = msgpack.Decoder(Raw).decode


class Visits(Mapping[str, Visit]):
    """Visits by viewer id; ``get`` wakes a visit, and what is awake may be changed in place."""

    __slots__ = ("_asleep", "_awake", "_carted")

    def __init__(self) -> None:
        self._asleep: dict[str, bytes] = {}
        self._awake: dict[str, Visit] = {}
        self._carted: set[str] = set()  # sleeping viewers with a cart

    def __len__(self) -> int:
        return len(self._asleep.keys() | self._awake.keys())

    def __iter__(self) -> Iterator[str]:
        yield from self._asleep
        yield from [viewer_id for viewer_id in self._awake if viewer_id not in self._asleep]

    def __contains__(self, viewer_id: object) -> bool:
        return viewer_id in self._awake or viewer_id in self._asleep

    def __getitem__(self, viewer_id: str) -> Visit:
        visit = self.get(viewer_id)
        if visit is None:
            raise KeyError(viewer_id)
        return visit

    def get(self, viewer_id: str) -> Visit | None:  # type: ignore[override] # no other default
        """Return the visit, awake; None when there is none."""
        visit = self._awake.get(viewer_id)
        if visit is None:
            value = self._asleep.get(viewer_id)
            if value is None:
                return None
            visit = self._awake[viewer_id] = _decode(value)
        return visit

    def add(self, viewer_id: str, visit: Visit) -> None:
        """Begin a visit."""
        self._awake[viewer_id] = visit

    def drop(self, viewer_id: str) -> None:
        """Forget a visit."""
        self._awake.pop(viewer_id, None)
        self._asleep.pop(viewer_id, None)
        self._carted.discard(viewer_id)

    def glance(self) -> Iterator[tuple[str, Visit]]:
        """Yield all visits, each as ``peek`` returns it."""
        yield from self._awake.items()
        for viewer_id, value in self._asleep.items():
            if viewer_id not in self._awake:
                yield viewer_id, _decode(value)

    def peek(self, viewer_id: str) -> Visit | None:
        """Return a visit to be read and not to be changed: who sleeps is not woken."""
        visit = self._awake.get(viewer_id)
        if visit is None:
            value = self._asleep.get(viewer_id)
            return None if value is None else _decode(value)
        return visit

    def carted(self) -> Iterator[tuple[str, Visit]]:
        """Yield the visits with a cart, as ``glance`` does."""
        yield from (one for one in self._awake.items() if one[1].cart)
        for viewer_id in self._carted:
            if viewer_id not in self._awake:
                yield viewer_id, _decode(self._asleep[viewer_id])

    def is_changed(self) -> bool:
        """Tell whether anybody is awake."""
        return bool(self._awake)

    def sleep(self) -> Iterator[tuple[str, bytes]]:
        """Let all sleep; yields the new value of each visit that changed.

        A timer that was moved is no change: a restored timer that is early does no harm.
        """
        for viewer_id, visit in self._awake.items():
            value = _encode(visit)
            before = self._asleep.get(viewer_id)
            self._asleep[viewer_id] = value
            if before is None or before[_RISK:] != value[_RISK:]:
                if value[_CART] != _NIL:
                    self._carted.add(viewer_id)
                else:
                    self._carted.discard(viewer_id)
                yield viewer_id, value
        self._awake.clear()

    def restore(self, viewer_id: str, value: bytes) -> tuple[int, int]:
        """Put back what ``sleep`` said last; returns when its timer is due, and its risk.

        Raises ValueError for a value that is no visit. Its fields are only read when it wakes.
        """
        _check(value)  # whole and well-formed: a fifth of the time that decoding takes
        if value[0] != _ARRAY16 or value[3] != _UINT64 or value[_RISK] > UNSCORED:
            raise ValueError("it is no visit")
        self._asleep[viewer_id] = value
        if value[_CART] != _NIL:
            self._carted.add(viewer_id)
        return int.from_bytes(value[_DUE]), value[_RISK]
