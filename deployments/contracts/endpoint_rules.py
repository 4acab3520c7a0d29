"""What a ModelEndpoint must be beyond its fields' types, in the Common Expression Language of the API server.

The same as the validators of ``deployments.contracts.endpoint`` say, so that `kubectl apply` tells it at once; a
test holds the two together. Rules cost the API server time, so what they go through is bounded: ``LIST_LIMITS``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

Path = tuple[str, ...]


class CelRule(NamedTuple):
    """One rule on one part of the document, which it calls ``self``."""

    rule: str
    message: str


_ARMS = "self.traffic.split.filter(k, double(self.traffic.split[k]) > 0.0).size()"

ENDPOINT_RULES: tuple[CelRule, ...] = (
    CelRule(
        "self.metadata.name.size() <= 47 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "metadata.name: at most 47 lower-case letters, digits and inner hyphens, first a letter",
    ),
)
"""On the whole document."""

RULES: Mapping[Path, tuple[CelRule, ...]] = MappingProxyType(
    {
        (): (
            CelRule(
                "self.versions.filter(v, v.role == 'stable').size() == 1",
                "versions: exactly one version must have the role stable",
            ),
            CelRule(
                "self.versions.all(v, !has(v.alias) || v.role == 'stable')",
                "versions: only the stable version follows an alias",
            ),
            CelRule(
                "self.versions.all(v, self.versions.filter(w, w.version == v.version).size() == 1)",
                "versions: a version is named twice",
            ),
            CelRule(
                "self.traffic.split.all(k, self.versions.filter(v, v.version == k || v.role == k).size() == 1)",
                "traffic.split: every key is a version of the endpoint, or a role that one version has",
            ),
            CelRule(
                "self.versions.all(v, !(v.version in self.traffic.split && v.role in self.traffic.split))",
                "traffic.split: a version stands twice, by its number and by its role",
            ),
            CelRule(
                "!has(self.traffic.rules) || "
                "self.traffic.rules.all(r, self.versions.exists(v, v.version == r.version))",
                "traffic.rules: a rule names a version that the endpoint does not have",
            ),
            CelRule(
                "!has(self.traffic.shadow) || self.traffic.shadow.all(s, "
                "self.versions.exists(v, v.version == s.version) && "
                "self.traffic.shadow.filter(t, t.version == s.version).size() == 1)",
                "traffic.shadow: every shadow is one version of the endpoint, once",
            ),
            CelRule(
                "!has(self.traffic.shadow) || self.traffic.shadow.all(s, self.versions.all(v, "
                "v.version != s.version || !self.traffic.split.exists(k, "
                "(k == v.version || k == v.role) && double(self.traffic.split[k]) > 0.0)))",
                "traffic.shadow: a shadow gets copies only, so it may not have a share of the split",
            ),
            CelRule(
                f"!has(self.traffic.bandit) || ({_ARMS} >= 2 && double({_ARMS}) * "
                "(has(self.traffic.bandit.floor) ? double(self.traffic.bandit.floor) : 5.0) <= 100.0)",
                "traffic.bandit: needs two arms or more, whose floors add up to 100 at most",
            ),
        ),
        ("traffic",): (
            CelRule(
                "self.split.all(k, double(self.split[k]) == 0.0 || double(self.split[k]) >= 0.01)",
                "split: a weight is 0, or at least 0.01 per cent",
            ),
            CelRule(
                "self.split.map(k, double(self.split[k])).sum() > 99.999999 && "
                "self.split.map(k, double(self.split[k])).sum() < 100.000001",
                "split: the weights must add up to 100",
            ),
            CelRule(
                "has(self.stickyBy) || !has(self.rules) || "
                "self.rules.all(r, !has(r.when.units) || r.when.units.size() == 0)",
                "rules: `units` needs stickyBy, which says where a request names its unit",
            ),
            CelRule(
                "!has(self.rules) || self.rules.all(r, self.rules.filter(o, o.name == r.name).size() == 1)",
                "rules: a name stands twice",
            ),
        ),
        ("traffic", "stickyBy"): (
            CelRule("has(self.header) != has(self.feature)", "takes a header or a feature, one of them"),
        ),
        ("traffic", "rules", "[]", "when"): (
            CelRule(
                "(has(self.header) && self.header.size() > 0) || "
                "(has(self.feature) && self.feature.size() > 0) || "
                "(has(self.units) && self.units.size() > 0)",
                "names at least one of header, feature, units",
            ),
        ),
        ("versions", "[]"): (
            CelRule(
                "self.role != 'stable' || !has(self.scaling) || !has(self.scaling.minReplicas) || "
                "self.scaling.minReplicas > 0",
                "scaling.minReplicas is 0, but the version is stable, which must always be able to answer: "
                "give it 1 or more; candidates may have 0",
            ),
        ),
        ("versions", "[]", "scaling"): (
            CelRule(
                "!has(self.maxReplicas) || !has(self.minReplicas) || self.maxReplicas >= self.minReplicas",
                "maxReplicas is below minReplicas",
            ),
            CelRule(
                "!has(self.idleAfter) || (has(self.minReplicas) && self.minReplicas == 0)",
                "idleAfter needs minReplicas 0: any other pool never sleeps",
            ),
        ),
    }
)
"""On parts of ``spec``; ``[]`` stands for the entries of a list."""

LIST_LIMITS: Mapping[Path, tuple[str, int]] = MappingProxyType(
    {
        ("versions",): ("maxItems", 32),
        ("traffic", "split"): ("maxProperties", 32),
        ("traffic", "rules"): ("maxItems", 64),
        ("traffic", "shadow"): ("maxItems", 16),
        ("traffic", "rules", "[]", "when", "units"): ("maxItems", 1000),
        ("traffic", "rules", "[]", "when", "header"): ("maxProperties", 16),
        ("traffic", "rules", "[]", "when", "feature"): ("maxProperties", 16),
        ("versions", "[]", "version"): ("maxLength", 32),
        ("traffic", "rules", "[]", "version"): ("maxLength", 32),
        ("traffic", "shadow", "[]", "version"): ("maxLength", 32),
    }
)
"""What the API server needs to know to bound the cost of a rule."""
