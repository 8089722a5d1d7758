"""The simulated world: repeatable, in order, valid, counted, broken on purpose, believable."""

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Union

import msgspec
import pytest
import typer
from aiokafka.partitioner import murmur2
from confluent_kafka import Consumer, Producer, TopicPartition
from typer.testing import CliRunner

from agents.commands.simulate import MOST_HISTORY_S
from agents.commands.simulate import simulate as simulate_command
from agents.engine.decoders import decoders
from agents.recording import Record, read
from agents.settings import load
from agents.simulator.bad import FAULTS, OFF_MS, Fault, Origin
from agents.simulator.scenario import viewers_needed
from agents.simulator.sending import SendingError, send
from agents.simulator.world import Scenario, Tally, simulate
from schemas.codec import Rejection
from schemas.events import EVENT_TYPES, TOPICS, CartAdded, Event, OrderPlaced, ViewerEvent
from streams.admission import admit
from streams.policy import Policy
from streams.records import Record as Stamped

START_MS = 1_760_000_000_000
DECODE = msgspec.json.Decoder(Union[EVENT_TYPES]).decode  # noqa: UP007 - a union made from a tuple
TIMES_OFF = {"future_time": OFF_MS, "old_time": -OFF_MS}


class World:
    """A world that was run once: its records, its tally, and the records by what they are."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.tally = Tally()
        self.records = list(simulate(scenario, tally=self.tally))
        self.good: list[tuple[Record, Event]] = []
        self.copies: list[tuple[Record, Record]] = []
        self.broken: list[Record] = []
        self._sort()

    def _sort(self) -> None:
        first: dict[str, Record] = {}
        for record in self.records:
            event = usable(record)
            if event is None:
                self.broken.append(record)
            elif event.id in first:
                self.copies.append((first[event.id], record))
            else:
                first[event.id] = record
                self.good.append((record, event))

    def viewers(self, *names: str) -> set[str]:
        """Who told an event of one of these types."""
        return {
            event.viewer_id
            for _, event in self.good
            if isinstance(event, ViewerEvent) and type(event).__name__ in names
        }


def usable(record: Record) -> Event | None:
    """Decode a record as the worker must see it: None when it is broken or out of time."""
    try:
        event: Event = DECODE(record.value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    in_time = -24 * 3_600_000 <= event.ts - record.timestamp <= 30_000
    return event if in_time else None


@pytest.fixture(scope="module")
def world() -> World:
    """Run five minutes of a small world with the default shares of faults."""
    return World(Scenario(start_ms=START_MS, seed=7, rate=200, duration_s=300, viewers=4_000))


def test_same_scenario_same_bytes() -> None:
    """Two runs of one scenario are identical, byte by byte."""
    scenario = Scenario(start_ms=START_MS, seed=3, events=5_000, warm_up_s=5)
    assert list(simulate(scenario)) == list(simulate(scenario))


def test_another_seed_is_another_world() -> None:
    """Worlds of different seeds have no event, viewer or session id in common."""
    ids = [
        {event.id for _, event in w.good}
        | w.viewers("Heartbeat")
        | {e.session_id for _, e in w.good}
        for w in (World(Scenario(start_ms=START_MS, seed=s, events=5_000)) for s in (1, 2))
    ]
    assert not ids[0] & ids[1]


def test_another_start_has_the_same_people_and_new_events() -> None:
    """A later broadcast of the same seed meets the same viewers; its events are new."""
    early, late = (World(Scenario(start_ms=ms, events=4_000)) for ms in (START_MS, START_MS + 1))
    assert early.viewers("ViewerEntered") & late.viewers("ViewerEntered")
    assert not {e.id for _, e in early.good} & {e.id for _, e in late.good}


def test_arrival_never_goes_back(world: World) -> None:
    """Arrival timestamps never decrease, although some events come late."""
    stamps = [record.timestamp for record in world.records]
    assert all(a <= b for a, b in pairwise(stamps))
    assert stamps[0] == START_MS


def test_key_and_topic_follow_the_contract(world: World) -> None:
    """Viewers' events are keyed by viewer, the host's by session, each on its type's topic."""
    for record, event in world.good:
        owner = event.viewer_id if isinstance(event, ViewerEvent) else event.session_id
        assert record.key == owner.encode()
        assert type(event) in TOPICS[record.topic]


