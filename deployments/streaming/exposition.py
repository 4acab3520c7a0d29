"""The figures of a stream's workers as Prometheus series."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from deployments.contracts import metric_names as names
from deployments.streaming.figures import StreamFigures

_LABELS = ["stream", "worker", "environment"]


class StreamCollector(Collector):
    """Series of one stream.

    Args:
        stream: Its name.
        environment: Label of every series.
        read: The latest figures by worker, without those of one that is gone.
    """

    def __init__(self, stream: str, environment: str, read: Callable[[], Mapping[int, StreamFigures]]) -> None:
        self._stream, self._environment, self._read = stream, environment, read

    def collect(self) -> Iterable[Metric]:
        """The series of this moment."""
        records = CounterMetricFamily(names.STREAM_RECORDS, "Records that are out", labels=[*_LABELS, "outcome"])
        retries = CounterMetricFamily(names.STREAM_RETRIES, "Attempts at the gateway made again", labels=_LABELS)
        lag = GaugeMetricFamily(names.STREAM_LAG_RECORDS, "Records not read yet", labels=[*_LABELS, "partition"])
        busy = GaugeMetricFamily(names.STREAM_IN_FLIGHT_RECORDS, "Records read and not out", labels=_LABELS)
        latency = HistogramMetricFamily(
            names.STREAM_LATENCY_SECONDS, "From a record's own time to the acknowledgement", labels=_LABELS
        )
        workers = GaugeMetricFamily(names.STREAM_WORKERS, "Workers that run", labels=["stream", "environment"])
        figures = self._read()
        workers.add_metric([self._stream, self._environment], len(figures))
        for worker, counted in figures.items():
            labels = [self._stream, str(worker), self._environment]
            for outcome, count in counted.records.items():
                records.add_metric([*labels, outcome], count)
            retries.add_metric(labels, counted.retries)
            busy.add_metric(labels, counted.in_flight)
            for partition, waiting in counted.lag.items():
                lag.add_metric([*labels, str(partition.number)], waiting)
            bounds = [*map(str, names.LATENCY_BUCKETS_SECONDS), "+Inf"]
            buckets = list(zip(bounds, accumulate(counted.latency_counts), strict=True))
            latency.add_metric(labels, buckets, counted.latency_sum)
        return records, retries, lag, busy, latency, workers
