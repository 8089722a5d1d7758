"""Pseudonyms for viewers: with a key set, nobody behind the decoder ever sees a raw viewer id.

A pseudonym is an HMAC-SHA-256 of the id, so whoever has the key can tell that of any viewer, and
whoever has not can neither turn it back nor try ids out. It is personal data all the same.
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from functools import lru_cache

from msgspec.structs import force_setattr

from schemas.codec import Decoder, Rejection
from schemas.events import Event
from streams.admission import misplaced
from streams.partitioner import partition_of

PREFIX = "pv1-"
_BYTES = 18  # 144 bits in 24 characters
_PURPOSE = b"livepulse viewer\0"  # the same key may serve for other things, and say nothing here
#: Pseudonyms that a task keeps ready; making one takes 4 us, finding it 0.1.
REMEMBERED = 20_000


def pseudonym(key: str, viewer_id: str) -> str:
    """Return what stands for a viewer in all that livepulse says; ``key`` is the setting's value.

    For services that know their viewers: map each once, and look triggers up by it.
    """
    message = _PURPOSE + viewer_id.encode("utf-8", "surrogatepass")
    digest = hmac.digest(key.encode(), message, "sha256")
    return PREFIX + base64.urlsafe_b64encode(digest[:_BYTES]).decode()


class Pseudonyms:
    """The viewers of one task. Raises nothing: who cannot be one of them is refused, and why.

    Events are where they belong by the raw id, so that is checked here, where it is known.
    """

    def __init__(self, key: str, *, partition: int, partitions: int) -> None:
        self._key = key
        self._partition = partition
        self._partitions = partitions
        self.of = lru_cache(REMEMBERED)(self._of)

    def _of(self, viewer_id: str) -> str | Rejection:
        if viewer_id.startswith(PREFIX):
            return Rejection("invalid_field", "`viewer_id` is a pseudonym: send the viewer's own")
        if partition_of(viewer_id, self._partitions) != self._partition:
            return misplaced(viewer_id, self._partitions)
        return pseudonym(self._key, viewer_id)


class PseudonymDecoder:
    """A decoder whose events name the viewers by their pseudonyms."""

    def __init__(self, decoder: Decoder, pseudonyms: Pseudonyms) -> None:
        self._decoder = decoder
        self._pseudonyms = pseudonyms

    def decode(self, values: Sequence[bytes | None]) -> Sequence[Event | Rejection]:
        """Return one event or one rejection per value, in order."""
        return [self._renamed(event) for event in self._decoder.decode(values)]

    def _renamed(self, event: Event | Rejection) -> Event | Rejection:
        viewer_id: str | None = getattr(event, "viewer_id", None)
        if viewer_id is None:  # a rejection, or the host's
            return event
        known = self._pseudonyms.of(viewer_id)
        if isinstance(known, Rejection):
            return known
        force_setattr(event, "viewer_id", known)  # nobody has seen the event yet
        return event


def renaming(
    decoders: Mapping[str, Decoder], key: str | None, *, partition: int, partitions: int
) -> Mapping[str, Decoder]:
    """Return the decoders of a task: with a key they rename viewers, else they are as given."""
    if key is None:
        return decoders
    pseudonyms = Pseudonyms(key, partition=partition, partitions=partitions)
    return {topic: PseudonymDecoder(decoder, pseudonyms) for topic, decoder in decoders.items()}
