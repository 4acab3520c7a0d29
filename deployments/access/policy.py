"""How access is controlled: configuration without secrets, an argument of the gateway's application."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from deployments.access.roles import Role
from deployments.contracts.secret_reference import SecretReference, is_reference
from deployments.contracts.traffic_policy import Frozen

Algorithm = Literal["HS256", "RS256", "ES256"]
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Mode(StrEnum):
    """Whether callers are asked who they are."""

    KEYS = "keys"
    INSECURE_LOCAL = "insecure-local"


class CallLimit(Frozen):
    """What one caller may send through all gateways together; what is left out is not limited.

    Attributes:
        requests_per_second: Long-run average.
        burst: Requests at once after a pause; without it those of one second.
        rows_per_day: Rows to be predicted from 00:00 UTC to 00:00 UTC.
    """

    requests_per_second: float | None = Field(default=None, alias="requestsPerSecond", gt=0)
    burst: int | None = Field(default=None, ge=1)
    rows_per_day: int | None = Field(default=None, alias="rowsPerDay", ge=1)

    @model_validator(mode="after")
    def _burst_needs_a_rate(self) -> CallLimit:
        if self.burst is not None and self.requests_per_second is None:
            raise ValueError("burst limits nothing without requestsPerSecond")
        return self


class CallLimits(Frozen):
    """Limits of callers: by name where it is given, else by role, else none."""

    roles: dict[Role, CallLimit] = Field(default_factory=dict)
    callers: dict[str, CallLimit] = Field(default_factory=dict)

    def of(self, name: str, role: Role | None) -> CallLimit | None:
        """The limit of one caller."""
        limit = self.callers.get(name)
        return limit if limit is not None or role is None else self.roles.get(role)


class TokenIssuer(Frozen):
    """Somebody whose JSON web tokens are accepted.

    Attributes:
        name: Short; callers are named ``<name>:<subject>``.
        issuer: The ``iss`` claim, exactly.
        audiences: One of them must be in the ``aud`` claim.
        algorithm: The only one that is accepted: what a token says of itself chooses nothing.
        key_set: Of RS256 and ES256: JSON Web Key Set, ``https://...`` or ``file:/path``.
        secret: Of HS256: at least 32 bytes.
        role_claim: Claim that holds the role, or a list of them; ``realm_access.roles`` looks inside.
        roles: From values of that claim to roles; the first that fits counts. Without one the caller is refused.
        require_not_before: Refuse a token without ``nbf``.
        leeway_seconds: By how much the issuer's clock may differ.
    """

    name: str = Field(pattern=r"^[a-z][-a-z0-9]{0,30}$")
    issuer: str = Field(min_length=1)
    audiences: tuple[str, ...] = Field(min_length=1)
    algorithm: Algorithm
    key_set: str | None = Field(default=None, alias="keySet")
    secret: SecretReference | None = None
    role_claim: str = Field(default="role", alias="roleClaim", min_length=1)
    roles: dict[str, Role] = Field(default_factory=lambda: {role.value: role for role in Role})
    require_not_before: bool = Field(default=False, alias="requireNotBefore")
    leeway_seconds: float = Field(default=30.0, alias="leewaySeconds", ge=0, le=300)

    @field_validator("key_set")
    @classmethod
    def _keys_come_unaltered(cls, text: str | None) -> str | None:
        """Whoever can alter the keys on their way can sign tokens."""
        if text is None or (text.startswith("file:") and is_reference(text)):
            return text
        address = urlsplit(text)
        if address.hostname and (address.scheme == "https" or _is_loopback_http(text)):
            return text
        raise ValueError("keySet must be https://..., or file:/absolute/path; http:// only to this machine")

    @model_validator(mode="after")
    def _key_fits_algorithm(self) -> TokenIssuer:
        if self.algorithm == "HS256":
            if self.secret is None or self.key_set is not None:
                raise ValueError("HS256 takes secret, and no keySet")
        elif self.key_set is None or self.secret is not None:
            raise ValueError(f"{self.algorithm} takes keySet, and no secret")
        return self


class AccessPolicy(Frozen):
    """Everything that the gateway must know to control access.

    Attributes:
        mode: ``keys``: API keys, and tokens of the issuers. ``insecure-local``: everybody is an admin.
        store: Of keys and audit: ``sqlite:////path`` or ``postgresql://host/database``, or where such a URI is:
            ``env:NAME``, ``file:/path``. A URI with a password must be given in the second way.
        refresh_seconds: A revoked key is refused this much later at the most.
        trust_seconds: For how long the last known keys count while the store does not answer; then nobody gets in.
        issuers: Of JSON web tokens.
        limits: Of callers.
        open_documentation: Whether /docs and /openapi.json need no credential: a browser sends none. They tell the
            names of features.
    """

    mode: Mode = Mode.KEYS
    store: str = ""
    refresh_seconds: float = Field(default=5.0, alias="refreshSeconds", ge=0.1, le=300)
    trust_seconds: float = Field(default=3600.0, alias="trustSeconds", ge=1)
    issuers: tuple[TokenIssuer, ...] = ()
    limits: CallLimits = CallLimits()
    open_documentation: bool = Field(default=False, alias="openDocumentation")

    @field_validator("store")
    @classmethod
    def _no_password_in_it(cls, text: str) -> str:
        if is_reference(text) or not text:
            return text
        address = urlsplit(text)
        if address.scheme.partition("+")[0] not in ("sqlite", "postgresql"):
            raise ValueError("store must be sqlite:////path, postgresql://..., env:NAME or file:/path")
        if address.password is not None:
            raise ValueError("store has a password in it; put the whole URI into a secret: env:NAME or file:/path")
        return text

    @model_validator(mode="after")
    def _somebody_can_get_in(self) -> AccessPolicy:
        if self.mode is Mode.KEYS and not self.store:
            raise ValueError("mode keys needs a store")
        for what in ("name", "issuer"):
            values = [getattr(issuer, what) for issuer in self.issuers]
            if len(set(values)) < len(values):
                raise ValueError(f"two issuers have the same {what}")
        return self


def _is_loopback_http(text: str) -> bool:
    address = urlsplit(text)
    return address.scheme == "http" and address.hostname in _LOOPBACK