def test_topics_can_be_renamed() -> None:
    """A type goes to the topic that the scenario names for it."""
    names = dict.fromkeys((kind.__name__ for kind in EVENT_TYPES), "everything")
    records = simulate(Scenario(start_ms=START_MS, events=2_000, topics=names))
    assert {record.topic for record in records} == {"everything"}


def test_tally_is_what_was_sent(world: World) -> None:
    """The tally counts good events by type, late ones, copies and broken records exactly."""
    tally = world.tally
    assert tally.sent == Counter(type(event).__name__ for _, event in world.good)
    assert tally.duplicates == len(world.copies) > 0
    assert sum(tally.bad.values()) == len(world.broken)
    assert tally.records == len(world.records)
    assert tally.late == sum(record.timestamp != event.ts for record, event in world.good)


def test_late_events_are_3_to_20_seconds_late(world: World) -> None:
    """About 1 % of the viewers' events arrive 3 to 20 s after they happened."""
    delays = [r.timestamp - e.ts for r, e in world.good if r.timestamp != e.ts]
    assert 3_000 <= min(delays) < max(delays) <= 20_000
    assert len(delays) / len(world.good) == pytest.approx(0.01, rel=0.2)


def test_copies_are_the_same_bytes_soon_after(world: World) -> None:
    """About 0.5 % come again within 5 s: same topic, key and bytes."""
    for first, copy in world.copies:
        assert (first.topic, first.key, first.value) == (copy.topic, copy.key, copy.value)
        assert 0 <= copy.timestamp - first.timestamp <= 5_000
    assert len(world.copies) / len(world.good) == pytest.approx(0.005, rel=0.25)


def test_every_kind_of_fault_comes_early() -> None:
    """All ten kinds are there after 2,000 events, and 0.1 % of 20,000 are broken."""
    early, later = (World(Scenario(start_ms=START_MS, events=n)) for n in (2_000, 20_000))
    assert early.tally.bad == {fault.name: 1 for fault in FAULTS}
    assert len(early.broken) == len(FAULTS)
    assert len(later.broken) == pytest.approx(20, abs=1)


def test_broken_records_share_nothing_with_good_ones(world: World) -> None:
    """No good event has the id of a broken one, and no broken one comes twice."""
    values = [record.value for record in world.broken if record.value is not None]
    assert len(values) == len(set(values))
    broken_ids = {value.split(b'"id":"')[1].split(b'"')[0].decode() for value in values}
    assert not broken_ids & {event.id for _, event in world.good}


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=[fault.name for fault in FAULTS])
def test_each_fault_breaks_what_it_says(world: World, number: int) -> None:
    """Records of the kinds of time decode but are out of time; null is null; others fail."""
    fault = FAULTS[number]
    for record in world.broken[number :: len(FAULTS)]:
        assert record.topic == world.scenario.topics[fault.type_name]
        if fault.name in TIMES_OFF:
            assert record.value is not None
            assert DECODE(record.value).ts - record.timestamp == TIMES_OFF[fault.name]
        elif fault.name == "null_value":
            assert record.value is None
        else:
            with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
                DECODE(record.value or b"null")


@pytest.mark.parametrize("age_s", [0, MOST_HISTORY_S])
@pytest.mark.parametrize("fault", [one for one in FAULTS if one.name in TIMES_OFF])
def test_faults_of_time_are_out_of_time_in_history_too(fault: Fault, age_s: int) -> None:
    """However old the history is that is sent at once, the worker refuses them."""
    value = fault.make(Origin("e1", START_MS - age_s * 1_000, "s1", "v1"))
    assert usable(Record("live.visits", b"v1", value, START_MS)) is None


def test_no_faults_when_none_are_wanted() -> None:
    """With all shares at 0 every record is a good event, on time, once."""
    scenario = Scenario(
        start_ms=START_MS, events=10_000, late_share=0, duplicate_share=0, bad_share=0
    )
    clean = World(scenario)
    assert len(clean.good) == len(clean.records) >= 10_000
    assert clean.tally.late == 0


def test_funnel_narrows(world: World) -> None:
    """Fewer people at each step: entered, clicked, carted, ordered, paid; and some refunds."""
    steps = ["ViewerEntered", "ProductClicked", "CartAdded", "OrderPlaced", "OrderPaid"]
    counts = [len(world.viewers(step)) for step in steps]
    assert all(a > b > 0 for a, b in pairwise(counts)), counts
    assert 0 < world.tally.sent["OrderRefunded"] < world.tally.sent["OrderPaid"] * 0.2


