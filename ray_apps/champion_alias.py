"""Aliases of MLflow's registry."""

from __future__ import annotations

import logging
import re

from deployments.contracts.errors import InvalidVersion
from deployments.contracts.model_version import CHALLENGER, CHAMPION, ModelVersion, Version
from deployments.rollout.errors import RegistryUnavailable
from training import mlflow_patience
from training.lineage import VERSION_TAG

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_log = logging.getLogger("raygate.controller")


class MlflowRegistry:
    """See Registry. It gives up within seconds, because who asks it judges rollouts too.

    Args:
        uri: Tracking and registry URI.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        mlflow_patience.bound(retries=1, timeout_seconds=5)

    def name_champion(self, version: ModelVersion) -> None:
        """See Registry. A version that was never registered has no alias to move: that is said, and no failure."""
        import mlflow  # here, because it takes seconds
        from mlflow.exceptions import MlflowException

        try:
            client = mlflow.MlflowClient(self._uri, self._uri)
            wanted = f"name='{version.model}' and tag.`{VERSION_TAG}` = '{version.version}'"
            found = client.search_model_versions(wanted)
            if not found:
                _log.warning("%s is not registered: no alias was moved", version)
                return
            client.set_registered_model_alias(version.model, CHAMPION, found[0].version)
        except (MlflowException, OSError) as error:
            raise RegistryUnavailable(f"call {version} champion", reason_of(error)) from error

    def challenger(self, model: str) -> Version | None:
        """See Registry."""
        return self.version_named(model, CHALLENGER)

    def version_named(self, model: str, alias: str) -> Version | None:
        """See Registry. What the alias names was registered by somebody else if it carries no version of ours."""
        import mlflow
        from mlflow.exceptions import MlflowException

        try:
            client = mlflow.MlflowClient(self._uri, self._uri)
            aliases = client.get_registered_model(model).aliases
            if alias not in aliases:
                return None
            named = client.get_model_version(model, aliases[alias])
            return Version.parse(named.tags.get(VERSION_TAG, ""))
        except InvalidVersion:
            _log.warning("the %s of %s has no tag %s", alias, model, VERSION_TAG)
            return None
        except (MlflowException, OSError) as error:
            if getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise RegistryUnavailable(f"tell the {alias} of {model}", reason_of(error)) from error


def reason_of(error: Exception) -> str:
    """What an error says in its first line, without addresses of objects: the same failure has the same reason."""
    return _ADDRESS.sub("", str(error).partition("\n")[0])
