"""One version from its rows to its package."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deployments.contracts.errors import FieldProblem, InvalidDocument
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import Task
from deployments.runtime.package import ModelPackage
from training import (
    custom_metric,
    data,
    decision,
    evaluation,
    feature_schema,
    findings,
    fitting,
    gates,
    packaging,
    search,
    served_model,
    shipped_code,
)
from training.code_version import code_version
from training.config import TrainedVersion, TrainingConfig
from training.custom_metric import Metric
from training.data import Dataset, Part
from training.fitting import Subject
from training.metric_name import COST
from training.places import Places, Progress
from training.search import Found
from training.variants import choice


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
        GateMissed: It is not good enough; nothing was packaged.
        VariantRefused: A variant that is required may not be served; nothing was packaged.
        RaygateError: What else stops it.
    """
    rows = data.split(dataset, config.split)
    subject = subject_of(config, wanted, rows)
    findings.require(config, subject.schema, rows.task)
    choice.require(wanted.variants, subject)
    more = _metrics(config, rows.classes, rows.task)
    found = _searched(identity, subject, wanted, recipe, places, progress)
    searched = found.parameters if found else {}
    count = rows.all_rows[0] if rows.all_rows else len(rows.train.target)
    progress(f"{identity}: fitting {wanted.family} on {count} rows")
    estimator = _fitted(config, subject, searched, _search_directory(places, identity, recipe))
    threshold, reason = _threshold(config, subject, estimator)
    model = served_model.FittedModel(
        identity=identity,
        estimator=estimator,
        schema=subject.schema,
        task=rows.task,
        classes=rows.classes,
        family=wanted.family,
        targets=rows.targets,
        parameters={**wanted.parameters, **searched},
        data_fingerprint=dataset.fingerprint,
        data_version=dataset.version,
        code_version=code_version(),
        threshold=threshold,
        threshold_reason=reason,
        trained_from=recipe,
        trials=found.trials if found else (),
        risk_tier=config.risk_tier,
        code=shipped_code.read(config.transformers) if config.transformers else {},
    )
    trained = served_model.choose_path(model, rows.train.features, rows.validation.features)
    served, variants = choice.choose(
        trained, subject, wanted.variants, lambda fitted: _threshold(config, subject, fitted), progress
    )
    report = served_model.judge(served, rows.test.features, rows.test.target, more)
    report = report.model_copy(update={"variants": variants})
    limits = {**config.gates, **wanted.gates}
    gates.check(str(identity), report, limits)
    reference = served_model.describe(served, rows.train.features, rows.validation.features)
    report, documents = findings.describe(config, limits, served, report, rows, dataset, reference)
    made = packaging.build_package(
        served, places.store, rows.train.features, reference, report, places.signing_key, documents
    )
    shutil.rmtree(_search_directory(places, identity, recipe), ignore_errors=True)
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
    )


def _searched(
    identity: ModelVersion,
    subject: Subject,
    wanted: TrainedVersion,
    recipe: Mapping[str, Any],
    places: Places,
    progress: Progress,
) -> Found | None:
    plan = wanted.search
    if plan is None:
        return None

    progress(f"{identity}: searching with {plan.algorithm}, {plan.parallel} trials at once")
    places.connect()

    def tell(done: int, best: float) -> None:
        progress(f"{identity}: {done} trials done, best {best:.4f}")

    return search.run(subject, plan, _search_directory(places, identity, recipe), tell)


def _fitted(config: TrainingConfig, subject: Subject, searched: dict[str, Any], directory: Path) -> Any:
    if config.distributed is None:
        return fitting.fit(subject, searched)
    from training.distributed import fitting as distributed_fitting

    return distributed_fitting.fit(config, subject, searched, directory)


def _search_directory(places: Places, identity: ModelVersion, recipe: Mapping[str, Any]) -> Path:
    """The same for the same recipe: a run that was cut off finds its trials there."""
    digest = hashlib.sha256(packaging.canonical(recipe).encode()).hexdigest()[:12]
    return places.searches / f"{identity}-{digest}"


def _threshold(config: TrainingConfig, subject: Subject, estimator: Any) -> tuple[float, str]:
    said, task = config.decision, subject.data.task
    if said == decision.Decision():
        return decision.DEFAULT, ""
    if task is not Task.BINARY:
        message = f"is for two labels, and this is a {task.value}"
        raise InvalidDocument("training config", (FieldProblem("decision", message),))
    if said.threshold is not None:
        return said.threshold, "given"
    held_out = subject.data.validation
    truth = _is_positive(held_out, subject.data.classes)
    return decision.cheapest(truth, fitting.scores(subject, estimator, held_out)[:, 1], said)


def _is_positive(rows: Part, classes: tuple[str | int | bool, ...]) -> Any:
    return evaluation.positions(rows.target, classes) == 1


def _metrics(config: TrainingConfig, classes: tuple[str | int | bool, ...], task: Task) -> dict[str, Metric]:
    """Metrics beside the usual ones, loaded now: a path that leads nowhere stops the run before it trains."""
    metrics = {name: custom_metric.load(path) for name, path in config.metrics.items()}
    if config.decision.follows_costs and task is Task.BINARY:
        positive = classes[1]
        metrics[COST] = lambda truth, returned, scores: decision.cost(
            truth == positive, returned == positive, config.decision
        )
    return metrics
