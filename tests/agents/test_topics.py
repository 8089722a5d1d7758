"""Topics: one table, complete, and what differs from it."""

import pytest

from agents.settings import Settings
from agents.topics import DEFAULT_TOPICS, FAMILIES, Found, TopicSpec, differences, topics
from schemas.events import EVENT_TYPES
from schemas.results import RESULT_TYPES

SPECS = {spec.name: spec for spec in topics(Settings())}


def as_it_must_be() -> dict[str, Found]:
    """Return a broker's answer that fits every topic."""
    return {
        name: Found(partitions=spec.partitions, cleanup=spec.config["cleanup.policy"])
        for name, spec in SPECS.items()
    }


def differing(found: dict[str, Found]) -> list[tuple[str, str]]:
    """Return (topic, kind) of what differs."""
    items = differences(list(SPECS.values()), found, bootstrap="b:1")
    return [(item.topic, item.kind) for item in items]


def test_every_type_has_exactly_one_family_and_one_topic() -> None:
    """A type that is added to the schemas without a topic fails here."""
    types = [event.__name__ for event in EVENT_TYPES]
    types += [result.__name__ for result in RESULT_TYPES.values()]
    internal = ["state", "window-totals"]
    assert sorted(name for family in FAMILIES for name in family.types) == sorted(types + internal)
    assert set(DEFAULT_TOPICS) == {*types, *internal}
    assert sorted(name for spec in SPECS.values() for name in spec.types) == sorted(
        types + internal
    )


def test_all_topics_have_the_same_number_of_partitions() -> None:
    """Partition p of each belongs to task p."""
    assert {spec.partitions for spec in topics(Settings(partitions=12))} == {12}


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "4")])
def test_writes_survive_the_loss_of_one_replica(replication: int, in_sync: str) -> None:
    """min.insync.replicas is one less than the replicas, and never none."""
    specs = topics(Settings(replication_factor=replication))
    assert {spec.config["min.insync.replicas"] for spec in specs} == {in_sync}
    assert {spec.replication for spec in specs} == {replication}


def test_the_changelog_is_never_deleted_by_age() -> None:
    """A viewer's state that nobody touched for a month is still state."""
    assert SPECS["live.state"].config["cleanup.policy"] == "compact"
    assert "retention.ms" not in SPECS["live.state"].config


def test_inputs_keep_arrival_time_and_take_large_records() -> None:
    """A producer's clock does not decide what is deleted; a 2 MB record arrives to be reported."""
    for name in ("live.carts", "live.host"):
        assert SPECS[name].config["message.timestamp.type"] == "LogAppendTime"
        assert int(SPECS[name].config["max.message.bytes"]) > 2_000_000


def test_prefix_and_overrides_name_the_topics() -> None:
    """A type with a topic of its own leaves the others where the prefix puts them."""
    settings = Settings(topic_prefix="eu.", topics={"CartAdded": "shop.carts"})
    specs = {spec.name: spec for spec in topics(settings)}
    assert specs["shop.carts"].types == ("CartAdded",)
    assert specs["eu.carts"].types == ("CartRemoved",)
    assert "live.carts" not in specs


def test_nothing_differs_when_all_is_as_it_must_be() -> None:
    """The order in which a broker lists its cleanup policies means nothing."""
    found = as_it_must_be()
    found["live.conversion"] = Found(partitions=4, cleanup="delete,compact")
    assert differing(found) == []


def test_each_kind_of_difference_is_found() -> None:
    """A missing topic, wrong partitions and a wrong policy are three findings."""
    found = as_it_must_be()
    del found["live.likes"]
    found["live.carts"] = Found(partitions=3, cleanup="delete")
    found["live.state"] = Found(partitions=4, cleanup="delete")
    assert sorted(differing(found)) == [
        ("live.carts", "partitions"),
        ("live.likes", "missing"),
        ("live.state", "cleanup"),
    ]


def test_a_broker_that_does_not_tell_its_policies_is_not_blamed() -> None:
    """Only what is known to differ is reported."""
    found = {name: Found(partitions=4, cleanup=None) for name in SPECS}
    assert differing(found) == []


def mend(spec: TopicSpec, found: Found) -> str:
    """Return the one way to mend this topic."""
    (difference,) = differences([spec], {spec.name: found}, bootstrap="b:1")
    return difference.mend


def test_the_mending_command_names_broker_topic_and_value() -> None:
    """It can be copied into a shell as it stands."""
    assert mend(SPECS["live.conversion"], Found(partitions=4, cleanup="delete")) == (
        "kafka-configs.sh --bootstrap-server b:1 --alter --entity-type topics"
        " --entity-name live.conversion --add-config 'cleanup.policy=[compact,delete]'"
    )


def test_too_many_partitions_are_mended_in_the_settings() -> None:
    """Kafka cannot take partitions away, so the setting must follow."""
    found = Found(partitions=8, cleanup="delete")
    assert mend(SPECS["live.carts"], found).startswith("LIVEPULSE_PARTITIONS=8")


def test_too_few_partitions_are_added() -> None:
    """The command that adds them warns that keys move."""
    text = mend(SPECS["live.carts"], Found(partitions=2, cleanup="delete"))
    assert "--alter --topic live.carts --partitions 4" in text
    assert "only before the first run" in text
