"""What to recommend: what goes with the seeds, then what sells, then what the host shows.

Only products on the shelf with stock, and nothing that the viewer has, had or should not see.
"""

from collections.abc import Iterator

from schemas.results import Suggestion
from streams.affinity import similar
from streams.policy import Policy
from streams.propose import Proposal
from streams.session import Session
from streams.state import Visit
from streams.totals import ORDERED, PANE_MS, UNITS


def suggestions(
    session: Session, visit: Visit, proposal: Proposal, now: int, policy: Policy
) -> tuple[Suggestion, ...]:
    """Return up to ``policy.suggestions`` products, best first, without repeats.

    The score says how close a product is to the seeds, or its share of the recent sales; it
    compares products of the same source only.
    """
    banned = _banned(visit, proposal)
    found: dict[str, Suggestion] = {}
    for one in _chain(session, proposal, now, policy):
        product = session.shelf.products.get(one.product_id)
        if product is not None and product.stock > 0 and one.product_id not in banned:
            found.setdefault(one.product_id, one)
            if len(found) == policy.suggestions:
                break
    return tuple(found.values())


def best_sellers(session: Session, now: int, policy: Policy) -> list[tuple[str, float]]:
    """Return (product, share of the units sold) of the last ``best_seller_ms``, best first."""
    newest = now // PANE_MS
    sold: dict[str, int] = {}
    for index in range(newest + 1 - policy.best_seller_ms // PANE_MS, newest + 1):
        pane = session.panes.get(index)
        for product_id, row in pane.products.items() if pane else ():
            if row[UNITS] > 0:
                sold[product_id] = sold.get(product_id, 0) + row[UNITS]
    in_all = sum(sold.values())
    ranked = sorted(sold, key=lambda product_id: (-sold[product_id], product_id))
    return [(product_id, sold[product_id] / in_all) for product_id in ranked]


def _chain(session: Session, proposal: Proposal, now: int, policy: Policy) -> Iterator[Suggestion]:
    """Yield candidates lazily: the next source is asked only when the one before runs dry."""
    for product_id, score, source in similar(session, proposal.seeds, len(session.affinity)):
        yield Suggestion(product_id, round(score, 6), source)
    for product_id, share in best_sellers(session, now, policy):
        yield Suggestion(product_id, round(share, 6), "best_seller")
    if session.shelf.pinned is not None:
        yield Suggestion(session.shelf.pinned, 0.0, "pinned")


def _banned(visit: Visit, proposal: Proposal) -> set[str]:
    """Return what was ordered in this session, is in the cart, or is to be avoided."""
    interests = (visit.interests or {}).items()
    ordered = (product_id for product_id, one in interests if one.seen.ever >> ORDERED & 1)
    return {*proposal.avoid, *(visit.cart or ()), *ordered}
