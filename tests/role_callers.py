"""Callers of every role and an audit log in memory, for routes that ask for roles."""

from deployments.access.audit import MemoryAuditLog
from deployments.access.caller import Caller
from deployments.access.errors import Unauthenticated
from deployments.access.roles import Role


class ByName:
    """Takes the bearer token for a role."""

    def authenticate(self, headers, in_browser=False):
        token = dict(headers).get(b"authorization", b"").decode().removeprefix("Bearer ")
        if not token:
            raise Unauthenticated("no credential")
        return Caller.with_role(f"the {token}", Role(token), "key:1")


class Recorder:
    """Keeps audit events at once."""

    waiting = 0

    def __init__(self):
        self.log = MemoryAuditLog()

    def record(self, event):
        self.log.append([event])

    def start(self):
        """Nothing to start."""

    def close(self):
        """Nothing to close."""
