"""When Serve is to replace a replica."""

import asyncio
import threading

import pytest

from deployments import version_pool
from deployments.contracts.errors import ModelHangs
from deployments.contracts.package import InferencePath
from deployments.contracts.wire import PoolRequest
from deployments.runtime import columns as columnar
from deployments.runtime.predictor import Predictor
from deployments.version_pool import VersionPool


@pytest.fixture
def native(monkeypatch):
    """Pools take the path that has a thread."""
    make = Predictor.__init__
    monkeypatch.setattr(
        Predictor, "__init__", lambda self, package, path=None: make(self, package, InferencePath.NATIVE)
    )


def test_a_replica_whose_model_hangs_is_not_healthy_until_it_comes_back(packaged, rows, native, monkeypatch):
    pool = VersionPool(str(packaged.directory), packaged.digest)
    entered, released = threading.Event(), threading.Event()
    honest = Predictor.predict

    def hangs(self, columns):
        entered.set()
        released.wait(10)
        return honest(self, columns)

    monkeypatch.setattr(Predictor, "predict", hangs)

    async def scenario():
        columns = columnar.from_frame(rows.head(1), packaged.schema)
        request = PoolRequest(packaged.schema.fingerprint, columns, ["a"], 10.0)
        await pool.check_health()
        call = asyncio.create_task(pool.predict(request.to_plain()))
        await asyncio.to_thread(entered.wait, 10)
        await pool.check_health()  # busy, but not for long
        assert (await pool.record_autoscaling_stats())["busy"] > 0  # though nobody knows yet for how long
        monkeypatch.setattr(version_pool, "HANGS_SECONDS", 0.0)
        with pytest.raises(ModelHangs):
            await pool.check_health()
        released.set()
        await call
        await pool.check_health()
        assert (await pool.record_autoscaling_stats())["busy"] > 0
        assert (await pool.record_autoscaling_stats())["busy"] == 0

    asyncio.run(scenario())
