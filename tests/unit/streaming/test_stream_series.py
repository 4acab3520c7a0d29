from prometheus_client import CollectorRegistry, generate_latest

from deployments.contracts.metric_names import OK
from deployments.streaming.exposition import StreamCollector
from deployments.streaming.figures import StreamFigures
from deployments.streaming.record import Partition
from ray_apps.stream import SILENT_SECONDS, heard_lately


def test_figures_of_every_worker_are_series():
    counted = StreamFigures(retries=3, in_flight=2, lag={Partition("applications", 1): 7})
    counted.out(OK, 0.004)
    counted.out(OK, 20.0)
    counted.out("VALIDATION_ERROR", 0.004)
    registry = CollectorRegistry()
    registry.register(StreamCollector("credit-risk", "test", lambda: {0: counted, 1: StreamFigures()}))
    lines = generate_latest(registry).decode().splitlines()
    labels = 'environment="test",stream="credit-risk",worker="0"'
    assert (
        'raygate_stream_records_total{environment="test",outcome="OK",stream="credit-risk",worker="0"} 2.0'
        in lines
    )
    assert (
        'raygate_stream_latency_seconds_bucket{environment="test",le="0.005",stream="credit-risk",worker="0"} 2.0'
        in lines
    )
    assert f"raygate_stream_latency_seconds_count{{{labels}}} 3.0" in lines
    assert f"raygate_stream_retries_total{{{labels}}} 3.0" in lines
    assert f"raygate_stream_in_flight_records{{{labels}}} 2.0" in lines
    assert (
        'raygate_stream_lag_records{environment="test",partition="1",stream="credit-risk",worker="0"} 7.0' in lines
    )
    assert 'raygate_stream_workers{environment="test",stream="credit-risk"} 2.0' in lines


def test_a_worker_that_is_gone_counts_no_more():
    figures = {0: StreamFigures(retries=1), 1: StreamFigures(retries=2)}
    heard = {0: 100.0, 1: 101.0}
    assert set(heard_lately(figures, heard, 100.0 + SILENT_SECONDS)) == {0, 1}
    assert set(heard_lately(figures, heard, 101.0 + SILENT_SECONDS)) == {1}
