"""Roles and what each may do: the one table."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What a caller is to Raygate."""

    VIEWER = "viewer"
    PREDICTOR = "predictor"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


class Permission(StrEnum):
    """What may be done, in the words of a refusal: "may not ..."."""

    CHECK_HEALTH = "check health"
    READ_DOCUMENTATION = "read the API documentation"
    READ_HEALTH_DETAILS = "read health details"
    READ_MODELS = "read models"
    PREDICT = "predict"
    SEND_FEEDBACK = "send feedback"
    PIN_VERSION = "pin a version"
    SCORE_BATCHES = "score batches"
    MANAGE_BATCHES = "manage batches of others"
    READ_LOG = "read the prediction log"
    CHANGE_TRAFFIC = "change traffic"
    APPROVE = "approve a rollout"
    MANAGE_KEYS = "manage keys"
    READ_AUDIT = "read the audit log"


OF_ANYBODY = frozenset({Permission.CHECK_HEALTH})
"""Needs no credential: load balancers and Kubernetes probes have none."""

_VIEWER = OF_ANYBODY | {Permission.READ_DOCUMENTATION, Permission.READ_HEALTH_DETAILS, Permission.READ_MODELS}
_PREDICTOR = _VIEWER | {Permission.PREDICT, Permission.SEND_FEEDBACK, Permission.SCORE_BATCHES}

# Who changes traffic does not approve it, and the other way round; only an admin may do both.
PERMISSIONS = MappingProxyType(
    {
        Role.VIEWER: _VIEWER,
        Role.PREDICTOR: _PREDICTOR,
        Role.OPERATOR: _PREDICTOR
        | {Permission.PIN_VERSION, Permission.MANAGE_BATCHES, Permission.READ_LOG, Permission.CHANGE_TRAFFIC},
        Role.APPROVER: _VIEWER | {Permission.READ_LOG, Permission.READ_AUDIT, Permission.APPROVE},
        Role.ADMIN: frozenset(Permission),
    }
)
"""What each role may do."""
