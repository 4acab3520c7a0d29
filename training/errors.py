"""What can go wrong in training alone."""

from __future__ import annotations

from deployments.contracts.errors import RaygateError
from training import source_address


class SourceUnavailable(RaygateError):
    """Training rows cannot be read from where the document says they are.

    Libraries repeat addresses; what in them is a secret is told by nobody.
    """

    def __init__(self, source: str, reason: str) -> None:
        source, reason = source_address.masked(source), source_address.masked(reason)
        super().__init__(source, reason)
        self.source, self.reason = source, reason

    def __str__(self) -> str:
        return f"{self.source} cannot be read: {self.reason}"


class DataRejected(RaygateError):
    """Training rows are not what the document expects them to be. Nothing was trained."""

    def __init__(self, report: str) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return self.report


class VariantRefused(RaygateError):
    """A variant that its document requires may not be served. The version was not packaged."""

    def __init__(self, version: str, report: str) -> None:
        super().__init__(version, report)
        self.version, self.report = version, report

    def __str__(self) -> str:
        return f"{self.version} requires a variant that it does not have; {self.report}"


class GateMissed(RaygateError):
    """A version is not as good as its document wants. It was not packaged."""

    def __init__(self, version: str, missed: tuple[str, ...]) -> None:
        super().__init__(version, missed)
        self.version, self.missed = version, missed

    def __str__(self) -> str:
        return f"{self.version}: {'; '.join(self.missed)}"


class RegistryUnavailable(RaygateError):
    """MLflow does not do what it is asked. What is in the store stays there; the next run registers it."""

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(uri, reason)
        self.uri, self.reason = uri, reason

    def __str__(self) -> str:
        return f"the model registry {self.uri} does not answer as it must: {self.reason}"
