"""What a scrape says, and that it keeps the contract of ``deploy/prometheus/metrics.md``."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.core import Metric

from agents.engine.exposition import Exposition
from agents.metrics.histogram import AGE_S, CALL_S, FINAL_S, LATENCY_S, LOOP_S, REBALANCE_S
from agents.metrics.meters import Meters
from agents.metrics.redis_meter import RedisMeter
from agents.metrics.sizes import KINDS
from agents.metrics.vitals import CERTIFICATES, Vitals
from agents.settings import Settings
from schemas.codec import Rejection
from schemas.codes import REFUSALS
from schemas.events import Heartbeat
from streams.records import Record
from streams.results import Results
from tests.deploy.markdown import rows
from tests.deploy.metrics_table import PAGE, documented, edges
from tests.integration.certificates import Authority

EDGES = {
    "livepulse_event_to_trigger_seconds": LATENCY_S,
    "livepulse_commit_seconds": LATENCY_S,
    "livepulse_event_time_lag_seconds": AGE_S,
    "livepulse_final_row_delay_seconds": FINAL_S,
    "livepulse_rebalance_seconds": REBALANCE_S,
    "livepulse_redis_seconds": CALL_S,
    "livepulse_event_loop_lag_seconds": LOOP_S,
}


def _exported() -> dict[str, Metric]:
    meters, settings = Meters(), Settings()
    meters.begin(0)
    collectors = (Exposition(meters, RedisMeter(), ["live.carts"]), Vitals(settings, "worker"))
    return {metric.name: metric for one in collectors for metric in one.collect()}


def _family(name: str) -> str:
    return name.removesuffix("_total")


def test_every_metric_of_the_contract_is_exported_and_no_other() -> None:
    """With the documented type and help text."""
    exported = {name: (m.type, m.documentation) for name, m in _exported().items()}
    assert exported == {
        _family(name): (one.type, one.help) for name, one in documented("worker").items()
    }


def test_edges_are_those_of_the_contract() -> None:
    """An objective stands on an edge, and rules name edges as they are written."""
    assert {name: tuple(one) for name, one in edges().items()} == EDGES


@pytest.mark.parametrize(
    ("label", "values"),
    [
        ("reason (dead letters)", set(REFUSALS)),
        ("kind (state)", set(KINDS.values())),
        ("setting", set(CERTIFICATES)),
    ],
)
def test_closed_sets_are_those_of_the_contract(label: str, values: set[str]) -> None:
    """A value that the contract does not name would have no alert and no panel."""
    section = PAGE.read_text(encoding="utf-8").split("## Values of the labels")[1]
    written = {row[0]: row[1] for row in rows(section.split("\n## ")[0])}[label]
    assert {one.strip("`") for one in written.split()} == values


def test_every_reason_to_refuse_a_record_is_known(subtests: pytest.Subtests) -> None:
    """One that is not in the closed set would appear only when it first happens."""
    sources = Path(__file__).parents[2]
    places = ("schemas/codec", "streams/admission", "streams/apply", "streams/shelf")
    for file in (f"{place}.py" for place in places):
        for reason in _reasons((sources / file).read_text()):
            with subtests.test(reason):
                assert reason in REFUSALS


def _reasons(source: str) -> Iterator[str]:
    for part in source.split("Rejection(")[1:]:
        if part.lstrip().startswith('"'):
            yield part.split('"')[1]


def test_no_label_names_a_viewer_or_a_session() -> None:
    """Whatever was counted."""
    meters = Meters()
    record = Record("live.visits", 0, 0, 0, b"v1", b"{}")
    event = Heartbeat(id="e1", ts=1, session_id="s1", viewer_id="v1")
    refused = [(record, Rejection("future", "v1 in s1"))]
    meters.begin(0).stepped([(event, record)], Results(refused=refused))
    values = {
        value
        for metric in Exposition(meters, RedisMeter(), ["live.carts"]).collect()
        for sample in metric.samples
        for value in sample.labels.values()
    }
    assert values.isdisjoint({"v1", "s1", "v1 in s1", "e1"})


def test_a_task_tells_no_time_that_it_does_not_know() -> None:
    """A zero would be 1970, and every alert on age would fire."""
    samples = {name: metric.samples for name, metric in _exported().items()}
    assert samples["livepulse_watermark_timestamp_seconds"] == []
    assert samples["livepulse_last_commit_timestamp_seconds"] == []
    assert [s.value for s in samples["livepulse_restored_records"]] == [0]


def test_a_certificate_tells_until_when_it_is_valid(tmp_path: Path) -> None:
    """Of each setting that names one; it is read again now and then, as files are renewed."""
    authority = Authority(tmp_path)
    vitals = Vitals(Settings(redis_url="rediss://h:1/0", redis_ssl_ca_file=str(authority.ca_file)), "worker")  # fmt: skip  # noqa: E501
    samples = [s for m in vitals.collect() for s in m.samples if "expiry" in s.name]
    assert [s.labels for s in samples] == [{"setting": "redis_ssl_ca_file"}]
    assert samples[0].value > 1.7e9
