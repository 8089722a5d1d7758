"""Churn risk: the priors make sense, the level has hysteresis, the reasons add up."""

from itertools import pairwise
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import astuple

from schemas import events as ev
from streams import churn
from streams.policy import Policy
from streams.state import CartLine, Room, Visit
from tests.streams.builders import NOW
from tests.streams.world import World

POLICY = Policy()
ROOM = Room(present=1_000, leaves=100.0, left_at=NOW)


def probability(visit: Visit, room: Room = ROOM, now: int = NOW) -> float:
    """Return the risk of a viewer."""
    return 1 / (1 + exp(-churn.logit(visit, room, now, churn.PRIOR)))


def viewer(*, idle_s: float = 5, silent_s: float = 2, watched_s: float = 120) -> Visit:
    """Return a present viewer who has done nothing but what the arguments say."""
    return Visit(
        present=True,
        entered=NOW - int(watched_s * 1_000),
        acted=NOW - int(idle_s * 1_000),
        last=NOW - int(silent_s * 1_000),
    )


def lively() -> Visit:
    """Return a viewer who is in the middle of it."""
    one = viewer(watched_s=180)
    one.rated_at = NOW
    one.likes_30s, one.likes_5m = 5.0, 20.0
    one.clicks_30s, one.clicks_5m = 0.5, 3.0
    return one


viewers = st.builds(
    Visit,
    present=st.just(True),
    entered=st.integers(NOW - 3_600_000, NOW - 10_000),
    acted=st.integers(NOW - 3_600_000, NOW),
    last=st.integers(NOW - 100_000, NOW),
    rated_at=st.integers(NOW - 600_000, NOW + 5_000),
    likes_30s=st.floats(0, 50),
    likes_5m=st.floats(0, 500),
    comments_30s=st.floats(0, 10),
    comments_5m=st.floats(0, 50),
    clicks_30s=st.floats(0, 10),
    clicks_5m=st.floats(0, 50),
    cart=st.none()
    | st.dictionaries(
        st.sampled_from("abc"),
        st.builds(
            CartLine,
            quantity=st.integers(1, 5),
            unit_price=st.integers(0, 100_000),
            since=st.integers(NOW - 600_000, NOW + 5_000),
            cause_id=st.just("e"),
        ),
        min_size=1,
    ),
)
rooms = st.builds(
    Room,
    present=st.integers(0, 100_000),
    leaves=st.floats(0, 10_000),
    left_at=st.integers(NOW - 600_000, NOW + 5_000),
)


@pytest.mark.parametrize(
    ("one", "low", "high"),
    [
        (lively(), 0.02, 0.05),
        (viewer(idle_s=60), 0.30, 0.50),
        (viewer(idle_s=30, silent_s=30), 0.70, 0.80),
        (viewer(idle_s=1_700, watched_s=1_800), 0.30, 0.50),
    ],
    ids=["lively", "idle for a minute", "silent for 30 s", "only looks, for half an hour"],
)
def test_the_priors_make_sense(one: Visit, low: float, high: float) -> None:
    """Well known kinds of viewers have the risk that one would expect."""
    assert low < probability(one) < high


@given(viewers, rooms, st.integers(0, 600_000))
def test_longer_idle_is_never_safer(one: Visit, room: Room, longer_ms: int) -> None:
    """With all else equal, the risk does not fall when the last act is longer ago."""
    before = churn.logit(one, room, NOW, churn.PRIOR)
    one.acted -= longer_ms
    assert churn.logit(one, room, NOW, churn.PRIOR) >= before


@given(viewers, rooms, st.integers(0, 100_000))
def test_longer_silence_is_never_safer(one: Visit, room: Room, longer_ms: int) -> None:
    """With all else equal, the risk does not fall when the last event is longer ago."""
    before = churn.logit(one, room, NOW, churn.PRIOR)
    one.last -= longer_ms
    assert churn.logit(one, room, NOW, churn.PRIOR) >= before


