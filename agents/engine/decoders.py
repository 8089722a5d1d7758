"""A decoder for each input topic, for the event types that the settings send there."""

from collections import defaultdict

from agents.settings import Settings
from schemas.codec import BatchDecoder
from schemas.events import EVENT_TYPES, Event


def decoders(settings: Settings) -> dict[str, BatchDecoder]:
    """Return topic -> decoder; several types may share a topic."""
    carried: defaultdict[str, list[type[Event]]] = defaultdict(list)
    for kind in EVENT_TYPES:
        carried[settings.topic_of(kind.__name__)].append(kind)
    return {topic: BatchDecoder(kinds) for topic, kinds in carried.items()}
