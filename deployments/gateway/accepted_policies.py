"""Which of the policies that a gateway is told come into force."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from deployments.contracts.traffic_policy import GatewayConfig, TrafficPolicy

_log = logging.getLogger("raygate.gateway")


def accepted(told: Mapping[str, Any], in_force: GatewayConfig | None) -> GatewayConfig:
    """The configuration to take over: an endpoint whose policy is unsound keeps the one in force.

    Nothing is raised where a gateway serves already: Serve stops a replica that does not take its configuration,
    and one mistake would take all gateways away. The policy epoch that they go on to show says so.

    Args:
        told: The ``user_config``.
        in_force: What the gateway serves; None before its first configuration.

    Raises:
        ValidationError: The first configuration is unsound: gateways that serve already stay.
    """
    if in_force is None:
        return GatewayConfig.model_validate(told)
    known = {policy.endpoint: policy for policy in in_force.endpoints}
    endpoints = [_sound(policy, known) for policy in told.get("endpoints", ())]
    kept = [policy for policy in endpoints if policy is not None]
    try:
        return GatewayConfig.model_validate({**told, "endpoints": kept})
    except ValidationError as error:
        _log.error("the configuration is refused, the one in force stays: %s", error)
        return in_force


def _sound(told: Mapping[str, Any], known: Mapping[str, TrafficPolicy]) -> TrafficPolicy | None:
    try:
        return TrafficPolicy.model_validate(told)
    except ValidationError as error:
        name = str(told.get("endpoint"))
        _log.error("the policy of %s is refused, the one in force stays: %s", name, error)
        return known.get(name)
