"""What was said in the end, held against the batch answer."""

from collections.abc import Mapping

from schemas.results import ConversionRow
from tests.streams.batch import Answer
from tests.streams.world import Identity

NOTHING = Answer({}, {}, {})


def assert_batch(
    rows: Mapping[Identity, ConversionRow],
    wanted: Mapping[Identity, Answer],
    *,
    people_of_windows: bool = True,
) -> None:
    """Raise AssertionError unless every row of a session or product says the batch answer.

    A row that the batch does not know says nothing: it tells of who left or stayed.
    """
    found = {key: answer(row) for key, row in rows.items() if key[1] != "channel"}
    for key in found.keys() | wanted.keys():
        one, other = found.get(key, NOTHING), wanted.get(key, NOTHING)
        if not people_of_windows and key[3] != "session":
            one, other = one._replace(people={}), other._replace(people={})
        assert one == other, (key, one, other)


def answer(row: ConversionRow) -> Answer:
    """Return what a row says, without zeros."""
    people = {step: n for step, n in row.people.items() if n}
    money = {name: n for name, n in row.money.items() if n}
    return Answer(dict(row.counts), people, money)
