"""Callers, an audit log and endpoints in memory, for routes that ask for roles."""

from deployments.access.audit import MemoryAuditLog
from deployments.access.caller import Caller
from deployments.access.errors import Unauthenticated
from deployments.access.roles import Role
from deployments.contracts.errors import UnknownEndpoint
from deployments.rollout import endpoint_difference, policy
from deployments.rollout.endpoint_store import WantedEndpoint
from ray_apps.control import Difference


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


class MemoryControl:
    """Endpoints that are in force at once."""

    def __init__(self, store):
        self.store = store

    def wanted(self):
        return self.store.endpoints()

    def difference(self, document, source):
        before = self.wanted().get(document.name)
        after = WantedEndpoint(document, 2, policy.from_document(document, 2, before and before.policy))
        return Difference(endpoint_difference.in_words(before, after), {"raygate-gateway": "- a\n+ b"}, ())

    def apply_document(self, document, source):
        self.store.wanted[document.name] = WantedEndpoint(document, 2, policy.from_document(document, 2))

    def set_traffic(self, name, weights):
        known = self.wanted()
        if name not in known:
            raise UnknownEndpoint(name, tuple(known))
        made = policy.with_weights(known[name].policy, weights, 3)
        self.store.wanted[name] = WantedEndpoint(known[name].document, 1, made)

    def delete(self, name):
        known = self.wanted()
        if name not in known:
            raise UnknownEndpoint(name, tuple(known))
        del self.store.wanted[name]
