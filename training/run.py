"""A training run: from a document to packages in the store and versions in the registry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deployments.contracts.model_version import ModelVersion
from deployments.runtime.model_store import ModelStore
from deployments.runtime.package import ModelPackage
from training import identity, recipe
from training.config import TrainingConfig
from training.places import Places, Progress
from training.registry import Registry


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
        RaygateError: See ``build``.
        RegistryUnavailable: MLflow does not answer; the next run goes on.
    """
    outcomes = []
    for outcome in build(config, places, progress):
        register(outcome.package, places.store, places.registry)
        outcomes.append(outcome)
    return outcomes


def build(config: TrainingConfig, places: Places, progress: Progress) -> Iterator[Outcome]:
    """Train every version of a document that is not in the store yet, and register none.

    Args:
        config: The document.
        places: Store and Ray.
        progress: Told in one line what happens.

    Raises:
        InvalidDocument: The document does not fit the data.
        DataRejected: The rows are not as expected.
        GateMissed: A version is not good enough.
        PackagingFailed: A version is in the store already, trained from something else.
    """
    from training import reading

    if config.distributed:
        places.connect()
    rows = reading.read(config)
    for wanted in config.versions:
        wanted_from = recipe.recipe(config, wanted, rows.fingerprint)
        present = identity.present(config.model, wanted.version, wanted_from, places.store)
        if present is not None:
            outcome = Outcome(present, reused=True)
        else:
            from training import version_build  # seconds of imports that a run with nothing to do is spared

            name = identity.decide(config, wanted, rows, places.store, progress)
            made = version_build.build(name, config, wanted, rows, wanted_from, places, progress)
            outcome = Outcome(made, reused=False)
        progress(_summary(outcome))
        yield outcome


def register(made: ModelPackage, store: ModelStore, registry: Registry) -> None:
    """Register a package of the store; costs nothing if that has been done."""
    directory = store.path(made.metadata.model, made.metadata.version)
    registry.register(made, directory.with_name(f".{directory.name}.registered.json"))


def _summary(outcome: Outcome) -> str:
    metadata = outcome.package.metadata
    name = ModelVersion(metadata.model, metadata.version)
    figures = ", ".join(f"{metric} {metadata.metrics[metric]:.3f}" for metric in list(metadata.metrics)[:5])
    verb = "reused" if outcome.reused else "trained"
    return f"{name}: {verb}, {metadata.path.value} path; {figures}"
