import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import ValidationError

from deployments.contracts.errors import InvalidDocument
from deployments.contracts.traffic_policy import GatewayConfig
from deployments.rollout import serve_config
from monitoring.config import MonitoringConfig
from monitoring.limits_exporter import LimitsExporter
from ray_apps import served_pools
from ray_apps.monitor import MonitorArguments
from ray_apps.settings import Settings


@pytest.mark.parametrize(
    ("args", "told"),
    [
        pytest.param(
            {"metrics_port": 99999}, "metrics_port: .* less than or equal to 65535, not 99999", id="port"
        ),
        pytest.param({"environment": ""}, "environment: .* at least 1 character, not ''", id="empty-label"),
        pytest.param(
            {"metrics_prot": 9090}, "metrics_prot: Extra inputs are not permitted, not 9090", id="misspelt"
        ),
    ],
)
def test_wrong_arguments_are_refused_by_name(args, told):
    with pytest.raises(InvalidDocument, match=told):
        MonitorArguments.read(args)


def test_the_metrics_port_is_9090_and_local_by_default():
    arguments = MonitorArguments.read({"access": {"mode": "insecure-local"}})
    assert (arguments.metrics_port, arguments.environment, arguments.host) == (9090, "local", "127.0.0.1")


def test_nobody_forgets_to_say_who_may_read_the_metrics():
    with pytest.raises(InvalidDocument, match="access"):
        MonitorArguments.read({})


def test_what_the_environment_says_of_monitoring_reaches_the_monitor(monkeypatch, tmp_path):
    monkeypatch.setenv("RAYGATE_STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("MONITORING_CONFIG", '{"window_seconds": 600, "thresholds": {"psi_warning": 0.2}}')
    platform = served_pools.local_platform(Settings())
    told = serve_config.build(platform, [], GatewayConfig())["applications"][0]
    config = MonitorArguments.read(told["args"]).monitoring
    assert (config.limits().warning, config.limits().critical, config.span().seconds) == (0.2, 0.25, 600)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        pytest.param({"thresholds": {"psi_warning": 0.3}}, "psi_warning must be below psi_critical", id="order"),
        pytest.param({"tresholds": {}}, "Extra inputs are not permitted", id="misspelt"),
    ],
)
def test_a_config_that_cannot_be_meant_is_refused_when_the_stack_starts(config, told):
    with pytest.raises(ValidationError, match=told):
        MonitoringConfig.model_validate(config)


def limits(config):
    registry = CollectorRegistry()
    registry.register(LimitsExporter(MonitoringConfig.model_validate(config), "test"))
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_rules_find_the_limits_as_series_unless_nobody_is_to_be_woken():
    config = {"alerts": True, "thresholds": {"latency_ms": 500}}
    assert 'raygate_alert_limit{environment="test",limit="latency_seconds"} 0.5' in limits(config)
    assert limits({**config, "alerts": False}) == []
