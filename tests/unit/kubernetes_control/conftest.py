import pytest
from kubernetes_api import KubernetesApi
from kubernetes_namespace import Namespace, Operator


@pytest.fixture
def namespace():
    api = KubernetesApi()
    made = Namespace(api)
    made.create_service()
    yield made
    api.shutdown()
    api.server_close()


@pytest.fixture
def start(namespace):
    """Start another controller process."""
    started = []

    def make(holder="one"):
        started.append(Operator(namespace, holder))
        return started[-1]

    yield make
    for operator in started:
        operator.kill()


@pytest.fixture
def operator(start):
    return start()
