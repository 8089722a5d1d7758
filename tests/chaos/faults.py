"""The faults: what is done to a running site. Each returns when its last blow has fallen."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.run import Run
from tests.chaos.workload import USUAL, Shape

Act = Callable[[Run], None]


class Impossible(Exception):  # noqa: N818 - it reads as what it says
    """The fault cannot be made here, and why."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault by name. ``runs``: how often by default.

    ``prepare`` is done before the workers start, and may raise ``Impossible``.
    ``peaceful``: no worker may end by itself.
    ``patience_s``: how long everything may take to become right in the end.
    """

    name: str
    act: Act
    runs: int
    prepare: Act | None = None
    peaceful: bool = False
    shape: Shape = USUAL
    patience_s: float = 30.0


FAULTS: dict[str, Fault] = {}


def fault(
    runs: int, *, prepare: Act | None = None, peaceful: bool = False, shape: Shape = USUAL
) -> Callable[[Act], Act]:
    """Add a fault to the table under its function's name."""

    def add(act: Act) -> Act:
        name = act.__name__.replace("_", "-")
        FAULTS[name] = Fault(
            name=name, act=act, runs=runs, prepare=prepare, peaceful=peaceful, shape=shape
        )
        return act

    return add
