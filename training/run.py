"""A training run: from a document to packages in the store and versions in the registry."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.contracts.errors import PackageNotFound, PackagingFailed
from deployments.contracts.model_version import ModelVersion
from deployments.runtime import package
from deployments.runtime.model_store import ModelStore
from deployments.runtime.package import ModelPackage
from training.config import TrainedVersion, TrainingConfig
from training.registry import Registry

if TYPE_CHECKING:
    from training.data import Dataset

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Places:
    """Where a run puts things.

    Attributes:
        store: Model packages.
        registry: MLflow.
        connect: Connects this process to a Ray; called before a search, and only then.
    """

    store: ModelStore
    registry: Registry
    connect: Callable[[], None]


@dataclass(frozen=True)
class Outcome:
    """One version after a run.

    Attributes:
        package: The package.
        reused: It was there already, from the same config and data.
    """

    package: ModelPackage
    reused: bool


def train(config: TrainingConfig, places: Places, progress: Progress) -> list[Outcome]:
    """Train every version of a document that is not there yet, and register all of them.

    Each version is complete on its own: a crash leaves those before it, and the next run goes on from there.
    Versions are registered in the document's order, so that its first becomes the champion.

    Args:
        config: The document.
        places: Store, registry and Ray.
        progress: Told in one line what happens.

    Raises:
        InvalidDocument: The document does not fit the data.
        PackagingFailed: A version misses a gate, or is in the store already, trained from something else.
    """
    from training import data

    rows = data.read(config)
    outcomes = []
    for wanted in config.versions:
        identity = ModelVersion(config.model, wanted.version)
        recipe = _recipe(config, wanted, rows.fingerprint)
        outcome = _reusable(identity, recipe, places.store)
        if outcome is None:
            outcome = Outcome(_train(identity, config, wanted, rows, recipe, places, progress), reused=False)
        progress(_summary(identity, outcome))
        register(outcome.package, places.store, places.registry)
        outcomes.append(outcome)
    return outcomes


def register(made: ModelPackage, store: ModelStore, registry: Registry) -> None:
    """Register a package of the store; costs nothing if that has been done."""
    directory = store.path(made.metadata.model, made.metadata.version)
    registry.register(made, directory.with_name(f".{directory.name}.registered.json"))


def _train(
    identity: ModelVersion,
    config: TrainingConfig,
    wanted: TrainedVersion,
    dataset: Dataset,
    recipe: dict[str, Any],
    places: Places,
    progress: Progress,
) -> ModelPackage:
    from training import data, evaluation, feature_schema, packaging, search, served_model

    rows = data.split(dataset, config.split)
    schema = feature_schema.infer(rows.train.features)
    subject = search.Subject(wanted.family, dict(wanted.parameters), schema, rows, config.split.seed)
    found: dict[str, Any] = {}
    if wanted.search is not None:
        found = _searched(identity, subject, wanted, places, progress)
    progress(f"{identity}: fitting {wanted.family} on {len(rows.train.target)} rows")
    model = served_model.FittedModel(
        identity=identity,
        estimator=search.fit(subject, found),
        schema=schema,
        task=rows.task,
        classes=rows.classes,
        family=wanted.family,
        parameters={**wanted.parameters, **found},
        data_fingerprint=dataset.fingerprint,
        code_version=_code_version(),
        trained_from=recipe,
    )
    served = served_model.choose_path(model, rows.train.features, rows.validation.features)
    metrics = served_model.judge(served, rows.test.features, rows.test.target)
    evaluation.check_gates(str(identity), metrics, {**config.gates, **wanted.gates})
    reference = served_model.describe(served, rows.train.features, rows.validation.features)
    return packaging.build_package(served, places.store, rows.train.features, reference, metrics)


def _searched(
    identity: ModelVersion, subject: Any, wanted: TrainedVersion, places: Places, progress: Progress
) -> dict[str, Any]:
    from training import search

    plan = wanted.search
    assert plan is not None
    progress(f"{identity}: searching with {plan.algorithm}, {plan.parallel} trials at once")
    places.connect()

    def tell(done: int, best: float) -> None:
        progress(f"{identity}: trial {done} of {plan.trials}, best {plan.metric} {best:.4f}")

    with tempfile.TemporaryDirectory(prefix="raygate-search-") as scratch:
        return search.run(subject, plan, Path(scratch), tell).parameters


def _recipe(config: TrainingConfig, wanted: TrainedVersion, data_fingerprint: str) -> dict[str, Any]:
    """Everything that decides what a version becomes; the gates do not."""
    return {
        "data": data_fingerprint,
        "target": config.target.model_dump(mode="json"),
        "features": config.features.model_dump(mode="json"),
        "split": config.split.model_dump(mode="json"),
        "version": wanted.model_dump(mode="json", exclude={"gates"}),
    }


def _reusable(identity: ModelVersion, recipe: dict[str, Any], store: ModelStore) -> Outcome | None:
    from training.trained_from import TRAINED_FROM

    try:
        present = package.load(store.find(identity.model, identity.version))
    except PackageNotFound:
        return None
    origin = json.loads(present.read(TRAINED_FROM)) if TRAINED_FROM in present.manifest.files else {}
    if origin != json.loads(json.dumps(recipe)):
        changed = sorted(part for part in recipe if origin.get(part) != recipe[part])
        raise PackagingFailed(
            str(identity),
            f"is in the store already, made from other {', '.join(changed)}; a version never changes: "
            "give the new one another number",
        )
    return Outcome(present, reused=True)


def _summary(identity: ModelVersion, outcome: Outcome) -> str:
    metadata = outcome.package.metadata
    figures = ", ".join(f"{name} {metadata.metrics[name]:.3f}" for name in list(metadata.metrics)[:5])
    verb = "reused" if outcome.reused else "trained"
    return f"{identity}: {verb}, {metadata.path.value} path; {figures}"


def _code_version() -> str:
    """Git commit of the code, or empty outside a checkout."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()
