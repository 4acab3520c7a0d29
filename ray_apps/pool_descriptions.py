"""What is served, as the pools tell it: the monitor compares live rows with their reference profiles."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.contracts.distributions import PackageKey
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.wire import PoolDescription
from deployments.sleeping_pools import SleepingPools

DESCRIBE_SECONDS = 5.0
_log = logging.getLogger("raygate.monitor")


class PoolDescriptions:
    """Asks each pool once for each package; knows no more packages than gateways tell of.

    Attributes:
        known: By package; replaced as a whole, so that another thread may read it.
    """

    def __init__(self) -> None:
        self.known: dict[PackageKey, PoolDescription] = {}
        self._sleeping = SleepingPools()

    async def learn(self, wanted: Collection[PackageKey]) -> None:
        """Ask for what is not known yet and forget what is not wanted any more; never raises.

        A pool that is away, or that has another package by now, is asked again the next time. One that sleeps is
        not woken for it: who has no requests has no drift.
        """
        missing = [key for key in wanted if key not in self.known]
        asleep = await self._asleep() if missing else frozenset()
        missing = [key for key in missing if _application(*key[:2]) not in asleep]
        found = await asyncio.gather(*(_describe(*key) for key in missing))
        learnt = {key: described for key, described in zip(missing, found, strict=True) if described is not None}
        self.known = {key: described for key, described in (self.known | learnt).items() if key in wanted}

    async def _asleep(self) -> frozenset[str]:
        try:
            return await self._sleeping.names()
        except Exception as error:
            _log.info("Serve does not say which pools sleep: %s", type(error).__name__)
            return frozenset()


def _application(model: str, version: str) -> str:
    return str(ModelVersion(model, Version.parse(version)))


async def _describe(model: str, version: str, digest: str) -> PoolDescription | None:
    try:
        application = _application(model, version)
        handle: DeploymentHandle[Any] = await asyncio.to_thread(serve.get_app_handle, application)
        async with asyncio.timeout(DESCRIBE_SECONDS):
            described = PoolDescription.from_plain(await handle.describe.remote())
    except Exception as error:  # whatever keeps a pool from answering, the monitor goes on
        _log.info("the pool of %s %s does not describe itself: %s", model, version, type(error).__name__)
        return None
    return described if described.digest == digest else None
