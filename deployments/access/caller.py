"""Who sends a request."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.access.errors import Forbidden
from deployments.access.roles import OF_ANYBODY, PERMISSIONS, Permission, Role

NOBODY = "anonymous"


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller.

    Attributes:
        name: Of the API key's owner, or ``<issuer>:<subject>`` of a token: what limits, the prediction log and the
            audit know the caller by. Survives the rotation of a key.
        role: None for somebody without a credential.
        credential: ``key:<key id>``, ``token:<issuer>``, or empty: for the audit, never the secret.
        permissions: What the role may do.
    """

    name: str
    role: Role | None
    credential: str
    permissions: frozenset[Permission]

    @classmethod
    def with_role(cls, name: str, role: Role, credential: str) -> Caller:
        """A caller that may do what its role may."""
        return cls(name, role, credential, PERMISSIONS[role])

    def may(self, permission: Permission) -> bool:
        """Whether the caller is allowed something."""
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Stop here unless the caller is allowed something.

        Raises:
            Forbidden: It is not.
        """
        if permission not in self.permissions:
            raise Forbidden(self.name, self.role or "nobody", permission.value)


ANONYMOUS = Caller(NOBODY, None, "", OF_ANYBODY)
"""Somebody without a valid credential."""
