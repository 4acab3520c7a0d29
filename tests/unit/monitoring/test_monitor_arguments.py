import pytest

from deployments.contracts.errors import InvalidDocument
from ray_apps.monitor import MonitorArguments


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
