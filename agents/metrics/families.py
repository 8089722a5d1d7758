"""Short ways to write Prometheus' metric families, with our prefix."""

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from agents.metrics.histogram import Histogram

#: Label names, and a value for each set of label values.
Labelled = tuple[tuple[str, ...], Iterable[tuple[tuple[str, ...], float]]]


def by(label: str, counts: Mapping[str, float]) -> Labelled:
    """Return counts by the value of their one label."""
    return (label,), [((value,), count) for value, count in dict(counts).items()]


def counter(name: str, text: str, labelled: Labelled) -> CounterMetricFamily:
    """Return a counter with labels; its name gets ``_total``."""
    labels, values = labelled
    made = CounterMetricFamily(f"livepulse_{name}", text, labels=labels)
    for where, count in values:
        made.add_metric(where, count)
    return made


def total(name: str, text: str, value: float) -> CounterMetricFamily:
    """Return a counter without labels; its name gets ``_total``."""
    return CounterMetricFamily(f"livepulse_{name}", text, value=value)


def gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    """Return a gauge whose values are still to be added."""
    return GaugeMetricFamily(f"livepulse_{name}", text, labels=labels)


def level(name: str, text: str, value: float) -> GaugeMetricFamily:
    """Return a gauge without labels."""
    return GaugeMetricFamily(f"livepulse_{name}", text, value=value)


def per_partition(name: str, text: str, values: Iterable[tuple[int, float]]) -> GaugeMetricFamily:
    """Return a gauge by partition."""
    made = gauge(name, text, "partition")
    for partition, value in values:
        made.add_metric((str(partition),), value)
    return made


def histogram(
    name: str, text: str, histograms: Mapping[str, Histogram], label: str = ""
) -> HistogramMetricFamily:
    """Return histograms by the value of their label; one without a label under ``""``."""
    made = HistogramMetricFamily(f"livepulse_{name}", text, labels=[label] if label else [])
    for value, one in histograms.items():
        made.add_metric([value] if label else [], one.buckets(), one.sum)  # type: ignore[arg-type]
    return made