def test_rate_holds_from_the_first_seconds(world: World) -> None:
    """Every 10 s of event time after the opening have about ten times the rate of events."""
    per_10_s = Counter((event.ts - START_MS) // 10_000 for _, event in world.good)
    assert sum(per_10_s.values()) / 300 == pytest.approx(200, rel=0.03)
    assert all(1_400 < per_10_s[n] < 2_700 for n in range(29)), per_10_s


def test_heartbeats_are_ten_seconds_apart_and_most_of_the_traffic(world: World) -> None:
    """A viewer's player reports about every 10 s, more often than anything else happens."""
    beats = defaultdict(list)
    for _, event in world.good:
        if isinstance(event, ViewerEvent) and type(event).__name__ == "Heartbeat":
            beats[event.viewer_id].append(event.ts)
    gaps = [b - a for times in beats.values() for a, b in pairwise(sorted(times)) if b - a < 15_000]
    assert mean(gaps) == pytest.approx(10_000, rel=0.01)
    assert Counter(world.tally.sent).most_common(1)[0][0] == "Heartbeat"


def test_some_leave_silently(world: World) -> None:
    """A few per cent of those who fell silent for a minute never said that they left."""
    last: dict[str, Event] = {}
    for _, event in world.good:
        if isinstance(event, ViewerEvent) and type(event).__name__ in {"Heartbeat", "ViewerLeft"}:
            last[event.viewer_id] = max(event, last.get(event.viewer_id, event), key=lambda e: e.ts)
    gone = [event for event in last.values() if event.ts < START_MS + 240_000]
    silent = sum(type(event).__name__ == "Heartbeat" for event in gone)
    assert 0.01 < silent / len(gone) < 0.07


def test_sessions_and_viewers_are_unequal(world: World) -> None:
    """The first session has several times the visits of the last; a few viewers come often."""
    entries = [e for _, e in world.good if type(e).__name__ == "ViewerEntered"]
    sessions = [n for _, n in Counter(e.session_id for e in entries).most_common()]
    assert len(sessions) == 8
    assert sessions[0] > 4 * sessions[-1]
    visits = Counter(e.viewer_id for e in entries if isinstance(e, ViewerEvent))
    assert max(visits.values()) >= 4


def test_many_carts_wait_longer_than_30_seconds(world: World) -> None:
    """Enough carts are older than 30 s without an order for coupons to make sense."""
    carted: dict[tuple[str, str], int] = {}
    ordered: dict[tuple[str, str], int] = {}
    for _, event in world.good:
        if isinstance(event, CartAdded):
            carted.setdefault((event.session_id, event.viewer_id), event.ts)
        if isinstance(event, OrderPlaced):
            ordered.setdefault((event.session_id, event.viewer_id), event.ts)
    waiting = [at for who, at in carted.items() if ordered.get(who, at + 30_001) - at > 30_000]
    assert len(carted) > 100
    assert 0.3 < len(waiting) / len(carted) < 0.9


def test_host_runs_a_show(world: World) -> None:
    """Sessions are announced first, list products and offers, pin, and report their stock."""
    first: dict[str, str] = {}
    for _, event in world.good:
        first.setdefault(event.session_id, type(event).__name__)
    assert set(first.values()) == {"SessionStarted"}
    sent = world.tally.sent
    assert sent["SessionStarted"] == 8
    assert sent["ProductListed"] >= 8 * 12
    assert 16 <= sent["OfferListed"] <= 24
    assert sent["ProductPinned"] - sent["ProductUnpinned"] == 8
    assert sent["StockChanged"] > 0
    assert "SessionEnded" not in sent


def test_stock_can_run_out(world: World) -> None:
    """At least one product sells to zero."""
    assert any(
        getattr(e, "stock", 1) == 0 for _, e in world.good if type(e).__name__ == "StockChanged"
    )


def test_ends_when_told_to() -> None:
    """With ``ends`` the last records close every announced session."""
    scenario = Scenario(
        start_ms=START_MS, events=3_000, sessions=5, ends=True, unannounced_share=0.2
    )
    ending = World(scenario)
    assert ending.tally.sent["SessionStarted"] == ending.tally.sent["SessionEnded"] == 4
    assert {type(event).__name__ for _, event in ending.good[-4:]} == {"SessionEnded"}


def test_warm_up_is_history_that_arrives_at_once() -> None:
    """The warm-up's events happened before the start and all arrive at the start, first."""
    warm = World(Scenario(start_ms=START_MS, rate=300, duration_s=5, warm_up_s=60))
    history = [record for record, event in warm.good if event.ts < START_MS - 20_000]
    assert len(history) == pytest.approx(300 * 40, rel=0.1)
    assert {record.timestamp for record in history} == {START_MS}
    assert warm.good[0][1].ts == START_MS - 60_000
    assert max(event.ts for _, event in warm.good) >= START_MS + 4_000
    assert all(a.timestamp <= b.timestamp for a, b in pairwise(warm.records))


def test_history_lets_carts_grow_old() -> None:
    """After a warm-up of a minute, carts older than 30 s are there when the show starts."""
    warm = World(Scenario(start_ms=START_MS, rate=500, duration_s=1, warm_up_s=60))
    old = [e for _, e in warm.good if isinstance(e, CartAdded) and e.ts < START_MS - 30_000]
    assert len(old) > 10


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rate", 0),
        ("rate", float("inf")),
        ("duration_s", -1),
        ("events", 0),
        ("sessions", 0),
        ("products", 0),
        ("bad_share", 1.5),
        ("late_share", -0.1),
        ("viewers", viewers_needed(1_000) - 1),
        ("topics", {"Heartbeat": "t"}),
    ],
)
def test_scenario_names_the_wrong_field(field: str, value: object) -> None:
    """A scenario that cannot be simulated is refused, and the error names the field."""
    with pytest.raises(ValueError, match=f"^{field}: "):
        Scenario(start_ms=START_MS, **{field: value})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    """Run an embedded broker: librdkafka's mock cluster, alive as long as its client is."""
    mock = Producer({"bootstrap.servers": "ignored", "test.mock.num.brokers": 1, "log_level": 0})
    broker = next(iter(mock.list_topics(timeout=10).brokers.values()))
    yield f"{broker.host}:{broker.port}"
    mock.flush(1)


