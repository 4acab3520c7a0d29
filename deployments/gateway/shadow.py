"""Copies of requests for versions under trial: nobody waits for them, and nothing they do reaches a caller."""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from deployments.contracts.errors import RaygateError
from deployments.contracts.metric_names import SHADOW_DIFFERENCE_BUCKETS
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import Task
from deployments.contracts.request_record import Stage
from deployments.contracts.snapshot import ShadowDrop
from deployments.contracts.traffic_policy import Shadow
from deployments.contracts.wire import Floats
from deployments.gateway.answer import Answer
from deployments.gateway.counters import Counters
from deployments.gateway.dispatch import Clock
from deployments.gateway.document_line import features_of
from deployments.gateway.incoming import Incoming
from deployments.gateway.request_document import RequestDocument
from deployments.gateway.request_log import RequestLog
from deployments.gateway.row_queue import Scores
from deployments.gateway.served_endpoint import ServedVersion

_log = logging.getLogger("raygate.gateway")


class Shadows:
    """Mirrors answered requests to shadow versions and compares what they say with what the caller got.

    Args:
        counters: Where copies that are not made are counted.
        log: Remembers the shadows' answers under the prediction ids of the live ones.
        clock: Monotonic seconds.
        draw: Uniform random number in [0, 1): which requests are copied.
    """

    def __init__(self, counters: Counters, log: RequestLog, clock: Clock, draw: Callable[[], float]) -> None:
        self._counters, self._log, self._clock, self._draw = counters, log, clock, draw
        self._rows_in_flight: dict[ModelVersion, int] = {}
        self._copies: set[asyncio.Task[None]] = set()

    def mirror(self, document: RequestDocument, answer: Answer, incoming: Incoming) -> None:
        """Start the copies of one answered request; those that find no room are dropped and counted."""
        endpoint, rows = answer.endpoint, len(document.rows)
        for shadow in endpoint.policy.shadows:
            if shadow.percent < 100 and self._draw() * 100 >= shadow.percent:
                continue
            served = endpoint.versions.get(shadow.version)
            reason = self._reason_to_drop(shadow, served, rows)
            if reason is not None:
                self._counters.shadow_dropped(endpoint.policy.model, shadow.version, reason, rows)
                continue
            assert served is not None
            self._rows_in_flight[served.name] = self._rows_in_flight.get(served.name, 0) + rows
            task = asyncio.get_running_loop().create_task(self._copy(shadow, served, document, answer, incoming))
            self._copies.add(task)
            task.add_done_callback(self._copies.discard)

    def _reason_to_drop(self, shadow: Shadow, served: ServedVersion | None, rows: int) -> ShadowDrop | None:
        if served is None or not served.ready:
            return ShadowDrop.NOT_READY
        if rows > shadow.max_rows_in_flight:
            return ShadowDrop.TOO_LARGE
        is_full = self._rows_in_flight.get(served.name, 0) + rows > shadow.max_rows_in_flight
        return ShadowDrop.FULL if is_full else None

    async def _copy(
        self, shadow: Shadow, served: ServedVersion, document: RequestDocument, live: Answer, incoming: Incoming
    ) -> None:
        try:
            answer, seconds = await self._ask(shadow, served, document, live, incoming)
            _compare(served, live, answer.scores)
            served.distributions.add(answer.rows, answer.scores.values)
            self._log.answered(answer, incoming, seconds, Stage.SHADOW)
        except RaygateError:  # its schema may take less than the live version's: that, too, is a finding
            served.counts.shadow_failed += len(document.rows)
        except Exception:
            served.counts.shadow_failed += len(document.rows)
            _log.exception("a copy for the shadow %s failed unexpectedly", served.name)
        finally:
            self._rows_in_flight[served.name] -= len(document.rows)

    async def _ask(
        self, shadow: Shadow, served: ServedVersion, document: RequestDocument, live: Answer, incoming: Incoming
    ) -> tuple[Answer, float]:
        began = self._clock()
        dispatcher, rows = served.queue_for(document)
        deadline = began + live.endpoint.policy.limits.deadline_seconds
        scores = await dispatcher.submit(rows, live.ids, deadline, incoming.size)
        if scores.documents is not None:
            rows = features_of(served.name, scores.documents)
        assignment = replace(live.assignment, version=shadow.version, propensity=shadow.percent / 100)
        answer = Answer(live.endpoint, assignment, served, "", live.ids, rows, scores)
        return answer, self._clock() - began


def _compare(served: ServedVersion, live: Answer, scores: Scores) -> None:
    """Count how far the shadow is from the answer that the caller got, row by row."""
    counts, asks_the_same = served.counts, _question(served) == _question(live.served)
    for position in range(live.rows.count):
        if position in scores.errors or position in live.scores.errors:
            counts.shadow_failed += position in scores.errors
            continue
        if not asks_the_same:
            counts.shadow_failed += 1  # nothing to compare: they answer different questions
            continue
        ours, theirs = scores.values[position], live.scores.values[position]
        counts.shadow_rows += 1
        difference = _difference(served, ours, theirs)
        counts.shadow_difference_sum += difference
        counts.shadow_differences[bisect_left(SHADOW_DIFFERENCE_BUCKETS, difference)] += 1
        counts.shadow_disagreements += served.position_of_label(ours.tolist()) != live.served.position_of_label(
            theirs.tolist()
        )


def _question(served: ServedVersion) -> tuple[object, ...]:
    metadata = served.metadata
    return metadata.task, metadata.classes, metadata.targets


def _difference(served: ServedVersion, ours: Floats, theirs: Floats) -> float:
    """Of the second of two classes' probability, else the largest of all."""
    if served.metadata.task is Task.BINARY:
        return abs(float(ours[1] - theirs[1]))
    return float(np.max(np.abs(ours - theirs)))
