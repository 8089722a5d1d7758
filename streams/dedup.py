"""Event-id memory: the same event twice is one event.

Producers retry and upstream jobs replay, so one event may stand at two offsets. A viewer (or
a session's host) remembers the newest ids as 8-byte digests side by side; a repeat is found
by a substring search. Orders are remembered by their order id as well, and for longer.
"""

from xxhash import xxh3_64_digest

MEMORY = 32
_BYTES = 8 * MEMORY


def remember(recent: bytes, event_id: str) -> bytes | None:
    """Return the memory with the id in it, or None when the id was there already.

    A digest may also be found astride two others: with 64 bits a chance of about 1e-17.
    """
    digest = xxh3_64_digest(event_id.encode())
    if digest in recent:
        return None
    return (recent + digest)[-_BYTES:]
