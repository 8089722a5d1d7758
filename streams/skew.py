"""How far a session's own clock is behind its task's stream time.

Stream time is the foremost clock of all sessions. A session whose producers' clocks are behind
must not be judged by it: its viewers would seem silent, its carts old, its windows over. So its
timers and windows wait by as much as its newest events were behind, until that is long ago.
"""

from streams.policy import Policy
from streams.state import Room

#: An event that is less behind than those before it counts when none was so for this long.
KEPT_MS = 60_000
TIMER_MS = 1_000


def note(room: Room, ts: int, now: int, policy: Policy) -> None:
    """Note that at stream time ``now`` the newest event of the room says ``ts``."""
    behind = min(now - ts, policy.future_limit_ms)
    if behind <= policy.watermark_bound_ms:
        behind = 0  # no more than events come out of order
    behind += -behind % TIMER_MS  # by whole seconds, as timers go
    if behind >= room.behind or now - room.behind_at > KEPT_MS:
        room.behind, room.behind_at = behind, now
