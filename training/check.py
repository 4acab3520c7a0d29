"""A training document tried on its data, without training anything."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.package import Task
from training import data, demands, feature_schema, notices, reading, version_build
from training.config import TrainingConfig


@dataclass(frozen=True)
class Checked:
    """What a run would train from.

    Attributes:
        rows: Rows of train, validation and test.
        task: What the target asks.
        classes: Labels; empty for a regression.
        fingerprint: SHA-256 of the data.
        version: Which version of its source was read, or empty.
        schema: What a served version would accept.
        notices: What is allowed and yet worth knowing, a sentence each.
    """

    rows: tuple[int, int, int]
    task: Task
    classes: tuple[str | int | bool, ...]
    fingerprint: str
    version: str
    schema: FeatureSchema
    notices: tuple[str, ...]


def check(config: TrainingConfig) -> Checked:
    """Read the data, compare it with what is expected and describe what would be trained.

    Args:
        config: The document; if it is ``distributed``, this process is connected to a Ray.

    Raises:
        RaygateError: What would stop the run before it trains.
    """
    dataset = reading.read(config)
    parts = data.split(dataset, config.split)
    schema = feature_schema.infer(parts.train.features, config.expected)
    for wanted in config.versions:
        subject = version_build.subject_of(config, wanted, parts)
        demands.require(config, wanted, subject)
    counts = parts.all_rows or (len(parts.train.target), len(parts.validation.target), len(parts.test.target))
    return Checked(
        counts,
        dataset.task,
        dataset.classes,
        dataset.fingerprint,
        dataset.version,
        schema,
        tuple(notices.find(parts, schema)),
    )