def consume(bootstrap: str, count: int, *topics: str) -> list[tuple[int, Record]]:
    """Read ``count`` records of all partitions of the topics, with their partitions."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test"})
    consumer.assign([TopicPartition(topic, p, 0) for topic in topics for p in range(4)])
    found: list[tuple[int, Record]] = []
    deadline = time.monotonic() + 20
    while len(found) < count and time.monotonic() < deadline:
        for m in consumer.consume(count - len(found), timeout=0.2):
            assert m.error() is None
            record = Record(m.topic(), m.key(), m.value(), m.timestamp()[1])
            found.append((m.partition(), record))
    consumer.close()
    return found


def nothing(_: int) -> None:
    """Ignore the progress."""


def test_send_keeps_bytes_times_and_partitions(bootstrap: str) -> None:
    """Sent records come back unchanged, each on the partition of its key's murmur2."""
    topics = dict.fromkeys((kind.__name__ for kind in EVENT_TYPES), "sent")
    records = list(simulate(Scenario(start_ms=START_MS, events=3_000, topics=topics)))
    config = {"bootstrap.servers": bootstrap}
    sent = send(records, producer_config=config, rate=0, on_progress=nothing, stop=None)
    found = consume(bootstrap, len(records), "sent")
    assert sent == len(records) == len(found)
    assert Counter(map(repr, records)) == Counter(repr(record) for _, record in found)
    for partition, record in found:
        assert partition == (murmur2(record.key) & 0x7FFFFFFF) % 4


def test_send_stops_between_records(bootstrap: str) -> None:
    """After ``stop`` nothing more is pulled: what the tally counted is what was delivered."""
    stop, tally = threading.Event(), Tally()
    endless = simulate(Scenario(start_ms=START_MS), tally=tally)
    config = {"bootstrap.servers": bootstrap}
    sent = send(
        endless, producer_config=config, rate=0, on_progress=lambda _: stop.set(), stop=stop
    )
    assert sent == tally.records == 500


def test_send_keeps_the_pace_of_the_timestamps(bootstrap: str) -> None:
    """Paced records that were made 0.3 s apart take 0.3 s to send."""
    records = [Record("paced", b"k", b"v", START_MS + ms) for ms in (0, 100, 300)]
    config = {"bootstrap.servers": bootstrap, "linger.ms": 0}
    began = time.monotonic()
    assert send(records, producer_config=config, rate=10, on_progress=nothing, stop=None) == 3
    assert 0.28 < time.monotonic() - began < 3