@given(viewers, rooms)
def test_the_logit_is_the_weighted_sum_of_the_features(one: Visit, room: Room) -> None:
    """Whoever learns the weights from the features learns those of the logit."""
    intercept, *weights = astuple(churn.PRIOR)
    parts = zip(weights, churn.features(one, room, NOW), strict=True)
    expected = intercept + sum(weight * value for weight, value in parts)
    assert churn.logit(one, room, NOW, churn.PRIOR) == pytest.approx(expected)


@given(viewers, rooms)
def test_the_features_stay_small_and_the_visit_unchanged(one: Visit, room: Room) -> None:
    """No state leads to a feature that drowns the others, and scoring only reads."""
    before = to_builtins(one)
    assert all(0 <= value <= 3 for value in churn.features(one, room, NOW))
    assert to_builtins(one) == before


def test_an_old_cart_raises_and_a_fresh_cart_lowers_the_risk() -> None:
    """An open cart binds a viewer at first and means hesitation later."""
    empty, fresh, old = viewer(), viewer(), viewer()
    fresh.cart = {"a": CartLine(1, 1_000, NOW - 5_000, "e")}
    old.cart = {"a": CartLine(1, 1_000, NOW - 300_000, "e")}
    assert probability(fresh) < probability(empty) < probability(old)


def test_a_room_that_empties_raises_the_risk_until_it_calms_down() -> None:
    """Others' leaving counts, and counts less as it gets older."""
    leaving = Room(present=1_000, leaves=500.0, left_at=NOW)
    later = Room(present=1_000, leaves=500.0, left_at=NOW - 120_000)
    assert probability(viewer(), leaving) > probability(viewer(), later)


def test_one_leave_says_little_about_a_room_of_two() -> None:
    """The rate of a tiny room is shrunk towards the usual rate."""
    tiny = Room(present=2, leaves=1.0, left_at=NOW)
    assert churn.features(viewer(), tiny, NOW)[-1] == pytest.approx(3 / 22)


def test_acts_fade() -> None:
    """The counts are decayed to now: the same acts five minutes later say less."""
    one = lively()
    fresh = churn.features(one, ROOM, NOW)
    one.rated_at -= 300_000
    faded = churn.features(one, ROOM, NOW)
    assert 0 < faded[6] < fresh[6]
    assert faded[3] == pytest.approx(5 * exp(-10) / (5 * exp(-10) + 3))


def test_what_came_early_counts_as_now() -> None:
    """An event ahead of stream time makes nobody livelier than one at this moment."""
    now, ahead = lively(), lively()
    now.acted = now.last = NOW
    ahead.acted = ahead.last = ahead.rated_at = NOW + 5_000
    room = Room(present=1_000, leaves=100.0, left_at=NOW + 5_000)
    assert churn.features(ahead, room, NOW) == churn.features(now, ROOM, NOW)


def test_who_has_just_come_is_not_scored() -> None:
    """In the first 10 s a leave would be a bounce."""
    one = viewer(watched_s=9.999, idle_s=9.999, silent_s=9.999)
    assert not churn.rescore(one, ROOM, NOW, POLICY, churn.PRIOR)
    assert one.scored == 0


def test_who_has_left_is_not_scored() -> None:
    """The risk of an absent viewer is not a risk."""
    one = viewer(idle_s=90, silent_s=50)
    one.present = False
    assert not churn.rescore(one, ROOM, NOW, POLICY, churn.PRIOR)
    assert not one.at_risk


def test_the_level_rises_at_the_upper_and_falls_at_the_lower_threshold() -> None:
    """Between the thresholds the level stays what it is."""
    one = viewer(idle_s=70)  # about 51 %: between .45 and .60
    assert 0.45 < probability(one) < 0.60
    assert not churn.rescore(one, ROOM, NOW, POLICY, churn.PRIOR)
    one.at_risk = True
    assert not churn.rescore(one, ROOM, NOW, POLICY, churn.PRIOR)
    one.acted = NOW
    assert churn.rescore(one, ROOM, NOW, POLICY, churn.PRIOR)
    assert (one.at_risk, one.risk_since, one.scored) == (False, NOW, NOW)


