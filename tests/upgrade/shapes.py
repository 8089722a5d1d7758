"""The shape of what is kept: the structs that state is made of, its kinds of keys, its columns.

Runs under the code of the version before as well: it imports only what both have.
"""

import re
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

from msgspec import Struct, msgpack

from streams import changelog, store
from streams.affinity import SOURCES
from streams.marks import Marks
from streams.merge import About
from streams.seen import BLOCK
from streams.state import UNSCORED, Affinity, Room, Shelf, Visit
from streams.timers import NEVER
from streams.totals import COUNTS, PANE_MS, STEPS, SUMS, WINDOWS, Mark, PaneTotals, WindowTotal
from streams.window import Window

#: The kinds of keys in ``live.state``, and the struct that stands behind each.
KINDS: dict[str, type[Struct]] = {
    str(store.VISIT): Visit,
    str(store.PANE): PaneTotals,
    str(store.AFFINITY): Affinity,
    str(store.SHELF): Shelf,
    str(store.ROOM): Room,
    str(store.TASK): store.Progress,
    changelog.MARKS.decode(): Marks,
    changelog.ABOUT.decode(): About,
    changelog.TOTAL.decode(): PaneTotals,
    changelog.WINDOW.decode(): Window,
}

#: Field and type, in the order in which they are written.
Fields = list[tuple[str, str]]


def kind_of(key: bytes) -> str:
    """Return the kind of a key of ``live.state``."""
    return key[:1].decode() if key[0] < 0x80 else str(msgpack.decode(key)[0])


def structs() -> dict[str, type[Struct]]:
    """Return all structs that ``live.state`` and ``live.window-totals`` carry, by name."""
    roots = (*KINDS.values(), WindowTotal, Mark)
    return {one.__name__: one for root in roots for one in _within(root)}


def fields(kind: type[Struct]) -> Fields:
    """Return the fields of a struct; first its tag, if it has one."""
    tag = kind.__struct_config__.tag
    hints = get_type_hints(kind)
    told = [(name, _text(hints[name])) for name in kind.__struct_fields__]
    return told if tag is None else [("", str(tag)), *told]


def layout() -> dict[str, list[str] | int]:
    """Return what the numbers in a vector, a bitmap or an index mean."""
    return {
        "columns": [*COUNTS, *SUMS],
        "steps": list(STEPS),
        "windows": [f"{name}: {panes} panes" for name, panes in WINDOWS.items()],
        "pairs": list(SOURCES),
        "pane_ms": PANE_MS,
        "block": BLOCK,
        "unscored": UNSCORED,
        "never": NEVER,
    }


def _within(hint: Any) -> Iterator[type[Struct]]:
    """Yield the struct that a type is, and those inside of it."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        yield hint
        inner = list(get_type_hints(hint).values())
    else:
        inner = list(get_args(hint))
    for one in inner:
        yield from _within(one)


def _text(hint: Any) -> str:
    """Write a type down without the modules that its names come from."""
    text = str(hint) if get_args(hint) else hint.__name__
    return re.sub(r"\b(?:\w+\.)+", "", text)
