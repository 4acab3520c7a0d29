"""A Ray of this test run's own, for searches and for fits on several workers."""

import tempfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def ray_cluster():
    """Two CPUs in this process's own cluster, on a machine where another Ray was killed and left its address."""
    import ray

    from ray_apps import ray_connection

    with tempfile.TemporaryDirectory(prefix="ray-") as folder, pytest.MonkeyPatch.context() as environment:
        left = Path(folder) / "ray" / "ray_current_cluster"
        left.parent.mkdir()
        left.write_text("127.0.0.1:1")
        environment.setenv("RAY_TMPDIR", folder)
        ray_connection.start(num_cpus=2)
        yield
        ray.shutdown()
