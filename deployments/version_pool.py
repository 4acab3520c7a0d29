"""Replicas of exactly one model version: a Serve deployment that adapts, and decides nothing."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from ray import serve

from deployments import pool_scaling, tracing
from deployments.contracts.errors import ModelHangs
from deployments.contracts.package import InferencePath
from deployments.contracts.traffic_policy import TransformerPair
from deployments.contracts.wire import PoolDescription, PoolReply, PoolRequest
from deployments.documents.document_model import DocumentModel
from deployments.logs import setup as logs
from deployments.runtime import package, trust
from deployments.runtime.explanations.explaining_thread import ExplainingThread
from deployments.runtime.predictor import Predictor

HANGS_SECONDS = 30.0  # no caller waits for so long
BACKLOG_SECONDS = 2.0  # a gateway that was not heard of for so long has nothing waiting, or is gone
AT_WORK = 0.001  # the least that a replica is busy while a call is under way, which counts once it ends
Result = TypeVar("Result")


class VersionPool:
    """One replica. Its arguments never change in place: another package is another application.

    Args:
        package_directory: Where the package lies.
        digest: The package that must lie there; any other is refused before anything is unpickled.
        trusted_keys: Reference of the keys of which one must have signed it, as this replica sees them; read when
            it starts. None asks for no signature.
    """

    def __init__(self, package_directory: str, digest: str, trusted_keys: str | None = None) -> None:
        logs.configure("pool")
        self._tracing = tracing.configure("raygate-pool")
        self._name = uuid.uuid4().hex
        self._package = package.load(Path(package_directory), digest, trust.keys_at(trusted_keys))
        self._predictor = Predictor(self._package)
        self._predictor.warm()
        # The native path holds the interpreter for milliseconds: off the event loop, health checks and describe()
        # go on meanwhile. The compiled path takes less than the hand-over to a thread.
        is_native = self._predictor.path is InferencePath.NATIVE
        self._native_thread = ThreadPoolExecutor(1, "native") if is_native else None
        self._document_thread = self._native_thread
        self._documents: DocumentModel | None = None
        self._explaining = ExplainingThread(self._predictor)
        self._target = 0.7
        self._busy_seconds, self._asked_at = 0.0, time.monotonic()
        self._working_since: dict[object, float] = {}
        self._backlogs: dict[str, tuple[int, float]] = {}

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take over the wanted utilisation and the endpoint's transformers without a restart.

        Raises:
            TransformerUnusable: The package has no such transformers, or they cannot be loaded.
        """
        self._target = float(user_config["target_utilisation"])
        named = user_config.get("transformers")
        if named is not None:
            # Code of the endpoint's owner may take its time: never on the event loop.
            pair = TransformerPair.model_validate(named)
            self._documents = await asyncio.to_thread(DocumentModel.load, self._predictor, pair.pre, pair.post)
            self._document_thread = self._document_thread or ThreadPoolExecutor(1, "documents")
        else:
            self._documents = None

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What ``pool_scaling`` decides on; Serve asks once an interval."""
        now = time.monotonic()
        busy = max(self._busy_seconds / max(now - self._asked_at, 1e-3), AT_WORK if self._working_since else 0.0)
        self._busy_seconds, self._asked_at = 0.0, now
        self._backlogs = {name: told for name, told in self._backlogs.items() if now - told[1] < BACKLOG_SECONDS}
        backlog = sum(rows for rows, _ in self._backlogs.values())
        return {
            pool_scaling.BUSY: min(busy, 1.0),
            pool_scaling.BACKLOG: backlog,
            pool_scaling.TARGET: self._target,
        }

    async def check_health(self) -> None:
        """Let Serve replace a replica whose model hangs: its thread never comes back, and nobody can end it.

        Raises:
            ModelHangs: One call takes longer than any should.
        """
        began = min(self._working_since.values(), default=None)
        if began is not None and time.monotonic() - began > HANGS_SECONDS:
            raise ModelHangs(self._package.metadata.model, HANGS_SECONDS)

    async def describe(self) -> dict[str, Any]:
        """What a gateway needs to know before it sends rows (``wire.PoolDescription``)."""
        described = PoolDescription(
            self._package.digest,
            self._package.schema,
            self._package.metadata,
            self._package.reference,
            None if self._documents is None else self._documents.transformers.schemas,
            str(self._package.directory),
        )
        return described.to_plain()

    async def predict(self, plain: dict[str, Any]) -> dict[str, Any]:
        """Score the rows of a ``wire.PoolRequest`` into a ``wire.PoolReply``.

        Raises:
            WireMismatch: The gateway speaks another contract version.
        """
        request = PoolRequest.from_plain(plain)
        span = self._tracing.begin_answer("predict", request.traceparent)
        reply: PoolReply | None = None
        try:
            reply = await self._answer(request)
            return reply.to_plain()
        finally:
            if span is not None:
                failure = "interrupted" if reply is None else reply.refusal
                tracing.end(span, self._traced(request, reply), failure)

    async def _answer(self, request: PoolRequest) -> PoolReply:
        if request.schema_fingerprint != self._package.schema.fingerprint:
            return await self._answer_documents(request)
        self._backlogs[request.gateway] = (request.backlog, time.monotonic())
        began = time.perf_counter()
        predict = self._predictor.predict
        scored, seconds = await self._work(
            lambda: predict(request.columns), request.budget_seconds, self._native_thread
        )
        if scored is None:
            return self._refused("expired")
        self._busy_seconds += seconds
        explanations = None
        if request.explain:
            left = request.budget_seconds - (time.perf_counter() - began)
            explanations = await self._explaining.explain(request.columns, request.explain, scored.scores, left)
            self._busy_seconds += explanations.seconds
        return PoolReply(
            digest=self._package.digest,
            path=scored.path,
            scores=scored.scores,
            errors=scored.errors,
            model_seconds=seconds,
            explanations=explanations,
            replica=self._name,
        )

    async def _answer_documents(self, request: PoolRequest) -> PoolReply:
        """Rows of another schema: the endpoint's documents, or nothing that this pool knows."""
        documents = self._documents
        if documents is None or request.schema_fingerprint != documents.transformers.fingerprint:
            return self._refused("schema")
        self._backlogs[f"{request.gateway} documents"] = (request.backlog, time.monotonic())
        (texts,), now = request.columns.textual, datetime.now(UTC)
        answered, seconds = await self._work(
            lambda: documents.answer(texts, request.prediction_ids, now),
            request.budget_seconds,
            self._document_thread,
        )
        if answered is None:
            return self._refused("expired")
        self._busy_seconds += seconds
        scored = answered.scored
        return PoolReply(
            digest=self._package.digest,
            path=scored.path,
            scores=scored.scores,
            errors=scored.errors,
            model_seconds=seconds,
            documents=answered.reply,
            replica=self._name,
        )

    async def _work(
        self, work: Callable[[], Result], budget_seconds: float, thread: ThreadPoolExecutor | None
    ) -> tuple[Result | None, float]:
        """What the work gives and how long it took; nothing if nobody waits any more when its turn comes."""
        expires = time.perf_counter() + budget_seconds

        def timed() -> tuple[Result | None, float]:
            began = time.perf_counter()
            if began > expires:
                return None, 0.0
            this = object()
            self._working_since[this] = time.monotonic()
            try:
                return work(), time.perf_counter() - began
            finally:
                del self._working_since[this]

        if thread is None:
            return timed()
        return await asyncio.get_running_loop().run_in_executor(thread, timed)

    def _traced(self, request: PoolRequest, reply: PoolReply | None) -> dict[str, str | int | float]:
        """What the span says of a call; never a feature's value."""
        metadata = self._package.metadata
        attributes: dict[str, str | int | float] = {
            "raygate.model": metadata.model,
            "raygate.model_version": str(metadata.version),
            "raygate.rows": len(request.columns),
        }
        if reply is not None:
            attributes["raygate.path"] = reply.path
            attributes["raygate.model_seconds"] = reply.model_seconds
            attributes["raygate.row_errors"] = len(reply.errors)
            attributes["raygate.explained_rows"] = len(reply.explanations.explained) if reply.explanations else 0
        return attributes

    def _refused(self, reason: str) -> PoolReply:
        return PoolReply(
            self._package.digest, self._predictor.path, np.empty((0, 0)), refusal=reason, replica=self._name
        )

    def __del__(self) -> None:
        """Serve calls this when a replica is stopped in good order."""
        self._tracing.close()


VersionPoolDeployment = serve.deployment(name="VersionPool")(VersionPool)
