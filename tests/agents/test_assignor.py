"""Who owns which task."""

from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from hypothesis import given
from hypothesis import strategies as st

from agents.engine.assignor import TaskAssignor, assign_tasks

TASKS = st.sets(st.integers(0, 40))
MEMBERS = st.dictionaries(st.text("abc", min_size=1), TASKS, min_size=1, max_size=6)


class Cluster:
    """Knows how many partitions each topic has."""

    def partitions_for_topic(self, _topic: str) -> set[int]:
        """Every topic has four."""
        return set(range(4))


@given(MEMBERS, st.integers(0, 32))
def test_every_task_has_one_owner_and_the_load_is_even(
    owned: dict[str, set[int]], partitions: int
) -> None:
    """No task is lost, none has two owners, and nobody has two more than another."""
    assigned = assign_tasks(owned, partitions)
    assert sorted(p for tasks in assigned.values() for p in tasks) == list(range(partitions))
    loads = [len(tasks) for tasks in assigned.values()]
    assert max(loads) - min(loads) <= 1


@given(st.integers(1, 5), st.integers(1, 32))
def test_a_balanced_group_moves_nothing(members: int, partitions: int) -> None:
    """A rebalance without a change of members leaves every task where it is."""
    fresh = assign_tasks({f"m{i}": set() for i in range(members)}, partitions)
    assert assign_tasks({m: set(tasks) for m, tasks in fresh.items()}, partitions) == fresh


def test_a_newcomer_takes_only_what_it_needs() -> None:
    """Two owners of four tasks each give three of them to a third worker, not more."""
    before = {"a": {0, 1, 2, 3}, "b": {4, 5, 6, 7}, "c": set[int]()}
    after = assign_tasks(before, 8)
    moved = [p for m, tasks in after.items() for p in tasks if p not in before[m]]
    assert len(moved) == len(after["c"])


def test_the_broadcast_topic_goes_whole_to_everybody() -> None:
    """Each worker reads all of the host's events, and its own part of the others."""
    assignor = TaskAssignor("live.host")
    metadata = assignor.metadata(["live.host", "live.likes"])
    assert isinstance(metadata, ConsumerProtocolMemberMetadata)
    assigned = assignor.assign(Cluster(), {"a": metadata, "b": metadata})
    hosts = [dict(one.assignment)["live.host"] for one in assigned.values()]
    likes = [dict(one.assignment)["live.likes"] for one in assigned.values()]
    assert hosts == [[0, 1, 2, 3], [0, 1, 2, 3]]
    assert sorted(likes[0] + likes[1]) == [0, 1, 2, 3]


def test_a_worker_remembers_its_tasks_for_the_next_rebalance() -> None:
    """What it was assigned is what it says it owns; the broadcast topic does not count."""
    assignor = TaskAssignor("live.host")
    alone = assignor.assign(Cluster(), {"a": assignor.metadata(["live.host", "live.likes"])})
    assignor.on_assignment(alone["a"])
    again = assignor.assign(
        Cluster(),
        {
            "z": assignor.metadata(["live.likes"]),
            "a": TaskAssignor("live.host").metadata(["live.likes"]),
        },
    )
    kept = dict(again["z"].assignment)["live.likes"]
    assert len(kept) == 2


def test_static_members_get_the_same_tasks_whatever_they_had() -> None:
    """One that comes back under its name says what it said before, so nobody has to join again."""
    assignor = TaskAssignor("live.host", is_static=True)
    before = assignor.metadata(["live.likes"])
    first = assignor.assign(Cluster(), {"w0-1f": before, "w1-2e": before})
    assignor.on_assignment(first["w0-1f"])
    again = assignor.metadata(["live.likes"])
    assert again == before
    second = assignor.assign(Cluster(), {"w1-9a": again, "w0-1f": again})
    assert second["w0-1f"] == first["w0-1f"]
    assert second["w1-9a"].assignment == first["w1-2e"].assignment
