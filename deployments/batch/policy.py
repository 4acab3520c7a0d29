"""What the operator allows batches that come over HTTP: where they read and write, and whom they call back."""

from __future__ import annotations

import posixpath
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from deployments.batch.errors import LocationNotAllowed
from deployments.contracts.secret_reference import SecretReference


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL.

    Raises:
        ValueError: It is not an http or https URL, or holds credentials.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL such as https://hooks.example.com/raygate")
    if parts.username or parts.password:
        raise ValueError("must hold no credentials")
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"


Origin = Annotated[str, AfterValidator(origin_of)]


class BatchPolicy(BaseModel):
    """Rules for batches: ``RAYGATE_BATCH='{"locations": ["s3://loans/"], "callbacks": ["https://hooks.bank.example"]}'``.

    Attributes:
        jobs_address: Base URL of the Ray dashboard that runs the jobs; empty is the stack's own.
        locations: Prefixes that callers of the API may read and write below; none by default, because the cluster
            can read more than its callers may.
        callbacks: Scheme, host and port that callbacks may go to; none by default, because the cluster reaches
            more than its callers do.
        callback_secret: Where the key is that signs callbacks; without it none is sent.
        python: The Python that runs jobs there; it has Raygate installed.
        workers: Actors of one job at most; fewer run while fewer CPUs are free.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    jobs_address: str = ""
    python: str = "python"
    locations: tuple[str, ...] = ()
    callbacks: tuple[Origin, ...] = ()
    callback_secret: SecretReference | None = None
    workers: int = Field(default=16, ge=1)

    def check_location(self, field: str, location: str) -> None:
        """Refuse a place that is not below one that is open to callers.

        Parameters of the URI are refused with it: an endpoint of the caller's choice would get our signature.

        Raises:
            LocationNotAllowed: It is not.
        """
        allowed = any(_below(location, prefix) for prefix in self.locations)
        if not allowed or "?" in location or "#" in location:
            raise LocationNotAllowed(field, location[:200], self.locations)

    def check_callback(self, url: str) -> None:
        """Refuse a callback to somebody whom the operator has not named.

        Raises:
            LocationNotAllowed: It is not to one of the origins, or callbacks cannot be signed.
        """
        try:
            origin = origin_of(url)
        except ValueError as error:
            raise LocationNotAllowed("callback_url", str(error), self.callbacks) from error
        if origin not in self.callbacks or self.callback_secret is None:
            raise LocationNotAllowed("callback_url", origin, self.callbacks if self.callback_secret else ())


def _below(location: str, prefix: str) -> bool:
    """Whether a path is below a prefix once all its dots are resolved; whole segments count."""
    scheme, separator, path = location.rpartition("://")
    if "\\" in path or "//" in path or path != path.strip():
        return False
    normal = f"{scheme}{separator}{posixpath.normpath(path)}"
    folder = prefix.rstrip("/")
    return normal == folder or normal.startswith(f"{folder}/")
