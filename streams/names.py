"""How many names one record tells apart: invented ids must not make it grow without end.

The broker refuses a record that is too large, and the task that wrote it could never go on.
"""

from collections.abc import Collection

#: Products or channels of a pane or of a window, products of a viewer or on a shelf.
MOST_NAMES = 1_000
#: What all further names of a record are counted under.
OTHER = "~other"


def own(known: Collection[str], name: str) -> str:
    """Return the name that stands for this one: itself while there is room, else ``OTHER``."""
    return name if name in known or len(known) < MOST_NAMES else OTHER
