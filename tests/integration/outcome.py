"""What a site has said in the end, in a form in which two sites can be compared."""

import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

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
from tests.integration.cluster import Site, decoded, new_site
from tests.integration.kafka import Kafka
from tests.integration.world import CLOCK, recorded_world

Key = tuple[str, str, str, str, int]


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
    coupons = decoded(site.read(site.settings.topic_of("CouponTrigger")), CouponTrigger)
    others = decoded(
        site.read(site.settings.topic_of("RecommendationTrigger")), RecommendationTrigger
    )
    triggers: list[Trigger] = [*coupons, *others]
    decisions = decoded(site.read(site.settings.topic_of("Decision")), Decision)
    said = Counter([t.trigger_id for t in triggers] + [d.decision_id for d in decisions])
    letters = decoded(site.read(site.settings.topic_of("DeadLetter")), DeadLetter)
    places = Counter((one.topic, one.partition, one.offset) for one in letters)
    return Outcome(
        triggers={t.trigger_id: t for t in triggers},
        twice=[one for one, times in said.items() if times > 1]
        + [str(place) for place, times in places.items() if times > 1],
        decisions={d.decision_id: d for d in decisions},
        churn=Counter(
            msgspec.json.encode(row)
            for row in decoded(site.read(site.settings.topic_of("ChurnRow")), ChurnRow)
        ),
        rows=newest_rows(site),
        dead_letters={(one.topic, one.partition, one.offset): one.reason for one in letters},
    )


def newest_rows(site: Site) -> dict[Key, ConversionRow]:
    """Return the newest row of each key. Raises AssertionError when a revision goes back."""
    rows: dict[Key, ConversionRow] = {}
    for row in decoded(site.read(site.settings.topic_of("ConversionRow")), ConversionRow):
        start = 0 if row.window == "session" else row.start
        key = (row.session_id, row.scope, row.scope_id, row.window, start)
        before = rows.get(key)
        assert before is None or row.revision == before.revision + 1, (before, row)
        rows[key] = row
    return rows


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


def differences(found: Outcome, wanted: Outcome) -> dict[str, Any]:
    """Return what differs, by kind, with a few examples of each; empty when nothing does."""
    pairs = {
        "said twice": (dict.fromkeys(found.twice, 2), {}),
        "triggers": (_of_the_world(found.triggers), _of_the_world(wanted.triggers)),
        "decisions": (_of_the_world(found.decisions), _of_the_world(wanted.decisions)),
        "churn": (found.churn, wanted.churn),
        "rows": (settled_rows(found), settled_rows(wanted)),
        "dead letters": (found.dead_letters, wanted.dead_letters),
    }
    return {name: told for name, (a, b) in pairs.items() if (told := _difference(a, b))}


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
    counts = {"n": (len(lost), len(more), len(changed), len(wanted))}
    return counts | told if lost or more or changed else {}


@cache
def reference(kafka: Kafka, redis_url: str) -> tuple[Site, Outcome]:
    """Return a site with a recorded world, and what one worker made of it in peace.

    Made once for all tests, which compare with it what became of the same records otherwise.
    """
    site = new_site(kafka, redis_url, Path(tempfile.mkdtemp(prefix="livepulse-it-")))
    site.create_topics(arrival_time=False)
    site.feed(recorded_world().records)
    with site.worker() as worker:
        worker.ready()
        site.settle()
        assert worker.stop() == 0
    return site, outcome(site)
