"""Every Redis key: its name, its type, how long it lives and why.

All keys of a session share the hash tag ``{session_id}``, so they live on one node and one
script may touch several. ``p`` is the prefix from the settings. Times to live count from the
last write. Everything but the budget is a view that can be rebuilt from topics; a budget that was
lost is told by the tasks what their coupons hold.

========================================  ======  =======  ====================================
key                                       type    lives    holds
========================================  ======  =======  ====================================
p:{s}:budget                              hash    7 d      offer id -> minor units promised
p:{s}:answer:<trigger_id>                 string  26 h     the first answer, what it still holds
p:sessions                                zset    26 h     session id by newest watermark
p:{s}:session                             string  26 h     SessionView
p:{s}:total                               string  26 h     the row of the whole session
p:{s}:rows:<window>:<scope>[:<hour>]      hash    26 h     <start>/<scope id> -> ConversionRow
p:{s}:hours                               zset    26 h     the hours that have rows, newest 25
p:{s}:churn                               hash    26 h     viewer id -> ChurnRow
p:{s}:risks                               zset    26 h     viewer id by probability, highest 200
p:{s}:triggers                            zset    26 h     trigger JSON by decided_at, last 200
p:{s}:shelf                               string  26 h     Shelf: what the host says
p:{s}:glance                              hash    26 h     partition -> Glance of that task
p:{s}:sent:<kind>                         zset    26 h     trigger id by decided_at
p:{s}:<outcome>:<kind>                    set     26 h     ids of the triggers that came to this
p:{s}:revenue:<kind>                      hash    26 h     order id -> minor units, if it named one
p:{s}:held:<reason>                       set     26 h     ids of the decisions against sending
p:{s}:markers                             zset    26 h     Marked JSON by time, last 500
p:{s}:changed                             pub/sub          {"session_id", "kinds"} after a write
p:writer:<id>                             string  26 h     there while Redis keeps what we wrote
========================================  ======  =======  ====================================
"""

from msgspec import Struct

HOUR_MS = 3_600_000

#: Events up to 24 h old are accepted, so a repeat may come that late; 2 h for the slack.
KEPT_MS = 26 * HOUR_MS
#: After its coupon's end a budget's answer is there for so long at least.
ANSWERS_SURE_MS = KEPT_MS - HOUR_MS
#: A budget that expires is whole again: it must outlast any pause of a session that runs on.
BUDGET_KEPT_MS = 7 * 24 * HOUR_MS
#: 24 h of rows touch at most 25 clock hours.
HOURS_KEPT = 25
#: What a host wants to see.
RISKS_SHOWN = 50
#: Several workers add and trim, and viewers leave: spare ones behind the top 50 fill the gaps.
RISKS_KEPT = 200
TRIGGERS_KEPT = 200
MARKERS_KEPT = 500
#: More ids than a session has, so that a count is right; and yet an end.
SENT_KEPT = 2_000_000


class Keys(Struct, frozen=True):
    """Names of keys under one prefix; the table above says what each holds."""

    prefix: str = "livepulse"

    @property
    def sessions(self) -> str:
        """Name the one view that spans sessions."""
        return f"{self.prefix}:sessions"

    def budget(self, session_id: str) -> str:
        """Name one hash per session, so that offers need no key of their own."""
        return self._of(session_id, "budget")

    def answer(self, session_id: str, trigger_id: str) -> str:
        """Name a key per trigger, so that each answer expires by itself."""
        return self._of(session_id, f"answer:{trigger_id}")

    def session(self, session_id: str) -> str:
        """Name the session's own facts: title, viewers present, watermark."""
        return self._of(session_id, "session")

    def total(self, session_id: str) -> str:
        """Name the newest row of scope and window ``session``: one GET."""
        return self._of(session_id, "total")

    def rows(self, session_id: str, window: str, scope: str, start_ms: int) -> str:
        """Name a hash per clock hour, so that old rows expire; whole-session rows have no hour."""
        name = f"rows:{window}:{scope}"
        return self._of(session_id, name if window == "session" else f"{name}:{hour(start_ms)}")

    def hours(self, session_id: str) -> str:
        """Name the list of hours that have rows."""
        return self._of(session_id, "hours")

    def churn(self, session_id: str) -> str:
        """Name the newest risk of everybody who has been at risk."""
        return self._of(session_id, "churn")

    def risks(self, session_id: str) -> str:
        """Name the ranking of who is most likely to leave."""
        return self._of(session_id, "risks")

    def triggers(self, session_id: str) -> str:
        """Name a sorted set: adding the same trigger again changes nothing."""
        return self._of(session_id, "triggers")

    def shelf(self, session_id: str) -> str:
        """Name what the host says of the session."""
        return self._of(session_id, "shelf")

    def glance(self, session_id: str) -> str:
        """Name what the tasks say of the session, a field for each."""
        return self._of(session_id, "glance")

    def sent(self, session_id: str, kind: str) -> str:
        """Name the triggers of a kind: ids by time, so that a stretch of it can be counted."""
        return self._of(session_id, f"sent:{kind}")

    def outcome(self, session_id: str, kind: str, outcome: str) -> str:
        """Name the triggers of a kind that came to this: a set, so that repeats do not count."""
        return self._of(session_id, f"{outcome}:{kind}")

    def revenue(self, session_id: str, kind: str) -> str:
        """Name the paid orders that named a trigger of this kind."""
        return self._of(session_id, f"revenue:{kind}")

    def held(self, session_id: str, reason: str) -> str:
        """Name the decisions against sending, for one reason."""
        return self._of(session_id, f"held:{reason}")

    def markers(self, session_id: str) -> str:
        """Name what is marked on the timeline."""
        return self._of(session_id, "markers")

    def changed(self, session_id: str) -> str:
        """Name the channel that announces writes."""
        return self._of(session_id, "changed")

    def writer(self, writer_id: str) -> str:
        """Name a writer's own key: when it is gone, Redis has lost data, so write all again."""
        return f"{self.prefix}:writer:{writer_id}"

    def _of(self, session_id: str, name: str) -> str:
        return f"{self.prefix}:{{{session_id}}}:{name}"


def hour(start_ms: int) -> int:
    """Return the clock hour of an event time, counted from the epoch."""
    return start_ms // HOUR_MS
