"""What goes with what in this session: item-item similarity, learned as the events stream.

Two products are close when the same viewers clicked, carted or ordered both. Counts are of
people, so one eager viewer weighs no more than another.
"""

from collections.abc import Sequence
from heapq import nsmallest
from itertools import islice
from math import sqrt
from typing import Literal

from streams.session import Session
from streams.state import Affinity, Visit
from streams.totals import CLICKED

Source = Literal["co_click", "co_cart", "co_order"]
SOURCES: tuple[Source, ...] = ("co_click", "co_cart", "co_order")  # by kind
CLICK, CART, ORDER = range(3)

#: An order says more than a cart, a cart more than a click.
KIND_WEIGHTS = (1.0, 2.0, 3.0)
#: Pulls pairs that few people made towards zero: a pair needs company to be believed.
SHRINK = 5.0
#: A viewer's first step is paired with at most so many earlier products, the newest ones.
EARLIER = 8
#: A session learns at most so many products, so that invented ids cannot fill the memory.
MOST_PRODUCTS = 500


def learn(session: Session, visit: Visit, product_id: str, kind: int) -> None:
    """Pair a product with those that the viewer has already clicked, carted or ordered.

    Call it at the viewer's first such step with the product, before the visit notes it.
    """
    mine = session.affinity.get(product_id)
    if mine is None:
        if len(session.affinity) >= MOST_PRODUCTS:
            return
        mine = session.affinity[product_id] = Affinity()
    mine.people[kind] += 1
    session.changed_affinity.add(product_id)
    for other_id in _earlier(visit, product_id, kind):
        other = session.affinity.get(other_id)
        if other is not None:
            _join(mine, other_id, kind)
            _join(other, product_id, kind)
            session.changed_affinity.add(other_id)


def similar(session: Session, seeds: Sequence[str], limit: int) -> list[tuple[str, float, Source]]:
    """Return the products closest to the seeds, best first: (product, score, source).

    Later seeds weigh more. The source is the kind of step that says most of the score.
    """
    scores: dict[str, list[float]] = {}
    for position, seed in enumerate(seeds, start=1):
        affinity = session.affinity.get(seed)
        if affinity is not None:
            _add_scores(session, affinity, position / len(seeds), scores)
    for seed in seeds:
        scores.pop(seed, None)
    found = [
        (product_id, sum(parts), SOURCES[parts.index(max(parts))])
        for product_id, parts in scores.items()
    ]
    return nsmallest(limit, found, key=lambda one: (-one[1], one[0]))


def _earlier(visit: Visit, product_id: str, kind: int) -> list[str]:
    step = CLICKED + kind
    interests = visit.interests or {}
    done = (
        other_id
        for other_id, interest in reversed(interests.items())
        if interest.seen.ever >> step & 1 and other_id != product_id
    )
    return list(islice(done, EARLIER))


def _join(affinity: Affinity, other_id: str, kind: int) -> None:
    counts = affinity.together.get(other_id)
    if counts is None:
        counts = affinity.together[other_id] = [0, 0, 0]
    counts[kind] += 1


def _add_scores(
    session: Session, seed: Affinity, weight: float, scores: dict[str, list[float]]
) -> None:
    """Add the seed's shrunk cosine with each of its company, kind by kind."""
    for other_id, counts in seed.together.items():
        people = session.affinity[other_id].people
        parts = scores.get(other_id)
        if parts is None:
            parts = scores[other_id] = [0.0, 0.0, 0.0]
        for kind in (CLICK, CART, ORDER):
            if both := counts[kind]:
                company = sqrt(seed.people[kind] * people[kind]) + SHRINK
                parts[kind] += weight * KIND_WEIGHTS[kind] * both / company
