"""MLflow's model registry: versions with their runs, aliases and lineage.

Registration can be repeated: what is there already is found by the package's digest and kept. The tag that says so
is written with the version, after its run is complete, so a crash at any line is repaired by the next call.
"""

from __future__ import annotations

import json
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.contracts.errors import RaygateError
from deployments.contracts.model_version import CHALLENGER, CHAMPION, Version
from deployments.runtime.package import ModelPackage
from training import comparison, lineage, mlflow_patience, mlflow_run
from training.errors import RegistryUnavailable
from training.lineage import DIGEST_TAG, VERSION_TAG

_SQLITE = "sqlite:///"


@dataclass(frozen=True)
class Registered:
    """A version as the registry has it.

    Attributes:
        number: The registry's own count.
        run: Id of the run that it came from.
        aliases: Such as ``champion``, in alphabetical order.
        tags: Lineage, and what people added.
    """

    number: str
    run: str
    aliases: tuple[str, ...]
    tags: dict[str, str]


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

        The first version of a model becomes the ``champion``, a version with a higher number than the champion's
        the ``challenger``; an existing champion is never moved here.

        Args:
            package: A package in the store.
            receipt: A file of ours that remembers the registration, so that MLflow (seconds to import) is not
                asked again.

        Raises:
            RegistryUnavailable: MLflow does not answer, or refuses. The package is in the store; the next call
                goes on.
        """
        if self._is_done(package, receipt):
            return
        with self._connected() as client:
            number = _number_of(client, package) or self._create(client, package)
            _give_alias(client, package, number)
        content = {"uri": self.uri, "digest": package.digest, "version": number}
        temporary = receipt.with_suffix(".tmp")
        temporary.write_text(json.dumps(content))
        temporary.replace(receipt)

    def describe(self, model: str, text: str) -> None:
        """Make a comparison of versions the description of a model, unless a person wrote another one.

        Raises:
            RegistryUnavailable: MLflow does not answer, or refuses.
        """
        with self._connected() as client:
            present = client.get_registered_model(model).description or ""
            if not present or present.startswith(comparison.HEADING):
                client.update_registered_model(model, text)

    def versions(self, model: str) -> dict[str, Registered]:
        """Return the registered versions of a model by the digest of their package; none if it is not known.

        Raises:
            RegistryUnavailable: MLflow does not answer, or refuses.
        """
        if self._has_no_file():
            return {}
        with self._connected() as client:
            found = client.search_model_versions(f"name='{model}'")
            aliases = client.get_registered_model(model).aliases if found else {}
        return {
            one.tags[DIGEST_TAG]: Registered(
                number=str(one.version),
                run=str(one.run_id),
                aliases=tuple(sorted(name for name, number in aliases.items() if str(number) == str(one.version))),
                tags=dict(one.tags),
            )
            for one in found
            if DIGEST_TAG in one.tags
        }

    def _has_no_file(self) -> bool:
        return self.uri.startswith(_SQLITE) and not Path(self.uri.removeprefix(_SQLITE)).exists()

    def _is_done(self, package: ModelPackage, receipt: Path) -> bool:
        try:
            done = json.loads(receipt.read_text())
        except (OSError, ValueError):
            return False
        if self._has_no_file():
            return False
        return bool(done.get("uri") == self.uri and done.get("digest") == package.digest)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """Give MLflow's client; whatever it raises becomes one error that names the address."""
        mlflow_patience.bound(retries=3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mlflow

            for name in ("mlflow", "alembic"):
                logging.getLogger(name).setLevel(logging.ERROR)  # after the import, which sets it
            if self.uri.startswith(_SQLITE):
                Path(self.uri.removeprefix(_SQLITE)).parent.mkdir(parents=True, exist_ok=True)
            try:
                mlflow.set_tracking_uri(self.uri)
                mlflow.set_registry_uri(self.uri)
                yield mlflow.MlflowClient(self.uri, self.uri)
            except RaygateError:
                raise
            except Exception as error:  # MLflow's own, its HTTP client's, its database's, its artifact store's
                reason = str(error).strip() or type(error).__name__
                raise RegistryUnavailable(_without_password(self.uri), _without_password(reason)) from error

    def _create(self, client: Any, package: ModelPackage) -> str:
        model = package.metadata.model
        run = mlflow_run.finished(client, self._experiment(client, model), package)
        _ensure_model(client, model)
        version = client.create_model_version(
            model,
            source=f"{run.info.artifact_uri}/{mlflow_run.ARTIFACT}",
            run_id=run.info.run_id,
            tags=lineage.tags(package),
        )
        return str(version.version)

    def _experiment(self, client: Any, model: str) -> str:
        known = client.get_experiment_by_name(model)
        if known is not None:
            return str(known.experiment_id)
        embedded = self.uri.startswith("sqlite:")
        location = (self.artifacts / model).absolute().as_uri() if embedded else None
        return str(client.create_experiment(model, artifact_location=location))


def _without_password(text: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", text)


def _number_of(client: Any, package: ModelPackage) -> str | None:
    for version in client.search_model_versions(f"name='{package.metadata.model}'"):
        if version.tags.get(DIGEST_TAG) == package.digest:
            return str(version.version)
    return None


def _ensure_model(client: Any, model: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _give_alias(client: Any, package: ModelPackage, number: str) -> None:
    model, version = package.metadata.model, package.metadata.version
    aliases = client.get_registered_model(model).aliases
    if CHAMPION not in aliases:
        client.set_registered_model_alias(model, CHAMPION, number)
        return
    # An older version that is registered anew challenges nobody.
    others = [aliases[name] for name in (CHAMPION, CHALLENGER) if name in aliases]
    if all(version > other for other in (_version_of(client, model, other) for other in others) if other):
        client.set_registered_model_alias(model, CHALLENGER, number)


def _version_of(client: Any, model: str, number: str) -> Version | None:
    """The version behind a registry's number; None for one that is not ours."""
    tag = client.get_model_version(model, number).tags.get(VERSION_TAG)
    return Version.parse(tag) if tag else None
