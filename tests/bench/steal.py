"""How much of the processors' time the host of this virtual machine gave to others.

A figure that was taken while much was stolen says little about us. Source: proc(5), /proc/stat.
"""

from pathlib import Path

_STAT = Path("/proc/stat")
_STEAL = 7  # user, nice, system, idle, iowait, irq, softirq, steal
_KINDS = 8  # what follows is already in the others


class Steal:
    """Counts from its making; elsewhere than on Linux nothing is known, and nothing counted."""

    def __init__(self) -> None:
        self._before = _ticks()

    def share(self) -> float:
        """Return the part of all processors' time that was stolen, from 0 to 1."""
        passed = [now - then for now, then in zip(_ticks(), self._before, strict=True)]
        return passed[_STEAL] / max(1, sum(passed))


def _ticks() -> list[int]:
    if not _STAT.exists():
        return [0] * _KINDS
    return [int(ticks) for ticks in _STAT.read_text().split(maxsplit=_KINDS + 1)[1 : _KINDS + 1]]
