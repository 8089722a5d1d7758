"""What a site has said in the end, in a form in which two sites can be compared."""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from pprint import pformat
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar

import msgspec

from schemas.results import (
    ChurnRow,
    ConversionRow,
    CouponTrigger,
    DeadLetter,
    Decision,
    RecommendationTrigger,
    Trigger,
)
from tests.integration.cluster import Site, decoded, new_site, until
from tests.integration.kafka import Kafka
from tests.integration.world import CLOCK, STEPS, World, count, recorded_world

Key = tuple[str, str, str, str, int]
T = TypeVar("T")


class Outcome(NamedTuple):
    """Everything that was committed, in any order but for the newest row of each key."""

    triggers: dict[str, Trigger]
    twice: list[str]  # trigger and decision ids that were said more than once
    decisions: dict[str, Decision]
    churn: Counter[bytes]
    rows: dict[Key, ConversionRow]
    dead_letters: dict[tuple[str, int, int], str]


def outcome(site: Site) -> Outcome:
    """Read all result topics to their ends."""
    said = site.read(*site.output_topics)

    def all_of(kind: type[T]) -> list[T]:
        topic = site.settings.topic_of(kind.__name__)
        return decoded((one for one in said if one.topic == topic), kind)

    triggers: list[Trigger] = [*all_of(CouponTrigger), *all_of(RecommendationTrigger)]
    decisions, letters = all_of(Decision), all_of(DeadLetter)
    ids = [t.trigger_id for t in triggers] + [d.decision_id for d in decisions]
    ids += [f"{one.topic}/{one.partition}/{one.offset}" for one in letters]
    return Outcome(
        triggers={t.trigger_id: t for t in triggers},
        twice=[one for one, times in Counter(ids).items() if times > 1],
        decisions={d.decision_id: d for d in decisions},
        churn=Counter(msgspec.json.encode(row) for row in all_of(ChurnRow)),
        rows=newest_rows(all_of(ConversionRow)),
        dead_letters={(one.topic, one.partition, one.offset): one.reason for one in letters},
    )


def newest_rows(said: Iterable[ConversionRow]) -> dict[Key, ConversionRow]:
    """Return the newest row of each key. Raises AssertionError when a revision is not the next."""
    rows: dict[Key, ConversionRow] = {}
    for row in said:
        start = 0 if row.window == "session" else row.start
        key = (row.session_id, row.scope, row.scope_id, row.window, start)
        before = rows.get(key)
        assert before is None or row.revision == before.revision + 1, (before, row)
        rows[key] = row
    return rows


def wait_closed(site: Site) -> None:
    """Wait until the recorded world is counted and every window that can close is final."""
    wait_counted(site, recorded_world())
    topic = site.settings.topic_of("ConversionRow")

    def open_rows() -> list[Key]:
        rows = newest_rows(decoded(site.read(topic), ConversionRow))
        return [key for key, row in rows.items() if row.status == "provisional" and _closes(row)]

    until(lambda: f"final: {open_rows()[:5]}", lambda: not open_rows())


def wait_counted(site: Site, world: World) -> None:
    """Wait until all input is applied and the rows of whole sessions and their channels say so.

    Open rows of channels and products are published together, once a second of the watermark,
    which moves on when all is quiet.
    """
    site.settle()
    topic = site.settings.topic_of("ConversionRow")
    wanted = {session_id: dict(one.counts) for session_id, one in count(world).items()}

    def behind() -> dict[str, Any]:
        rows = newest_rows(decoded(site.read(topic), ConversionRow))
        channels = {s: counted(rows, s, "channel") for s in wanted}
        whole = {s: counted(rows, s, "session") for s in wanted}
        return {
            s: (whole[s], channels[s], wanted[s])
            for s in wanted
            if not whole[s] == channels[s] == wanted[s]
        }

    until(lambda: f"counted (found, wanted): {behind()}", lambda: not behind())


