"""Which pools have no replica, by Serve's own word; asking a pool itself would wake it."""

from __future__ import annotations

import asyncio

from ray import serve
from ray.serve.schema import ApplicationStatus, ServeStatus

ANSWER_SECONDS = 3.0
_WHOLE = frozenset({ApplicationStatus.RUNNING, ApplicationStatus.DEPLOYING})
"""Of an application in any other state nobody knows whether it would come up."""


class SleepingPools:
    """Asks Serve's controller; a question that is still open is not put again, since it holds a thread."""

    def __init__(self) -> None:
        self._asked: asyncio.Future[ServeStatus] | None = None

    async def names(self) -> frozenset[str]:
        """Applications that run without a replica.

        Raises:
            TimeoutError: Serve's controller does not answer in time.
        """
        if self._asked is None or self._asked.done():
            self._asked = asyncio.ensure_future(asyncio.to_thread(serve.status))
        return names_in(await asyncio.wait_for(asyncio.shield(self._asked), ANSWER_SECONDS))


def names_in(status: ServeStatus) -> frozenset[str]:
    """Applications that run without a replica, in what Serve says."""
    return frozenset(
        name
        for name, application in status.applications.items()
        if application.status in _WHOLE
        and not any(
            count and state == "RUNNING"
            for deployment in application.deployments.values()
            for state, count in deployment.replica_states.items()
        )
    )
