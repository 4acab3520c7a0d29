"""MLflow: the run that a version came from, and the version in the model registry.

Registration can be repeated: what is there already is found by the package's digest and kept. The tag that says so
is written last, so a crash at any line is repaired by the next call.
"""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.runtime.package import ModelPackage

VERSION_TAG = "raygate.version"
DIGEST_TAG = "raygate.digest"
CHAMPION = "champion"
CHALLENGER = "challenger"
ARTIFACT = "package"


@dataclass(frozen=True)
class Registry:
    """Where versions are registered.

    Attributes:
        uri: Tracking and registry URI; a SQLite file by default.
        artifacts: Directory of artifacts for the embedded store; a tracking server decides for itself.
    """

    uri: str
    artifacts: Path

    def register(self, package: ModelPackage, receipt: Path) -> None:
        """Log a package's run, register its version and give it an alias, unless the receipt says it is done.

        The first version of a model becomes the ``champion``, a later one the ``challenger``; an existing champion
        is never moved here.

        Args:
            package: A package in the store.
            receipt: A file of ours that remembers the registration, so that MLflow (seconds to import) is not
                asked again.
        """
        if self._is_done(package, receipt):
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            client = self._client()
            number = _registered_version(client, package) or self._create(client, package)
            _give_alias(client, package.metadata.model, number)
        content = {"uri": self.uri, "digest": package.digest, "version": number}
        temporary = receipt.with_suffix(".tmp")
        temporary.write_text(json.dumps(content))
        temporary.replace(receipt)

    def _is_done(self, package: ModelPackage, receipt: Path) -> bool:
        try:
            done = json.loads(receipt.read_text())
        except (OSError, ValueError):
            return False
        if self.uri.startswith("sqlite:///") and not Path(self.uri.removeprefix("sqlite:///")).exists():
            return False
        return bool(done.get("uri") == self.uri and done.get("digest") == package.digest)

    def _client(self) -> Any:
        import mlflow

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)  # after the import, which sets it
        if self.uri.startswith("sqlite:///"):
            Path(self.uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        return mlflow.MlflowClient(self.uri, self.uri)

    def _create(self, client: Any, package: ModelPackage) -> str:
        metadata = package.metadata
        run = _finished_run(client, self._experiment(client, metadata.model), package)
        _ensure_model(client, metadata.model)
        version = client.create_model_version(
            metadata.model,
            source=f"{run.info.artifact_uri}/{ARTIFACT}",
            run_id=run.info.run_id,
            tags={VERSION_TAG: str(metadata.version), DIGEST_TAG: package.digest},
        )
        return str(version.version)

    def _experiment(self, client: Any, model: str) -> str:
        known = client.get_experiment_by_name(model)
        if known is not None:
            return str(known.experiment_id)
        embedded = self.uri.startswith("sqlite:")
        location = (self.artifacts / model).absolute().as_uri() if embedded else None
        return str(client.create_experiment(model, artifact_location=location))


def _registered_version(client: Any, package: ModelPackage) -> str | None:
    wanted = f"name='{package.metadata.model}'"
    for version in client.search_model_versions(wanted):
        if version.tags.get(DIGEST_TAG) == package.digest:
            return str(version.version)
    return None


def _finished_run(client: Any, experiment: str, package: ModelPackage) -> Any:
    """Return the package's run; one that a crash left unfinished does not count."""
    query = f"tags.`{DIGEST_TAG}` = '{package.digest}' and attributes.status = 'FINISHED'"
    if found := client.search_runs([experiment], query, max_results=1):
        return found[0]
    metadata = package.metadata
    name = f"{metadata.model}_v{metadata.version}"
    tags = {
        VERSION_TAG: str(metadata.version),
        DIGEST_TAG: package.digest,
        "raygate.data": metadata.data_fingerprint,
    }
    run = client.create_run(experiment, run_name=name, tags=tags)
    try:
        client.log_param(run.info.run_id, "family", metadata.family)
        for parameter, value in metadata.parameters.items():
            client.log_param(run.info.run_id, parameter, value)
        for metric, figure in metadata.metrics.items():
            client.log_metric(run.info.run_id, metric, figure)
        if metadata.parity.max_difference is not None:
            client.log_metric(run.info.run_id, "parity_max_difference", metadata.parity.max_difference)
        client.log_artifacts(run.info.run_id, str(package.directory), ARTIFACT)
    except BaseException:
        client.set_terminated(run.info.run_id, "FAILED")
        raise
    client.set_terminated(run.info.run_id, "FINISHED")
    return client.get_run(run.info.run_id)


def _ensure_model(client: Any, model: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _give_alias(client: Any, model: str, number: str) -> None:
    aliases = client.get_registered_model(model).aliases
    champion = aliases.get(CHAMPION)
    if champion is None:
        client.set_registered_model_alias(model, CHAMPION, number)
    elif str(champion) != number:
        client.set_registered_model_alias(model, CHALLENGER, number)
