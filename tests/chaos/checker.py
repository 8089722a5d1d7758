"""The invariants I1 to I7: everything that was promised, held against what is there.

A check returns violations; each names the invariant, the key, what was wanted and what was found.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from schemas.results import ConversionRow
from tests.chaos.found import COLUMNS, Book
from tests.chaos.oracle import Expected, Mark, Place, by_viewer, whole_session

#: Of each kind of violation so many are told.
TOLD = 5


class Violation(NamedTuple):
    """Something that was promised and is not so."""

    invariant: str
    where: str
    wanted: str
    found: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.where}: wanted {self.wanted}, found {self.found}"


# --- I1: nothing lost, nothing doubled ---------------------------------------------------------


def state_equals_oracle(expected: Expected, book: Book, *, what: str) -> Iterator[Violation]:
    """I1: what each viewer did in each pane, by count and by sum."""
    found = book.counts()
    for at in expected.panes.keys() | found.keys():
        want, have = +expected.panes.get(at, Counter()), found.get(at, Counter())
        if want != have:
            (session_id, viewer_id), pane = at
            yield Violation(
                "I1", f"{what} {session_id} {viewer_id} {pane}", _show(want), _show(have)
            )


def rows_equal_oracle(expected: Expected, rows: Mapping[Any, ConversionRow]) -> Iterator[Violation]:
    """I1: the conversion table's rows of whole sessions and of each viewer."""
    wanted = {(s, "session", s): counts for s, counts in whole_session(expected)}
    wanted |= {(s, "channel", v): counts for (s, v), counts in by_viewer(expected).items()}
    found = {
        key[:3]: row for key, row in rows.items() if key[3] == "session" and key[1] != "product"
    }
    for key in wanted.keys() | found.keys():
        want, row = wanted.get(key, Counter()), found.get(key)
        if (have := _counts(row)) != +want:
            yield Violation("I1", f"conversion {' '.join(key)}", _show(+want), _show(have))
    yield from _people(expected, found)


def _people(expected: Expected, found: Mapping[Any, ConversionRow]) -> Iterator[Violation]:
    steps = {"ProductClicked": "clicked", "OrderPlaced": "ordered"}
    for (session_id, kind), people in expected.people.items():
        row = found.get((session_id, "session", session_id))
        if kind in steps and row is not None and row.people[steps[kind]] != len(people):
            have = str(row.people[steps[kind]])
            yield Violation("I1", f"people {session_id} {steps[kind]}", str(len(people)), have)


def _counts(row: ConversionRow | None) -> Counter[str]:
    if row is None:
        return Counter()
    money = row.money["ordered_amount"]
    found = {name: row.counts.get(name, 0) for name in COLUMNS} | {"ordered_amount": money}
    return +Counter(found)


def _show(counts: Counter[str]) -> str:
    return str(dict(sorted(counts.items())))


# --- I2, I3: triggers --------------------------------------------------------------------------


def triggers_equal_oracle(
    expected: Expected, said: Iterable[Mapping[str, Any]]
) -> Iterator[Violation]:
    """I2: the same ids with the same content. I3: none twice, and never with two payloads."""
    found: dict[str, Mapping[str, Any]] = {}
    for one in said:
        this = one["trigger_id"]
        if this in found:
            same = "the same payload" if found[this] == one else "another payload"
            yield Violation("I3", f"trigger {this} {_whose(one)}", "once", f"again, {same}")
        found[this] = one
    for this in expected.triggers.keys() - found.keys():
        yield Violation("I2", f"trigger {this}", _whose(expected.triggers[this]), "lost")
    for this in found.keys() - expected.triggers.keys():
        yield Violation("I2", f"trigger {this}", "never", _whose(found[this]))
    for this in found.keys() & expected.triggers.keys():
        want = expected.triggers[this]
        have = {name: found[this].get(name) for name in want}
        if have != want:
            yield Violation("I2", f"trigger {this}", str(want), str(have))


def _whose(one: Mapping[str, Any]) -> str:
    return f"{one['rule']} {one['viewer_id']} {one['cause_id']}"


def none_twice(ids: Iterable[str], *, what: str) -> Iterator[Violation]:
    """I3: an id is said once."""
    for this, times in Counter(ids).items():
        if times > 1:
            yield Violation("I3", f"{what} {this}", "once", f"{times} times")


# --- I4: offsets -------------------------------------------------------------------------------


def offsets_follow_effects(
    log: Iterable[tuple[Place, Mark]], committed: Mapping[tuple[str, int], int], book: Book
) -> Iterator[Violation]:
    """I4: every event below the committed offset has its effect in the state.

    ``book`` must have been read after ``committed``.
    """
    for (topic, partition, offset), mark in log:
        if offset < committed.get((topic, partition), 0) and not book.times(mark):
            where = f"{topic}/{partition} committed {committed[topic, partition]}"
            yield Violation(
                "I4", where, f"{mark.key[1]} {mark.kind} {mark.name} applied", "not there"
            )


# --- I5: the copies agree ----------------------------------------------------------------------


def memory_equals_changelog(changelog: Book, memory: Book) -> Iterator[Violation]:
    """I5: what the workers remember is what the changelog says."""
    told, known = dict(changelog.canonical()), dict(memory.canonical())
    for key in told.keys() | known.keys():
        if told.get(key) != known.get(key):
            yield Violation("I5", f"memory {key}", str(told.get(key)), str(known.get(key)))


def redis_equals_rows(
    rows: Mapping[Any, ConversionRow], shown: Mapping[Any, ConversionRow]
) -> Iterator[Violation]:
    """I5: Redis shows the newest rows.

    Rows that are shown again after a rebalance do not know any more that they were corrected.
    """
    for key in rows.keys() | shown.keys():
        if _closed(rows.get(key)) != _closed(shown.get(key)):
            yield Violation(
                "I5", f"redis {key}", _revision(rows.get(key)), _revision(shown.get(key))
            )


def _closed(row: ConversionRow | None) -> ConversionRow | None:
    if row is None or row.status != "correction":
        return row
    return msgspec.structs.replace(row, status="final")


def _revision(row: ConversionRow | None) -> str:
    return "none" if row is None else f"revision {row.revision} {row.status} {row.counts}"


# --- I6: every record is somewhere -------------------------------------------------------------


def all_accounted(expected: Expected, book: Book, letters: Iterable[Place]) -> Iterator[Violation]:
    """I6: each record is in the state once, or a dead letter once, or a repeat."""
    found = Counter(letters)
    for place in expected.dead_letters | found.keys():
        want = int(place in expected.dead_letters)
        if found[place] != want:
            where = "dead letter {}/{}/{}".format(*place)
            yield Violation("I6", where, f"{want} times", f"{found[place]} times")
    for mark, event_id in expected.marks.items():
        times = book.times(mark)
        if times != 1:
            yield Violation("I6", f"event {event_id} {mark.kind}", "applied once", f"{times} times")


def summarised(violations: Iterable[Violation]) -> tuple[int, list[Violation]]:
    """Return how many there are, and the first few of each kind."""
    told: dict[tuple[str, str], list[Violation]] = {}
    count = 0
    for one in violations:
        count += 1
        kind = told.setdefault((one.invariant, one.where.partition(" ")[0]), [])
        if len(kind) < TOLD:
            kind.append(one)
    return count, [one for kind in told.values() for one in kind]
