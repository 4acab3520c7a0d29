"""What stops a stream, by name."""

from __future__ import annotations

from deployments.contracts.errors import RaygateError


class GatewayRefuses(RaygateError):
    """The gateway does not let the stream in: no record can be predicted until somebody changes that."""

    def __init__(self, url: str, details: str) -> None:
        super().__init__(url, details)
        self.url, self.details = url, details

    def __str__(self) -> str:
        return f"{self.url} refuses the stream: {self.details}"


class BrokersRefuse(RaygateError):
    """The brokers do not take the credentials of the Kafka client."""

    def __init__(self, brokers: str, reason: str) -> None:
        super().__init__(brokers, reason)
        self.brokers, self.reason = brokers, reason

    def __str__(self) -> str:
        return f"the brokers {self.brokers} refuse the credentials in spec.clientOptions: {self.reason}"


class ClientOptionRefused(RaygateError):
    """The Kafka client does not know an option, or does not take its value. Its reason names the option."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"spec.clientOptions: {self.reason}"


class NotDelivered(RaygateError):
    """A broker did not take a result; its record was not committed and comes again."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(topic, reason)
        self.topic, self.reason = topic, reason

    def __str__(self) -> str:
        return f"nothing can be written to the topic {self.topic}: {self.reason}"


class TopicUnreadable(RaygateError):
    """The brokers do not let the stream read its topic."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(topic, reason)
        self.topic, self.reason = topic, reason

    def __str__(self) -> str:
        return f"the topic {self.topic} cannot be read: {self.reason}"


class TopicUnwritable(RaygateError):
    """The brokers do not let the stream write what goes out."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(topic, reason)
        self.topic, self.reason = topic, reason

    def __str__(self) -> str:
        return f"the topic {self.topic} cannot be written: {self.reason}"


class RegistryRefuses(RaygateError):
    """The schema registry does not let the stream in, or does not take the schema of its results."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"the schema registry {self.url} refuses the stream: {self.reason}"


class ResultSchemaMissing(RaygateError):
    """Answers that are an endpoint's own are to be Avro, and nobody has said how."""

    def __init__(self, subject: str) -> None:
        super().__init__(subject)
        self.subject = subject

    def __str__(self) -> str:
        return f"the schema registry has no schema of {self.subject}; register one for the answers of spec.path"


class SchemaUnavailable(RaygateError):
    """A schema cannot be had at this moment; the record waits."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"the schema registry {self.url}: {self.reason}"


class SchemaUnusable(RaygateError):
    """A schema of the registry is none of Avro."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"a schema of the registry {self.url} cannot be used: {self.reason}"


class UnknownSchema(RaygateError):
    """The schema registry has no schema of a number, or does not know it yet."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__(url, number)
        self.url, self.number = url, number

    def __str__(self) -> str:
        return f"the schema registry {self.url} has no schema {self.number}"


class ResultNotEncodable(RaygateError):
    """An answer of the gateway does not fit the schema of results. Never carries the answer."""

    def __init__(self, subject: str, number: int) -> None:
        super().__init__(subject, number)
        self.subject, self.number = subject, number

    def __str__(self) -> str:
        return f"the answer does not fit schema {self.number}, the newest of {self.subject}"


class UnreadableRecord(RaygateError):
    """The value of a record is not what the stream's format says. Never carries the value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class StreamNotStarted(RaygateError):
    """The Ray cluster on which workers are to run cannot be reached."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address, self.reason = address, reason

    def __str__(self) -> str:
        return f"no Ray answers at {self.address} ({self.reason}); `raygate up` starts one"
