"""What a gateway holds of an endpoint while its policy is in force."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.package import ModelMetadata, Task
from deployments.contracts.prediction import Label
from deployments.contracts.snapshot import VersionCounts
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.gateway.dispatch import Dispatcher
from deployments.gateway.row_validation import RowValidator
from deployments.routing.slot_table import SlotTable


@dataclass(slots=True)
class ServedVersion:
    """One version: how its rows are checked, sent and read.

    Attributes:
        digest: Of the package that the pool loaded.
        ready: Whether the pool answered when it was last asked.
    """

    name: ModelVersion
    digest: str
    metadata: ModelMetadata
    validator: RowValidator
    dispatcher: Dispatcher
    counts: VersionCounts
    ready: bool = True
    text: str = field(init=False)
    class_texts: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.text = str(self.name.version)
        self.class_texts = tuple(_label_text(label) for label in self.metadata.classes)

    @property
    def schema(self) -> FeatureSchema:
        """The feature schema that rows are validated against."""
        return self.validator.schema

    def read(self, scores: list[float], probabilities: bool) -> dict[str, Any]:
        """The caller's view of one row's scores; counts the label.

        Args:
            scores: A probability for each class, or the value of a regression.
            probabilities: Whether all of them were asked for.
        """
        metadata = self.metadata
        if metadata.task is Task.REGRESSION:
            return {"prediction": scores[0]}
        if metadata.task is Task.BINARY:
            best = 1 if scores[1] >= metadata.threshold else 0
        else:
            best = scores.index(max(scores))
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
        versions: Those whose pools have described themselves. One that the policy names and that is not here
            cannot answer yet.
    """

    policy: TrafficPolicy
    table: SlotTable
    versions: dict[Version, ServedVersion]
    sticky_header: bytes = b""
    sticky_feature: str = ""

    @classmethod
    def under(cls, policy: TrafficPolicy, versions: dict[Version, ServedVersion]) -> ServedEndpoint:
        """The endpoint under a policy."""
        sticky = policy.sticky_by
        return cls(
            policy=policy,
            table=SlotTable(policy.slots),
            versions=versions,
            sticky_header=sticky.header.lower().encode() if sticky and sticky.header else b"",
            sticky_feature=sticky.feature or "" if sticky else "",
        )

    @property
    def stable_is_ready(self) -> bool:
        """Whether the endpoint can answer."""
        stable = self.versions.get(self.policy.stable)
        return stable is not None and stable.ready


def _label_text(label: Label) -> str:
    """A label as a JSON key and a metric label: ``true``, not ``True``."""
    return str(label).lower() if isinstance(label, bool) else str(label)
