"""What the core knows of a record: where it stands, when it arrived, what it said."""

from typing import NamedTuple

from schemas.codec import Rejection
from schemas.events import Event


class Record(NamedTuple):
    """A record of an input topic; ``timestamp`` is its own, epoch ms: when it arrived.

    A client library's own record serves as well: only these attributes are read.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


#: What was decoded, with the record that brought it.
Arrival = tuple[Event | Rejection, Record]