def counted(rows: dict[Key, ConversionRow], session_id: str, scope: str) -> dict[str, int]:
    """Return the counts of a whole session, summed over its rows of a scope."""
    total: Counter[str] = Counter()
    for (session, of, _, window, _), row in rows.items():
        if (session, of, window) == (session_id, scope, "session"):
            total.update(row.counts)
    return dict(total)


def _closes(row: ConversionRow) -> bool:
    """Tell whether the window closes in the world's time; without an end a session stays open."""
    return row.session_id != CLOCK and (row.announced or row.window != "session")


def settled_rows(found: Outcome) -> dict[Key, dict[str, Any]]:
    """Return the rows but for what depends on when they were published, of the world's sessions.

    That is the revision, and whether what came last came before the row was closed ("final")
    or after it ("correction").
    """
    return {
        key: msgspec.to_builtins(row)
        | {"revision": 0, "status": "open" if row.status == "provisional" else "closed"}
        for key, row in found.rows.items()
        if row.session_id != CLOCK
    }


def agree(found: Outcome, wanted: Outcome) -> None:
    """Raise AssertionError with counts and a few examples of each kind, unless all is the same."""
    pairs: dict[str, tuple[dict[Any, Any], dict[Any, Any]]] = {
        "said twice": (dict.fromkeys(found.twice, 2), {}),
        "triggers": (_of_the_world(found.triggers), _of_the_world(wanted.triggers)),
        "decisions": (_of_the_world(found.decisions), _of_the_world(wanted.decisions)),
        "churn": (found.churn, wanted.churn),
        "rows": (settled_rows(found), settled_rows(wanted)),
        "dead letters": (found.dead_letters, wanted.dead_letters),
    }
    told = {name: told for name, (a, b) in pairs.items() if (told := _difference(a, b))}
    assert not told, pformat(told, width=160)


def _of_the_world(said: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if value.session_id != CLOCK}


def _difference(found: dict[Any, Any], wanted: dict[Any, Any]) -> dict[str, Any]:
    lost, more = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    changed = [key for key in found.keys() & wanted.keys() if found[key] != wanted[key]]
    told = {
        "lost": [wanted[key] for key in list(lost)[:3]],
        "more": [found[key] for key in list(more)[:3]],
        "changed": [(found[key], wanted[key]) for key in changed[:2]],
    }
    counts = {"lost, more, changed, of": (len(lost), len(more), len(changed), len(wanted))}
    return counts | told if lost or more or changed else {}


@cache
def reference(kafka: Kafka, redis_url: str) -> tuple[Site, Outcome]:
    """Return a site with a recorded world, and what one worker made of it in peace.

    Made once for all tests, which compare with it what became of the same records otherwise.
    """
    with TemporaryDirectory() as directory:
        site = new_site(kafka, redis_url, Path(directory))
        return site, in_peace(site)


def in_peace(site: Site) -> Outcome:
    """Make the topics, and let one worker bring the recorded world through, undisturbed."""
    site.create_topics(arrival_time=False)
    site.feed(recorded_world().records)
    with site.worker() as worker:
        worker.ready()
        wait_closed(site)
        assert worker.stop() == 0
    return outcome(site)


def assert_counts(world: World, found: Outcome) -> None:
    """Hold dead letters and the rows of whole sessions against a plain count of the records."""
    assert found.twice == []
    assert len(found.dead_letters) == len(world.broken)
    for session_id, wanted in count(world).items():
        row = found.rows[session_id, "session", session_id, "session", 0]
        channels = [
            row
            for key, row in found.rows.items()
            if key[0] == session_id and key[1] == "channel" and key[3] == "session"
        ]
        assert row.counts == wanted.counts, (session_id, row.counts, dict(wanted.counts))
        assert sum((Counter(one.counts) for one in channels), Counter()) == wanted.counts
        for step in set(STEPS.values()):
            assert row.people[step] == len(wanted.people[step]), (session_id, step)
        for name in ("ordered_amount", "gmv_gross", "refunded"):
            assert row.money[name] == wanted.money[name], (session_id, name)
