"""Endpoints in memory, for routes that change them."""

from deployments.contracts.errors import NothingToSwitchBack, UnknownEndpoint
from deployments.rollout import endpoint_difference, policy
from deployments.rollout.endpoint_store import WantedEndpoint
from ray_apps.control import Difference


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

    def switch(self, name, version):
        self.set_traffic(name, {version: 100.0})

    def switch_back(self, name):
        raise NothingToSwitchBack(name)

    def delete(self, name):
        known = self.wanted()
        if name not in known:
            raise UnknownEndpoint(name, tuple(known))
        del self.store.wanted[name]