def test_the_level_stays_for_the_dwell() -> None:
    """A viewer who acts right after falling into risk is not safe before 10 s have passed."""
    one = viewer(idle_s=90, silent_s=50)
    assert churn.rescore(one, ROOM, NOW, POLICY, churn.PRIOR)
    one.acted = one.last = NOW + 9_999
    assert not churn.rescore(one, ROOM, NOW + 9_999, POLICY, churn.PRIOR)
    assert churn.rescore(one, ROOM, NOW + 10_000, POLICY, churn.PRIOR)
    assert not one.at_risk


elapsed = st.sampled_from([0, 1_000, 5_000, 9_999, 10_000, 30_000, 60_000])


@given(st.lists(st.tuples(elapsed, st.sampled_from(["act", "beat", "none"])), max_size=30))
def test_the_level_never_flips_within_the_dwell(course: list[tuple[int, str]]) -> None:
    """Whatever a viewer does, changes of the level are 10 s apart and are told."""
    one = Visit(present=True, entered=NOW, acted=NOW, last=NOW)
    now, changes = NOW, []
    for elapsed_ms, what in course:
        now += elapsed_ms
        if what != "none":
            one.last = now
        if what == "act":
            one.acted = now
        before = one.at_risk
        changed = churn.rescore(one, ROOM, now, POLICY, churn.PRIOR)
        assert changed == (one.at_risk != before)
        changes += [now] * changed
    gaps = [later - earlier for earlier, later in pairwise(changes)]
    assert all(gap >= POLICY.churn_dwell_ms for gap in gaps)


def test_extreme_thresholds_are_never_and_always() -> None:
    """A threshold of 1 turns the level off for good, one of 0 turns it on."""
    one = viewer(idle_s=90, silent_s=59)
    assert not churn.rescore(one, ROOM, NOW, Policy(churn_on=1.0), churn.PRIOR)
    assert churn.rescore(lively(), ROOM, NOW, Policy(churn_on=0.0), churn.PRIOR)


def test_the_reasons_are_the_three_strongest_contributions() -> None:
    """A silent viewer is told as silent first, with what that adds to the logit."""
    reasons = churn.explain(viewer(idle_s=60, silent_s=30), ROOM, NOW, churn.PRIOR)
    assert [reason.code for reason in reasons] == ["silent", "idle", "few_acts"]
    assert reasons[0].weight == pytest.approx(2.4)


def test_what_speaks_for_staying_is_negative() -> None:
    """A lively viewer's reasons say why not to worry."""
    reasons = churn.explain(lively(), ROOM, NOW, churn.PRIOR)
    assert [reason.code for reason in reasons[:2]] == ["lively", "just_acted"]
    assert all(reason.weight < 0 for reason in reasons[:2])


def test_the_row_says_what_was_scored() -> None:
    """The published row has the probability, the level, the cart and the stay."""
    one = viewer(idle_s=60, watched_s=125)
    one.cart = {"a": CartLine(2, 1_500, NOW, "e"), "b": CartLine(1, 700, NOW, "f")}
    one.at_risk = True
    row = churn.row("s1", "v1", one, ROOM, NOW, churn.PRIOR)
    assert row.probability == pytest.approx(probability(one), abs=1e-4)
    assert (row.level, row.cart_value, row.watch_s, row.ts) == ("high", 3_700, 125, NOW)
    assert len(row.reasons) == 3


def test_views_follow_the_risk_of_who_stays_at_risk() -> None:
    """The level is told once; what a host reads minutes later is the risk of now."""
    world = World()
    for second in (*range(0, 60, 5), *range(92, 400, 5)):
        world.says(ev.Heartbeat, second)
    levels, shown = world.results.churn, world.results.risks
    assert [row.level for row in levels] == ["high"]
    assert set(levels) <= set(shown)
    assert [row.ts for row in shown] == sorted(row.ts for row in shown)
    visit = world.state.sessions["s1"].visits["v1"]
    assert visit.at_risk
    assert int(shown[-1].probability * 10) == visit.risk < int(levels[0].probability * 10)
