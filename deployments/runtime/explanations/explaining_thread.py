"""Explanations beside predictions: on a thread of their own, bounded in time and number."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from deployments.contracts.explanations import Explanations, Unexplained
from deployments.contracts.wire import Columns, Floats
from deployments.runtime.explanations.explainer import Explainer
from deployments.runtime.predictor import Predictor

MOST_WAITING_CALLS = 8
SHARE_OF_BUDGET = 0.8  # the rest is for the way back
SWITCH_SECONDS = 0.001  # Python's 5 ms would be added to every prediction while a pipeline transforms or loads
_log = logging.getLogger("raygate.pool")


class ExplainingThread:
    """Explains while the event loop goes on predicting; whatever fails here, the scores are not concerned.

    The model's pipeline is loaded by the first call, for some seconds and with it its libraries: a replica that is
    never asked spends neither time nor memory. A call that does not get its turn in time is told so, and the
    loading goes on for the next one.

    Args:
        predictor: Whose scores are explained.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._explainer: Explainer | None = None
        self._thread = ThreadPoolExecutor(1, "explanations")
        self._waiting = 0

    async def explain(
        self, columns: Columns, rows: tuple[int, ...], scores: Floats, budget_seconds: float
    ) -> Explanations:
        """Explain rows of a call.

        Args:
            columns: All rows of the call.
            rows: Positions of those that ask.
            scores: What was predicted for all rows.
            budget_seconds: How long the caller still waits.
        """
        if self._waiting >= MOST_WAITING_CALLS:
            return _without(rows, Unexplained.BUSY)
        seconds = SHARE_OF_BUDGET * budget_seconds
        expires = time.perf_counter() + seconds
        self._waiting += 1
        found = asyncio.get_running_loop().run_in_executor(
            self._thread, self._explain, columns, rows, scores, expires
        )
        found.add_done_callback(self._count_down)
        try:
            return await asyncio.wait_for(asyncio.shield(found), seconds)
        except TimeoutError:
            return _without(rows, Unexplained.OUT_OF_TIME)

    def _explain(self, columns: Columns, rows: tuple[int, ...], scores: Floats, expires: float) -> Explanations:
        try:
            if self._explainer is None:
                sys.setswitchinterval(SWITCH_SECONDS)
                self._explainer = Explainer(self._predictor)
            if time.perf_counter() > expires:
                return _without(rows, Unexplained.OUT_OF_TIME)
            return self._explainer.explain(columns, rows, scores, expires)
        except Exception as error:
            # The type alone: a message may hold the row's values.
            _log.warning("explanations failed: %s", type(error).__name__)
            return _without(rows, Unexplained.MODEL_ERROR)

    def _count_down(self, _: object) -> None:
        self._waiting -= 1


def _without(rows: Iterable[int], reason: Unexplained) -> Explanations:
    return Explanations(unexplained=dict.fromkeys(rows, reason))
