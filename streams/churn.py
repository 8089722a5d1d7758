"""Churn risk: the probability that a viewer leaves within 60 s, as a logistic hazard.

The logit is a weighted sum of saturating features. The weights below are priors, not fits:
they are set so that a lively viewer has about 4 %, one who sat idle for a minute about 43 %,
and one whose player has been silent for 30 s about 76 %.
"""

from bisect import bisect
from functools import lru_cache
from itertools import islice
from math import exp, inf, log

from msgspec import Struct
from msgspec.structs import astuple

from schemas.results import ChurnRow, Reason
from streams.policy import Policy
from streams.state import CartLine, Room, Visit

#: Time constants of the decayed counts: after so many ms a count has fallen to 1/e.
FAST_MS = 30_000  # Visit.*_30s
SLOW_MS = 300_000  # Visit.*_5m
ROOM_MS = 60_000  # Room.leaves

FIRST_SCORE_MS = 10_000  # watched less than this: a bounce, not a risk that can be averted

# A long watcher who only looks is normal, so idle time stops counting after 90 s.
IDLE_CAP_MS = 90_000
# Heartbeats come every 10 s: one that is a little late says nothing.
SILENCE_FREE_MS = 12_000
SILENCE_CAP_MS = 48_000
# A room of few is judged as if 20 more, who leave at the usual rate, were in it.
_USUAL_LEAVE_RATE = 0.1
_PSEUDO_VIEWERS = 20


class Weights(Struct, frozen=True, kw_only=True):
    """One weight per feature, in the order of the features; above zero raises the risk."""

    intercept: float = -2.0
    idle: float = 2.0  # per minute without an act, up to 1.5
    silence: float = 2.4  # per 18 s without any event, after the first 12 s
    watch: float = -1.6  # who has stayed 5 min is halfway settled
    likes_30s: float = -0.6  # halfway at 3 likes
    comments_30s: float = -0.7  # halfway at 1
    clicks_30s: float = -0.7  # halfway at 1
    likes_5m: float = -0.3  # halfway at 10
    comments_5m: float = -0.3  # halfway at 2
    clicks_5m: float = -0.4  # halfway at 2
    cart_open: float = -0.3  # something is waiting to be bought
    cart_value: float = -0.3  # halfway at 20,000 minor units
    cart_age: float = 0.9  # halfway at 2 min: the viewer has made up their mind against it
    room: float = 2.0  # per leave, viewer and minute, up to 1


#: The weights until a room has taught better ones.
PRIOR = Weights()

#: The log odds of .1, .2, ... .9.
_TENTHS = tuple(log(tenth / (10 - tenth)) for tenth in range(1, 10))

_NONE = dict.fromkeys(Weights.__struct_fields__, 0.0)
#: With a weight of 1 and nothing else, the logit is that feature.
_UNITS = tuple(Weights(**{**_NONE, name: 1.0}) for name in Weights.__struct_fields__[1:])

#: The features of a viewer who is neither likely to leave nor likely to stay.
NEUTRAL = (0.33, 0.0, 0.29, 0.2, 0.1, 0.1, 0.3, 0.2, 0.3, 0.0, 0.0, 0.0, _USUAL_LEAVE_RATE)

#: The parts of the logit: how many weights belong to each, and the reason codes for when it
#: raises the risk and for when it lowers it.
_PARTS = (
    (1, "idle", "just_acted"),
    (1, "silent", "in_touch"),
    (1, "newcomer", "settled"),
    (6, "few_acts", "lively"),
    (2, "no_cart", "open_cart"),
    (1, "old_cart", "fresh_cart"),
    (1, "room_leaving", "room_staying"),
)


def logit(visit: Visit, room: Room, now: int, weights: Weights) -> float:
    """Return the log odds that this viewer leaves within 60 s of ``now``."""
    return weights.intercept + sum(parts(visit, room, now, weights))


def parts(visit: Visit, room: Room, now: int, weights: Weights) -> tuple[float, ...]:
    """Return what each part adds to the logit.

    Written out plainly: it runs for every viewer every few seconds.
    """
    w = weights
    entered, acted = visit.entered, visit.acted
    # Stream time may be behind an event that came early: nothing has elapsed then.
    watch = now - entered if now > entered else 0
    # Entering is an act: who has just come is not idle.
    idle = now - acted if acted > entered else watch
    if idle > IDLE_CAP_MS:
        idle = IDLE_CAP_MS
    elif idle < 0:
        idle = 0
    silence = now - visit.last - SILENCE_FREE_MS
    if silence < 0:
        silence = 0
    elif silence > SILENCE_CAP_MS:
        silence = SILENCE_CAP_MS
    acts = 0.0
    if visit.likes_5m or visit.clicks_5m or visit.comments_5m:
        acts = _acts(visit, now - visit.rated_at, w)
    basket, cart_age = _cart(visit.cart, now, w) if visit.cart else (0.0, 0.0)
    return (
        w.idle * idle / 60_000,
        w.silence * silence / 18_000,
        w.watch * watch / (watch + 300_000),
        acts,
        basket,
        cart_age,
        w.room * _leave_rate(room, now),
    )


