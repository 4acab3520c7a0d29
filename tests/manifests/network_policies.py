"""Which connections NetworkPolicies let through, by the rules of Kubernetes."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import NamedTuple

import workloads


class Peer(NamedTuple):
    """One end of a connection: a pod, or an address outside of the cluster."""

    labels: dict[str, str] | None = None
    namespace: str = "own"
    namespace_labels: Mapping[str, str] = MappingProxyType({})
    address: str | None = None


def allowed(policies, source, destination, port, protocol="TCP"):
    """Whether both ends let a connection through; only ends in the policies' own namespace are bound by them."""
    return _one_side(policies, source, destination, port, protocol, "Egress") and _one_side(
        policies, destination, source, port, protocol, "Ingress"
    )


def _one_side(policies, bound, other, port, protocol, direction):
    if bound.labels is None or bound.namespace != "own":
        return True
    mine = [
        policy["spec"]
        for policy in policies
        if workloads.selects(policy["spec"]["podSelector"], bound.labels)
        and direction in policy["spec"]["policyTypes"]
    ]
    rules = [rule for policy in mine for rule in policy.get(direction.lower(), ())]
    side = "to" if direction == "Egress" else "from"
    return not mine or any(
        _peers(rule.get(side), other) and _ports(rule.get("ports"), port, protocol) for rule in rules
    )


def _peers(wanted, other):
    return wanted is None or any(_peer(one, other) for one in wanted)


def _peer(wanted, other):
    if "ipBlock" in wanted:
        block = wanted["ipBlock"]
        if other.address is None:
            return False
        address = ip_address(other.address)
        inside = address in ip_network(block["cidr"])
        return inside and not any(address in ip_network(one) for one in block.get("except", ()))
    if other.labels is None:
        return False
    if "namespaceSelector" in wanted:
        if other.namespace == "own" or not workloads.selects(wanted["namespaceSelector"], other.namespace_labels):
            return False
    elif other.namespace != "own":
        return False
    return workloads.selects(wanted.get("podSelector", {}), other.labels)


def _ports(wanted, port, protocol):
    return wanted is None or any(
        one["protocol"] == protocol and one["port"] <= port <= one.get("endPort", one["port"]) for one in wanted
    )
