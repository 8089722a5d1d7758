"""The whole simulation: opens the sessions, lets the crowd in, hands on what arrives."""

import math
from collections.abc import Iterator

from agents.recording import Record
from agents.simulator.catalogue import products
from agents.simulator.crowd import Crowd
from agents.simulator.delivery import Delivery, Parcel
from agents.simulator.host import close, host
from agents.simulator.scenario import Character, Scenario, Tally
from agents.simulator.session import Session
from agents.simulator.stage import Dice, Process, Stage, salted_ids
from agents.simulator.visit import arrive
from schemas.events import RoomShown

__all__ = ["Scenario", "Tally", "simulate"]

#: How unequal the sessions are: the exponent of the Zipf law of their popularity.
POPULARITY_EXPONENT = 1.1
TITLES = ("晚间好物 Evening finds", "源头工厂 Straight from the factory", "Friday haul",
          "新品首发 First look", "清仓专场 Clearance", "美妆课堂 Beauty class")  # fmt: skip
DOOR_MS = 50
#: An arrival tells about so many events at once: cards shown in vain, its own, the entry, a look.
EVENTS_PER_ARRIVAL = 3.3
CARDS_IN_VAIN = 1.0
#: The door makes up for missing events within about so many seconds; shorter makes the rate swing.
DOOR_HORIZON_S = 1.0
#: About so many pieces sell in five minutes for each event per second.
SALES_PER_RATE = 0.8


def simulate(scenario: Scenario, *, tally: Tally | None = None) -> Iterator[Record]:
    """Yield records in order of arrival, the same for the same scenario; ``tally`` counts them.

    What is still on its way when the world stops is never sent and not counted.
    """
    tally = Tally() if tally is None else tally
    for record, fate, name in _parcels(scenario):
        tally.count(fate, name)
        yield record


def _parcels(scenario: Scenario) -> Iterator[Parcel]:
    """Open the sessions and the door, run everybody's turns, deliver what they tell."""
    dice = Dice(scenario.seed)
    stage = _stage(scenario, dice)
    delivery = Delivery(scenario, dice=dice, event_ids=stage.event_ids)
    sessions = _sessions(scenario, dice)
    for session in sessions:
        stage.start(host(stage, session))
    stage.start(_door(stage, scenario, sessions))
    most = math.inf if scenario.events is None else scenario.events
    while delivery.sent < most and stage.next_ms() < scenario.closes_ms:
        stage.step()
        yield from delivery.carry(stage.take_told())
    if scenario.ends:
        for session in sessions:
            close(stage, session)
        yield from delivery.carry(stage.take_told())


def _stage(scenario: Scenario, dice: Dice) -> Stage:
    # Viewers and products are the same whenever the seed is; what happens is new every time.
    salt = (scenario.seed, scenario.start_ms)
    return Stage(
        dice=dice, opens_ms=scenario.opens_ms, event_ids=salted_ids("e", *salt),
        order_ids=salted_ids("o", *salt), offer_ids=salted_ids("c", *salt),
    )  # fmt: skip


def _sessions(scenario: Scenario, dice: Dice) -> list[Session]:
    session_ids = salted_ids("s", scenario.seed, scenario.start_ms)
    product_ids = salted_ids("p", scenario.seed)
    weights = [(n + 1) ** -POPULARITY_EXPONENT for n in range(scenario.sessions)]
    made = []
    for number, weight in enumerate(weights):
        currency = "USD" if number % 4 == 3 else "CNY"  # noqa: PLR2004 - every fourth session
        sales = SALES_PER_RATE * scenario.rate * weight / sum(weights)
        shelf = products(dice, product_ids, count=scenario.products, currency=currency, sales=sales)
        session_id = next(session_ids)
        made.append(
            Session(
                number=number,
                session_id=session_id,
                key=session_id.encode(),
                currency=currency,
                title=TITLES[number % len(TITLES)],
                announced=number < scenario.sessions - _unannounced(scenario),
                backstage=shelf,
                sales=sales,
                character=_character(scenario, number),
            )
        )
    return made


def _character(scenario: Scenario, number: int) -> Character | None:
    return scenario.characters[number % len(scenario.characters)] if scenario.characters else None


def _unannounced(scenario: Scenario) -> int:
    """How many sessions nobody announces: the least popular ones."""
    share = scenario.unannounced_share
    return max(1, round(share * scenario.sessions)) if share else 0


def _door(stage: Stage, scenario: Scenario, sessions: list[Session]) -> Process:
    """Lets viewers in, so many that all present together tell ``rate`` events a second.

    The opening rush comes by itself: an empty room tells nothing, so the door is wide open.
    """
    dice, opened_ms = stage.dice, stage.now_ms
    crowd = Crowd(dice, size=scenario.viewers, sessions=scenario.sessions, seed=scenario.seed)
    per_tick = DOOR_MS / 1_000 / DOOR_HORIZON_S / EVENTS_PER_ARRIVAL
    while True:
        yield DOOR_MS
        missing = scenario.rate * (stage.now_ms - opened_ms) / 1_000 - stage.told
        for _ in range(dice.poisson(max(0.0, missing * per_tick))):
            session = sessions[dice.zipf(len(sessions), POPULARITY_EXPONENT)]
            _let_in(stage, crowd, session)


def _let_in(stage: Stage, crowd: Crowd, session: Session) -> None:
    """Show the room's card to a few people; one of them comes in."""
    for _ in range(stage.dice.poisson(CARDS_IN_VAIN)):
        other = crowd.somebody()
        stage.tell(RoomShown, session.session_id, other.key, viewer_id=other.viewer_id)
    viewer = crowd.somebody_free()
    if viewer is not None:
        viewer.watching = True
        stage.start(arrive(stage, session, viewer), after_ms=stage.dice.randrange(DOOR_MS))
