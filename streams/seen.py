"""First sight: when does a viewer do a step for the first time in a pane, a minute, ever.

A bitmap a step remembers the panes of the newest 5-minute block and of the block before it.
A step that is later than that counts for the whole session only, and only the first time.
"""

from msgspec import Struct, field

from streams.totals import STEPS

BLOCK = 30  # panes in 5 min
_ALL = (1 << 2 * BLOCK) - 1
_BLOCK = (1 << BLOCK) - 1
MINUTE_PANES = 6
_MINUTE = (1 << MINUTE_PANES) - 1
_NO_BITS = [0] * len(STEPS)

PANE, MINUTE, FIVE, SESSION = 1, 2, 4, 8


class Seen(Struct, array_like=True, gc=False):
    """What a viewer did when.

    ``bits[step]``: bit i is pane i of the newest block, bit 30 + i
    is pane i of the block before. ``ever``: bit ``step`` is set once it was done at all.
    """

    block: int = 0
    ever: int = 0
    bits: list[int] = field(default_factory=_NO_BITS.copy)


def touch(seen: Seen, step: int, pane: int) -> int:
    """Note the step and return the windows that see it for the first time, as bits."""
    block = pane // BLOCK
    slot = pane - block * BLOCK
    behind = seen.block - block
    if behind:
        if behind < 0:
            _advance(seen, block)
        elif behind == 1:
            slot += BLOCK
        else:
            return _ever(seen, step)
    bits = seen.bits[step]
    if bits >> slot & 1:
        return 0
    seen.bits[step] = bits | 1 << slot
    first = PANE if seen.ever >> step & 1 else PANE | _ever(seen, step)
    if not bits:
        return first | MINUTE | FIVE
    if not bits >> (slot - slot % MINUTE_PANES) & _MINUTE:
        first |= MINUTE
    if not bits >> (slot - slot % BLOCK) & _BLOCK:
        first |= FIVE
    return first


def _ever(seen: Seen, step: int) -> int:
    bit = 1 << step
    if seen.ever & bit:
        return 0
    seen.ever |= bit
    return SESSION


def _advance(seen: Seen, block: int) -> None:
    shift = min(block - seen.block, 2) * BLOCK
    seen.bits = [bits << shift & _ALL if bits else 0 for bits in seen.bits]
    seen.block = block
