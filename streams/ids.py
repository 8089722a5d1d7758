"""Every id that we hand out is a hash of its cause, so a replay hands out the same ones."""

from base64 import b32encode
from hashlib import blake2b


def trigger_id(rule: str, session_id: str, viewer_id: str, cause_id: str) -> str:
    """Return the id of the one trigger that this rule may send for this cause: 26 characters."""
    return _digest("trigger", rule, session_id, viewer_id, cause_id)


def decision_id(rule: str, session_id: str, viewer_id: str, cause_id: str, reason: str) -> str:
    """Return the id of a decision: a cause asked again and refused alike keeps its id."""
    return _digest("decision", rule, session_id, viewer_id, cause_id, reason)


def _digest(*parts: str) -> str:
    # Each part is preceded by its length: no two lists of parts read the same.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return b32encode(digest).decode().rstrip("=").lower()
