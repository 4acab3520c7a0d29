"""What can go wrong, by name.

Every error passes its own arguments to ``super().__init__``: Ray pickles exceptions between processes, and a
keyword-only constructor does not survive that. None of them knows HTTP: ``deployments.gateway.problems`` maps
them to a status and a code.
"""

from __future__ import annotations

from dataclasses import dataclass


class RaygateError(Exception):
    """Base of every error that Raygate raises on purpose."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with one field of a document, a row or a configuration.

    Attributes:
        where: Path of the field, such as ``features[3].Income`` or ``spec.traffic.split``.
        message: What is wrong and what would be right, with the offending value where it helps.
        line: Line of the document, counted from 1; 0 where the source has no lines.
    """

    where: str
    message: str
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.where} (line {self.line})" if self.line else self.where
        return f"{place}: {self.message}"


class InvalidVersion(RaygateError):
    """A text is not a model name or a version number."""

    def __init__(self, text: str, expected: str) -> None:
        super().__init__(text, expected)
        self.text, self.expected = text, expected

    def __str__(self) -> str:
        return f"{self.text!r} is not {self.expected}"


class InvalidDocument(RaygateError):
    """A configuration document (endpoint file, training config) does not say what it must."""

    def __init__(self, source: str, problems: tuple[FieldProblem, ...]) -> None:
        super().__init__(source, problems)
        self.source, self.problems = source, problems

    def __str__(self) -> str:
        return f"{self.source}:\n" + "\n".join(f"  {problem}" for problem in self.problems)


class InvalidRows(RaygateError):
    """Rows of a request do not fit the feature schema of the version that would answer."""

    def __init__(self, problems: tuple[FieldProblem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(str(problem) for problem in self.problems)


class MalformedRequest(RaygateError):
    """A request body is not what the protocol says: not JSON, or not of the required shape."""

    def __init__(self, details: str) -> None:
        super().__init__(details)
        self.details = details

    def __str__(self) -> str:
        return self.details


class BodyTooLarge(RaygateError):
    """A request body has more bytes than the gateway or its endpoint accepts."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(limit_bytes)
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        return f"the body may have at most {self.limit_bytes} bytes"


class UnknownEndpoint(RaygateError):
    """No endpoint of that name is served."""

    def __init__(self, endpoint: str, served: tuple[str, ...]) -> None:
        super().__init__(endpoint, served)
        self.endpoint, self.served = endpoint, served

    def __str__(self) -> str:
        return f"no model {self.endpoint!r} is served here; served: {', '.join(self.served) or 'none'}"


class UnknownVersion(RaygateError):
    """A version is named that has no pool or is not in the registry."""

    def __init__(self, version: str, known: tuple[str, ...]) -> None:
        super().__init__(version, known)
        self.version, self.known = version, known

    def __str__(self) -> str:
        return f"unknown version {self.version}; known: {', '.join(self.known) or 'none'}"


class PoolUnavailable(RaygateError):
    """No replica of a version's pool answered: a fault of the transport, not of the model."""

    def __init__(self, version: str, attempts: int, reason: str) -> None:
        super().__init__(version, attempts, reason)
        self.version, self.attempts, self.reason = version, attempts, reason

    def __str__(self) -> str:
        return f"the pool of {self.version} did not answer after {self.attempts} attempts"


class NothingToSwitchBack(RaygateError):
    """An endpoint is to have the weights of before a switch, and there was none."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint)
        self.endpoint = endpoint

    def __str__(self) -> str:
        return f"{self.endpoint} was never switched; `raygate traffic` sets any weights"


class FeedbackConflict(RaygateError):
    """An idempotency key comes again with other content."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return "this Idempotency-Key was used for other feedback; send a new key for new content"


class FeedbackNotTaken(RaygateError):
    """There is no room for feedback now: the log cannot be written, and too much waits for it."""

    def __init__(self) -> None:
        super().__init__()

    def __str__(self) -> str:
        return "feedback cannot be kept now; send it again with the same Idempotency-Key"


class DeadlineExceeded(RaygateError):
    """A prediction did not arrive before the request's deadline."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"no answer within {self.seconds:g} s"


class Overloaded(RaygateError):
    """More rows wait for a version than its queue may hold."""

    def __init__(self, version: str, waiting: int) -> None:
        super().__init__(version, waiting)
        self.version, self.waiting = version, waiting

    def __str__(self) -> str:
        return f"{self.waiting} rows wait for {self.version} already"


class ModelHangs(RaygateError):
    """A model has been busy with one call for longer than anybody waits."""

    def __init__(self, model: str, seconds: float) -> None:
        super().__init__(model, seconds)
        self.model, self.seconds = model, seconds

    def __str__(self) -> str:
        return f"{self.model} has been busy with one call for more than {self.seconds:g} s"


class RowFailed(RaygateError):
    """The model raised on a row, or gave a score that is not finite. Its neighbours are not concerned."""

    def __init__(self, version: str, reason: str) -> None:
        super().__init__(version, reason)
        self.version, self.reason = version, reason

    def __str__(self) -> str:
        return f"{self.version} has no score for this row ({self.reason})"


class TransformerFailed(RaygateError):
    """Code of the endpoint's owner, around the model, failed on a document: nobody's fault but its author's."""

    def __init__(self, version: str, stage: str, cause: str) -> None:
        super().__init__(version, stage, cause)
        self.version, self.stage, self.cause = version, stage, cause

    def __str__(self) -> str:
        return f"the {self.stage}-transformer of {self.version} failed: {self.cause}"


class WireMismatch(RaygateError):
    """Gateway and pool do not speak the same contract version or hold different feature schemas."""

    def __init__(self, what: str, ours: str, theirs: str) -> None:
        super().__init__(what, ours, theirs)
        self.what, self.ours, self.theirs = what, ours, theirs

    def __str__(self) -> str:
        return f"{self.what} differ: ours {self.ours}, theirs {self.theirs}"


class PackageNotFound(RaygateError):
    """There is no model package where one was looked for."""

    def __init__(self, location: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(location, known)
        self.location, self.known = location, known

    def __str__(self) -> str:
        known = f"; known: {', '.join(self.known)}" if self.known else ""
        return f"no model package at {self.location}{known}"


class PackageRejected(RaygateError):
    """A model package is incomplete or is not the one that its digest names. Nothing of it was unpickled."""

    def __init__(self, location: str, reason: str) -> None:
        super().__init__(location, reason)
        self.location, self.reason = location, reason

    def __str__(self) -> str:
        return f"model package {self.location} is refused: {self.reason}"


class PackagingFailed(RaygateError):
    """A model could not be made into a package."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what, self.reason = what, reason

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


class DeployFailed(RaygateError):
    """Serve could not bring an application up."""

    def __init__(self, application: str, reason: str) -> None:
        super().__init__(application, reason)
        self.application, self.reason = application, reason

    def __str__(self) -> str:
        return f"{self.application} did not come up: {self.reason}"


class TrafficNotApplied(RaygateError):
    """The serving cluster could not be told, or did not take over, what was decided."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class ControlUnavailable(RaygateError):
    """A gateway cannot reach the controller; predictions do not depend on it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the controller does not answer ({self.reason}); what is served stays as it is"


class PortInUse(RaygateError):
    """A port that the stack needs is held by somebody else."""

    def __init__(self, port: int, purpose: str, holder: str) -> None:
        super().__init__(port, purpose, holder)
        self.port, self.purpose, self.holder = port, purpose, holder

    def __str__(self) -> str:
        return f"port {self.port} ({self.purpose}) is held by {self.holder}"
