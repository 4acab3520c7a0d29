"""One version from its rows to its package."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import Task
from deployments.runtime.package import ModelPackage
from training import (
    custom_metric,
    data,
    decision,
    demands,
    feature_schema,
    findings,
    fitting,
    gates,
    packaging,
    search,
    served_model,
    shipped_code,
    threshold,
)
from training.code_version import code_version
from training.config import TrainedVersion, TrainingConfig
from training.custom_metric import Metric
from training.data import Dataset
from training.fitting import Subject
from training.metric_name import COST
from training.places import Places, Progress
from training.search import Found
from training.served_model import FittedModel, ServedModel
from training.variants import choice
from training.variants.report import VariantReport


def build(
    identity: ModelVersion,
    config: TrainingConfig,
    wanted: TrainedVersion,
    dataset: Dataset,
    recipe: Mapping[str, Any],
    places: Places,
    progress: Progress,
) -> ModelPackage:
    """Search, fit, judge and package one version.

    Args:
        identity: Its name and number.
        config: The document.
        wanted: The version in it.
        dataset: All rows.
        recipe: What it is made from; goes into the package.
        places: Where things go.
        progress: Told in one line what happens.

    Raises:
        InvalidDocument: The document asks for what its rows cannot give; nothing was fitted.
        GateMissed: It is not good enough; nothing was packaged.
        VariantRefused: A variant that is required may not be served; nothing was packaged.
        RaygateError: What else stops it.
    """
    subject = subject_of(config, wanted, data.split(dataset, config.split))
    demands.require(config, wanted, subject)
    # The directory is the same for the same recipe: a run that was cut off finds its trials there.
    digest = hashlib.sha256(packaging.canonical(recipe).encode()).hexdigest()[:12]
    making = _Making(
        identity,
        config,
        wanted,
        dataset,
        recipe,
        places,
        progress,
        subject,
        places.searches / f"{identity}-{digest}",
    )
    made = making.packaged(*making.served(making.fitted(making.searched())))
    shutil.rmtree(making.directory, ignore_errors=True)
    return made


def subject_of(config: TrainingConfig, wanted: TrainedVersion, rows: data.TrainingData) -> Subject:
    """What is fitted for a version of a document."""
    return Subject(
        family=wanted.family,
        parameters=dict(wanted.parameters),
        schema=feature_schema.infer(rows.train.features, config.expected),
        data=rows,
        seed=config.split.seed,
        calibration=wanted.calibration,
        features=config.features,
        expectations=config.expected,
        by_time=config.split.by_time is not None,
    )


@dataclass(frozen=True)
class _Making:
    """A version while it is made."""

    identity: ModelVersion
    config: TrainingConfig
    wanted: TrainedVersion
    dataset: Dataset
    recipe: Mapping[str, Any]
    places: Places
    progress: Progress
    subject: Subject
    directory: Path

    def searched(self) -> Found | None:
        """The best hyperparameters, if any are looked for."""
        plan = self.wanted.search
        if plan is None:
            return None
        pace = f"{plan.at_once} trials at once" if plan.at_once > 1 else "one trial after the other"
        self.progress(f"{self.identity}: searching with {plan.algorithm}, {pace}")
        self.places.connect()

        def tell(done: int, best: float) -> None:
            self.progress(f"{self.identity}: {done} trials done, best {best:.4f}")

        return search.run(self.subject, plan, self.directory, tell)

    def fitted(self, found: Found | None) -> FittedModel:
        """The model that is fitted on the training rows with what was found."""
        rows, searched = self.subject.data, found.parameters if found else {}
        count = rows.all_rows[0] if rows.all_rows else len(rows.train.target)
        self.progress(f"{self.identity}: fitting {self.wanted.family} on {count} rows")
        estimator = self._estimator(searched)
        chosen, reason = threshold.choose(self.config.decision, self.subject, estimator)
        return FittedModel(
            identity=self.identity,
            estimator=estimator,
            schema=self.subject.schema,
            task=rows.task,
            classes=rows.classes,
            family=self.wanted.family,
            targets=rows.targets,
            parameters={**self.wanted.parameters, **searched},
            data_fingerprint=self.dataset.fingerprint,
            data_version=self.dataset.version,
            code_version=code_version(),
            threshold=chosen,
            threshold_reason=reason,
            trained_from=self.recipe,
            trials=found.trials if found else (),
            risk_tier=self.config.risk_tier,
            code=shipped_code.read(self.config.transformers) if self.config.transformers else {},
        )

    def _estimator(self, searched: dict[str, Any]) -> Any:
        if self.config.distributed is None:
            return fitting.fit(self.subject, searched)
        from training.distributed import fitting as distributed_fitting

        return distributed_fitting.fit(self.config, self.subject, searched, self.directory)

    def served(self, model: FittedModel) -> tuple[ServedModel, tuple[VariantReport, ...]]:
        """The form that answers, and what became of each variant."""
        rows = self.subject.data
        trained = served_model.choose_path(model, rows.train.features, rows.validation.features)

        def decide(fitted: Any) -> tuple[float, str]:
            return threshold.choose(self.config.decision, self.subject, fitted)

        return choice.choose(trained, self.subject, self.wanted.variants, decide, self.progress)

    def packaged(self, served: ServedModel, variants: tuple[VariantReport, ...]) -> ModelPackage:
        """The package, if the served form keeps the gates."""
        rows, limits = self.subject.data, {**self.config.gates, **self.wanted.gates}
        more = _metrics(self.config, rows.classes, rows.task)
        report = served_model.judge(served, rows.test.features, rows.test.target, more)
        report = report.model_copy(update={"variants": variants})
        gates.check(str(self.identity), report, limits)
        reference = served_model.describe(served, rows.train.features, rows.validation.features)
        report, documents = findings.describe(self.config, limits, served, report, rows, self.dataset, reference)
        return packaging.build_package(
            served, self.places.store, rows.train.features, reference, report, self.places.signing_key, documents
        )


def _metrics(config: TrainingConfig, classes: tuple[str | int | bool, ...], task: Task) -> dict[str, Metric]:
    """Metrics beside the usual ones."""
    metrics = {name: custom_metric.load(path) for name, path in config.metrics.items()}
    if config.decision.follows_costs and task is Task.BINARY:
        positive = classes[1]
        metrics[COST] = lambda truth, returned, scores: decision.cost(
            truth == positive, returned == positive, config.decision
        )
    return metrics
