"""A version pool in memory: the double of ``PoolClient`` for tests without Ray."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import InferencePath, ModelMetadata, Parity, Task
from deployments.contracts.reference_profile import ReferenceProfile
from deployments.contracts.wire import Columns, Floats, PoolDescription, PoolReply, PoolRequest


def first_number_as_probability(columns: Columns) -> Floats:
    """Two classes; the positive one's probability is the first numeric feature."""
    positive = columns.numeric[:, 0]
    return np.column_stack([1 - positive, positive])


@dataclass
class MemoryPool:
    """Answers like a pool, and remembers what it was asked.

    Attributes:
        name: The version that it plays.
        schema: What it describes itself with.
        model: Scores of columns.
        failures: Raised by the next calls, one each; a transport that breaks.
        gate: While it is not set, calls wait: a pool that is busy.
        calls: Requests that came, in order.
        up: While it is not set, the pool has no replica: whoever calls waits for one.
        described: How often it was asked what it serves.
    """

    name: ModelVersion
    schema: FeatureSchema
    model: Callable[[Columns], Floats] = first_number_as_probability
    classes: tuple[str, ...] = ("good", "bad")
    targets: tuple[str, ...] = ()
    failures: list[BaseException] = field(default_factory=list)
    row_errors: dict[str, str] = field(default_factory=dict)
    gate: asyncio.Event | None = None
    calls: list[PoolRequest] = field(default_factory=list)
    up: asyncio.Event | None = None
    described: int = 0
    digest: str = "d" * 64
    reference: ReferenceProfile = field(default_factory=lambda: ReferenceProfile(rows=1, features={}))

    @property
    def is_asleep(self) -> bool:
        """Whether it has no replica."""
        return self.up is not None and not self.up.is_set()

    async def describe(self, timeout_seconds: float) -> PoolDescription:
        """Say what it serves, or fail like the transport."""
        self.described += 1
        if self.up is not None:
            await asyncio.wait_for(self.up.wait(), timeout_seconds)
        if self.failures:
            raise self.failures.pop(0)
        return PoolDescription(self.digest, self.schema, self._metadata(), self.reference)

    async def predict(self, request: PoolRequest) -> PoolReply:
        """Score what came over the wire."""
        request = PoolRequest.from_plain(request.to_plain())
        self.calls.append(request)
        if self.up is not None:
            await self.up.wait()
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        if request.schema_fingerprint != self.schema.fingerprint:
            return PoolReply(self.digest, InferencePath.NATIVE, np.empty((0, 0)), refusal="schema")
        scores = self.model(request.columns)
        errors = {
            row: code
            for row, texts in enumerate(zip(*request.columns.textual, strict=True))
            for text, code in self.row_errors.items()
            if text in texts
        }
        reply = PoolReply(self.digest, InferencePath.COMPILED, scores, errors, model_seconds=0.001)
        return PoolReply.from_plain(reply.to_plain())

    def _metadata(self) -> ModelMetadata:
        return ModelMetadata(
            model=self.name.model,
            version=self.name.version,
            task=Task.BINARY if len(self.classes) == 2 else Task.MULTICLASS if self.classes else Task.REGRESSION,
            classes=self.classes,
            targets=self.targets,
            path=InferencePath.COMPILED,
            parity=Parity(rows=1, max_difference=0.0, label_flips=0, tolerance=1e-5),
            family="memory",
            created=datetime(2026, 1, 1, tzinfo=UTC),
        )