def test_send_fails_when_nobody_answers() -> None:
    """A record that cannot be delivered is an error that names its topic."""
    config = {"bootstrap.servers": "127.0.0.1:1", "message.timeout.ms": 300, "log_level": 0}
    with pytest.raises(SendingError, match=r"^topic live\.likes: "):
        send([Record("live.likes", b"k", b"v", 1)], producer_config=config, rate=0,
             on_progress=nothing, stop=None)  # fmt: skip


def test_send_refuses_a_record_that_is_too_large(bootstrap: str) -> None:
    """A record above the producer's limit is an error that names its topic."""
    big = Record("live.comments", b"k", bytes(2_000_000), START_MS)
    with pytest.raises(SendingError, match=r"^topic live\.comments: .*large"):
        send([big], producer_config={"bootstrap.servers": bootstrap}, rate=0,
             on_progress=nothing, stop=None)  # fmt: skip


def run(*args: str) -> tuple[int, str, str]:
    """Run ``livepulse simulate`` with these arguments."""
    app = typer.Typer(rich_markup_mode=None)
    app.command()(simulate_command)
    result = CliRunner().invoke(app, list(args))
    return result.exit_code, result.stdout, result.stderr


def test_command_writes_a_recording_and_its_tally(tmp_path: Path) -> None:
    """``--to-file --json`` writes the scenario's records and prints what they are."""
    path = tmp_path / "world.jsonl"
    code, out, _ = run(
        "--to-file",
        str(path),
        "--events",
        "1500",
        "--start",
        str(START_MS),
        "--seed",
        "5",
        "--json",
    )
    tally = Tally()
    viewers = int(2.5 * viewers_needed(1_000))
    scenario = Scenario(start_ms=START_MS, events=1_500, seed=5, viewers=viewers)
    assert code == 0
    assert list(read(path)) == list(simulate(scenario, tally=tally))
    assert json.loads(out) == tally.as_json()


def test_command_sends_to_the_broker_of_the_settings(
    bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ``--to-file`` it sends to LIVEPULSE_KAFKA_BOOTSTRAP, on the settings' topics."""
    monkeypatch.setenv("LIVEPULSE_KAFKA_BOOTSTRAP", bootstrap)
    monkeypatch.setenv("LIVEPULSE_TOPIC_PREFIX", "cli.")
    code, out, _ = run("--rate", "0", "--events", "1000", "--json")
    hosts = sum(json.loads(out)["sent"][kind.__name__] for kind in TOPICS["live.host"][2:3])
    assert code == 0
    assert len(consume(bootstrap, hosts, "cli.host")) == hosts > 0


def test_what_is_sent_as_fast_as_it_can_is_not_from_the_future(
    bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Topics that stamp what they get: of 40 s sent at once only the broken records are refused."""
    monkeypatch.setenv("LIVEPULSE_KAFKA_BOOTSTRAP", bootstrap)
    monkeypatch.setenv("LIVEPULSE_TOPIC_PREFIX", "history.")
    began_ms = time.time_ns() // 1_000_000
    code, out, _ = run("--rate", "0", "--events", "40000", "--json")
    sent, by_topic = json.loads(out), decoders(load())
    found = consume(bootstrap, sent["records"], *by_topic)
    refused = 0
    for partition, record in found:
        stamped = Stamped(record.topic, partition, 0, began_ms, record.key, record.value)
        decoded = by_topic[record.topic].decode([record.value])
        [(event, _)] = admit(decoded, [stamped], Policy())
        refused += isinstance(event, Rejection)
    assert (code, len(found), refused) == (0, sent["records"], sent["bad_records"])


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--rate", "0"), "--rate 0 sends history that ends now, at most 23 hours"),
        (("--rate", "0", "--events", "82800001"), "give --seconds up to 82800"),
        (("--rate", "0", "--seconds", "82801"), "--events up to 82800000, or --start"),
        (("--to-kafka", "--to-file", "x"), "not both"),
        (("--to-file", "-", "--viewers", "10"), "viewers: 10 people"),
        (("--to-file", "/no/such/folder/x", "--events", "1"), "No such file"),
    ],
)
def test_command_refuses_what_cannot_be(args: tuple[str, ...], told: str) -> None:
    """Contradicting or impossible options are usage errors that say why."""
    code, _, err = run(*args)
    assert code == 2
    assert told in " ".join(err.split())