def features(visit: Visit, room: Room, now: int) -> tuple[float, ...]:
    """Return what the logit sums up, one value per weight after the intercept: to learn from."""
    return tuple(logit(visit, room, now, unit) for unit in _UNITS)


def explain(visit: Visit, room: Room, now: int, weights: Weights) -> tuple[Reason, ...]:
    """Return the three strongest reasons, heaviest first.

    A reason's weight is what its part adds to the logit compared with a neutral viewer; below
    zero it speaks for staying.
    """
    found = zip(_PARTS, parts(visit, room, now, weights), _neutral(weights), strict=True)
    reasons = [
        Reason(up if value > usual else down, round(value - usual, 3))
        for (_, up, down), value, usual in found
    ]
    reasons.sort(key=lambda reason: (-abs(reason.weight), reason.code))
    return tuple(reason for reason in reasons[:3] if reason.weight)


@lru_cache(maxsize=16)
def _neutral(weights: Weights) -> tuple[float, ...]:
    """Return the parts of a neutral viewer."""
    _, *slopes = astuple(weights)
    terms = iter([slope * value for slope, value in zip(slopes, NEUTRAL, strict=True)])
    return tuple(sum(islice(terms, count)) for count, _, _ in _PARTS)


def rescore(visit: Visit, room: Room, now: int, policy: Policy, weights: Weights) -> bool:
    """Score the viewer, set the level, and tell whether the level has changed.

    The level rises at ``churn_on``, falls below ``churn_off``, and then stays for
    ``churn_dwell_ms``. ``Visit.risk`` is the probability in tenths. Absent viewers and those of
    the first 10 s are not scored.
    """
    if not visit.present or now - visit.entered < FIRST_SCORE_MS:
        return False
    visit.scored = now
    score = logit(visit, room, now, weights)
    visit.risk = bisect(_TENTHS, score)
    at_risk = score >= _log_odds(policy.churn_off if visit.at_risk else policy.churn_on)
    if at_risk == visit.at_risk or now - visit.risk_since < policy.churn_dwell_ms:
        return False
    visit.at_risk, visit.risk_since = at_risk, now
    return True


def row(
    session_id: str, viewer_id: str, visit: Visit, room: Room, now: int, weights: Weights
) -> ChurnRow:
    """Return the table row of this viewer; ``watch_s`` is the present stay."""
    return ChurnRow(
        session_id=session_id,
        viewer_id=viewer_id,
        ts=now,
        probability=round(_probability(logit(visit, room, now, weights)), 4),
        level="high" if visit.at_risk else "low",
        reasons=explain(visit, room, now, weights),
        cart_value=sum(line.quantity * line.unit_price for line in (visit.cart or {}).values()),
        watch_s=max(now - visit.entered, 0) // 1000,
    )


def _acts(visit: Visit, age_ms: int, w: Weights) -> float:
    fast, slow = (exp(-age_ms / FAST_MS), exp(-age_ms / SLOW_MS)) if age_ms > 0 else (1.0, 1.0)
    total = 0.0
    if visit.likes_5m:
        now, lately = visit.likes_30s * fast, visit.likes_5m * slow
        total += w.likes_30s * now / (now + 3) + w.likes_5m * lately / (lately + 10)
    if visit.comments_5m:
        now, lately = visit.comments_30s * fast, visit.comments_5m * slow
        total += w.comments_30s * now / (now + 1) + w.comments_5m * lately / (lately + 2)
    if visit.clicks_5m:
        now, lately = visit.clicks_30s * fast, visit.clicks_5m * slow
        total += w.clicks_30s * now / (now + 1) + w.clicks_5m * lately / (lately + 2)
    return total


def _cart(cart: dict[str, CartLine], now: int, w: Weights) -> tuple[float, float]:
    value, oldest = 0, now
    for line in cart.values():
        value += line.quantity * line.unit_price
        if line.since < oldest:  # noqa: PLR1730  min() costs more than all the rest here
            oldest = line.since
    age = now - oldest
    basket = w.cart_open + w.cart_value * value / (value + 20_000)
    return basket, w.cart_age * age / (age + 120_000)


def _leave_rate(room: Room, now: int) -> float:
    """Leaves per viewer and minute."""
    leaves, age_ms = room.leaves, now - room.left_at
    if leaves and age_ms > 0:
        leaves *= exp(-age_ms / ROOM_MS)
    rate = (leaves + _USUAL_LEAVE_RATE * _PSEUDO_VIEWERS) / (room.present + _PSEUDO_VIEWERS)
    return rate if rate < 1 else 1.0


@lru_cache(maxsize=16)
def _log_odds(probability: float) -> float:
    if probability <= 0:
        return -inf
    return inf if probability >= 1 else log(probability / (1 - probability))


def _probability(score: float) -> float:
    # The two forms are the same; each is safe from overflow on its side.
    return 1 / (1 + exp(-score)) if score >= 0 else exp(score) / (1 + exp(score))
