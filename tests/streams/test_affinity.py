"""Affinity: pairs of people, shrunk cosine, a bounded memory."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from streams import affinity
from streams.affinity import CART, CLICK, ORDER
from streams.session import Session
from streams.state import Visit
from streams.totals import CLICKED
from tests.streams.builders import did


def walk(session: Session, visit: Visit, *products: str, kind: int = CLICK) -> None:
    """Let a viewer do a step with the products, one after the other, as the pipeline does."""
    for product_id in products:
        affinity.learn(session, visit, product_id, kind)
        did(visit, product_id, CLICKED + kind)


def test_products_of_one_viewer_are_paired_both_ways() -> None:
    """A click on b after a click on a counts for a and for b."""
    session = Session("s1")
    walk(session, Visit(), "a", "b")
    assert session.affinity["a"].together == {"b": [1, 0, 0]}
    assert session.affinity["b"].together == {"a": [1, 0, 0]}
    assert session.affinity["a"].people == [1, 0, 0]
    assert session.changed_affinity == {"a", "b"}


def test_steps_of_different_kinds_are_not_paired() -> None:
    """A cart is paired with carts, not with what was only clicked."""
    session, visit = Session("s1"), Visit()
    walk(session, visit, "a", kind=CLICK)
    walk(session, visit, "b", kind=CART)
    assert session.affinity["b"].together == {}


def test_only_the_newest_eight_products_are_paired() -> None:
    """A viewer who opens everything does not tie everything to everything."""
    session = Session("s1")
    products = [f"p{i}" for i in range(10)]
    walk(session, Visit(), *products)
    assert sorted(session.affinity["p9"].together) == products[1:9]


def test_what_many_did_together_is_closer_than_what_one_did() -> None:
    """A pair that one viewer made is not believed, even if its plain cosine is higher."""
    session = Session("s1")
    for _ in range(5):
        walk(session, Visit(), "a", "often")
        walk(session, Visit(), "a")
    for _ in range(25):
        walk(session, Visit(), "often")
    walk(session, Visit(), "a", "once")
    assert [one[0] for one in affinity.similar(session, ["a"], 5)] == ["often", "once"]


def test_an_order_says_more_than_a_cart_and_a_cart_more_than_a_click() -> None:
    """With equal counts the kinds are ranked, and each is named as the source."""
    session = Session("s1")
    walk(session, Visit(), "a", "clicked", kind=CLICK)
    walk(session, Visit(), "a", "carted", kind=CART)
    walk(session, Visit(), "a", "ordered", kind=ORDER)
    found = [(product_id, source) for product_id, _, source in affinity.similar(session, ["a"], 5)]
    assert found == [("ordered", "co_order"), ("carted", "co_cart"), ("clicked", "co_click")]


def test_later_seeds_weigh_more() -> None:
    """What goes with the newest product comes first."""
    session = Session("s1")
    walk(session, Visit(), "old", "a-with-old")
    walk(session, Visit(), "new", "b-with-new")
    found = affinity.similar(session, ["old", "new"], 5)
    assert [one[0] for one in found] == ["b-with-new", "a-with-old"]


def test_seeds_are_not_similar_to_themselves_and_ties_go_by_id() -> None:
    """Seeds are left out; equal scores are ordered by product id, up to the limit."""
    session = Session("s1")
    for other in ("c", "b", "d"):
        walk(session, Visit(), "a", other)
    assert [one[0] for one in affinity.similar(session, ["a"], 2)] == ["b", "c"]
    assert "b" not in [one[0] for one in affinity.similar(session, ["a", "b"], 5)]


def test_unknown_seeds_have_nothing_similar() -> None:
    """A product that nobody touched has no company."""
    assert affinity.similar(Session("s1"), ["a"], 5) == []


def test_invented_products_do_not_fill_the_memory() -> None:
    """A session learns a bounded number of products; the known ones keep learning."""
    session = Session("s1")
    walk(session, Visit(), *(f"p{i:03}" for i in range(affinity.MOST_PRODUCTS + 5)))
    assert len(session.affinity) == affinity.MOST_PRODUCTS
    walk(session, Visit(), "p000")
    assert session.affinity["p000"].people == [2, 0, 0]


@given(st.lists(st.lists(st.sampled_from("abcdef"), unique=True, max_size=6), max_size=12))
def test_counts_are_those_of_the_viewers(walks: list[list[str]]) -> None:
    """Whatever viewers click in whatever order, pairs count the viewers who clicked both."""
    session = Session("s1")
    for products in walks:
        walk(session, Visit(), *products)
    for a, b in combinations("abcdef", 2):
        both = sum(a in products and b in products for products in walks)
        if both:
            assert session.affinity[a].together[b] == [both, 0, 0]
            assert session.affinity[b].together[a] == [both, 0, 0]
            assert both <= min(session.affinity[a].people[0], session.affinity[b].people[0])
