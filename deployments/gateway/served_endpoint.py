"""What a gateway holds of an endpoint while its policy is in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from deployments.contracts import prediction_id
from deployments.contracts.errors import PoolUnavailable
from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.package import ModelMetadata, Task
from deployments.contracts.snapshot import VersionCounts
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.gateway.dispatch import Dispatcher
from deployments.gateway.distribution_counter import DistributionCounter
from deployments.gateway.document_line import DocumentLine
from deployments.gateway.request_document import RequestDocument
from deployments.gateway.row_validation import RowValidator, ValidatedRows
from deployments.gateway.sleeper import Sleeper
from deployments.routing.assignment import Routes


@dataclass(slots=True)
class ServedVersion:
    """One version: how its rows are checked, sent and read.

    Attributes:
        digest: Of the package that the pool loaded.
        tag: Ends the ids of its predictions.
        split_tag: Ends them where the split chose the version.
        ready: Whether the pool is thought to answer: it did when it was last asked, or has answered rows since.
        documents: How documents are sent; None where the endpoint or the pool has no transformers.
    """

    name: ModelVersion
    digest: str
    metadata: ModelMetadata
    validator: RowValidator
    dispatcher: Dispatcher
    counts: VersionCounts
    distributions: DistributionCounter
    tag: str
    split_tag: str
    ready: bool = True
    documents: DocumentLine | None = None
    text: str = field(init=False)
    class_texts: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.text = str(self.name.version)
        self.class_texts = self.metadata.class_texts

    @property
    def schema(self) -> FeatureSchema:
        """The feature schema that rows are validated against."""
        return self.validator.schema

    def new_ids(self, count: int, by_split: bool) -> list[str]:
        """Ids of predictions that this version is about to make, chosen by the split or otherwise."""
        tag = self.split_tag if by_split else self.tag
        return [prediction_id.make(tag) for _ in range(count)]

    def queue_for(self, asked: RequestDocument) -> tuple[Dispatcher, ValidatedRows]:
        """Where the rows of a request wait, and as what.

        Raises:
            InvalidRows: A row does not fit the schema.
            PoolUnavailable: The pool does not have the endpoint's transformers yet.
        """
        if asked.text is None:
            return self.dispatcher, self.validator.validate(asked.rows, asked.single)
        if self.documents is None:
            raise PoolUnavailable(str(self.name), 0, "no transformers")
        return self.documents.dispatcher, ValidatedRows(1, [], [asked.text], [])

    def position_of_label(self, scores: list[float]) -> int:
        """Position of the returned label among the classes; 0 for a regression."""
        return self.metadata.position_of_label(scores)

    def tell_and_count(self, scores: list[float], probabilities: bool) -> dict[str, Any]:
        """The caller's view of one row's scores; its label is counted as returned.

        Args:
            scores: A probability for each class, or the values of a regression.
            probabilities: Whether all of them were asked for.
        """
        metadata = self.metadata
        if metadata.task is Task.REGRESSION:
            targets = metadata.targets
            return {"prediction": dict(zip(targets, scores, strict=True)) if targets else scores[0]}
        best = self.position_of_label(scores)
        labels = self.counts.labels
        text = self.class_texts[best]
        labels[text] = labels.get(text, 0) + 1
        answer: dict[str, Any] = {"prediction": metadata.classes[best], "probability": scores[best]}
        if probabilities:
            answer["probabilities"] = dict(zip(self.class_texts, scores, strict=True))
        return answer


@dataclass(frozen=True, slots=True)
class ServedEndpoint:
    """An endpoint under one traffic policy; replaced as a whole when the policy changes.

    Attributes:
        routes: Where requests go: the policy's, or what a bandit made of them.
        versions: Those whose pools have described themselves. One that the policy names and that is not here
            cannot answer yet.
        sleepers: Those whose pools may have no replica, described or not.
    """

    policy: TrafficPolicy
    routes: Routes
    versions: dict[Version, ServedVersion]
    sleepers: Mapping[Version, Sleeper]

    @classmethod
    def under(
        cls,
        policy: TrafficPolicy,
        versions: dict[Version, ServedVersion],
        sleepers: Mapping[Version, Sleeper] = MappingProxyType({}),
    ) -> ServedEndpoint:
        """The endpoint under a policy."""
        return cls(policy, Routes.of(policy), versions, sleepers)

    def reweighted(self, weights: Mapping[Version, float]) -> ServedEndpoint:
        """The endpoint with other weights, by the fewest moves from those in force; itself if no slot moves."""
        table = self.routes.table.reweighted(weights)
        if table is self.routes.table:
            return self
        return replace(self, routes=replace(self.routes, table=table))

    @property
    def shares(self) -> dict[Version, float]:
        """Share of the traffic (0 to 1) of every version that has any."""
        return self.routes.table.shares

    def sleeps(self, version: Version) -> bool:
        """Whether a version's pool has no replica, and gets one as soon as somebody asks."""
        return version in self.sleepers and self.sleepers[version].asleep

    @property
    def stable(self) -> ServedVersion | None:
        """The stable version, once its pool has described itself."""
        return self.versions.get(self.policy.stable)

    @property
    def stable_is_ready(self) -> bool:
        """Whether the endpoint can answer."""
        return self.stable is not None and self.stable.ready
