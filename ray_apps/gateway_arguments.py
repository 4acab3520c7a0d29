"""What the local stack's gateway is started with, as the settings have it."""

from __future__ import annotations

import sys
from typing import Any

from deployments.access.policy import AccessPolicy, Mode
from deployments.batch.policy import BatchPolicy
from deployments.gateway.arguments import GatewayArguments
from deployments.prediction_log import personal_data
from deployments.rollout.serve_config import MONITOR
from deployments.runtime import document as documents
from ray_apps.local.places import Places
from ray_apps.local.run_state import read_run
from ray_apps.settings import Settings


def of(settings: Settings) -> GatewayArguments:
    """The arguments; makes the key for personal data that the prediction log needs, if there is none.

    Raises:
        InvalidDocument: The access policy's file does not say what it must.
    """
    keys = settings.log_keys
    if keys is None:
        file = settings.state / "log.key"
        personal_data.create_key_file(file)
        keys = f"file:{file}"
    return GatewayArguments(
        monitor_application=MONITOR,
        access=access_policy(settings),
        request_log=settings.prediction_log,
        personal_data_keys=keys,
        batch=batch_policy(settings),
        control_url=settings.control_url,
        **told_anywhere(settings),
    )


def told_anywhere(settings: Settings) -> dict[str, Any]:
    """The arguments that the settings name in the same way on a laptop and on a cluster."""
    return {
        "event_share": settings.event_share,
        "cache": settings.cache,
        "cache_by_default": settings.cache_config.enable,
        "cache_ttl_seconds": settings.cache_config.ttl,
        "cache_entries": settings.cache_config.entries,
    }


def monitoring(settings: Settings) -> dict[str, Any]:
    """What the monitor beside the gateways is told, where that is not its default."""
    return settings.monitoring_config.model_dump(mode="json", exclude_defaults=True)


def batch_policy(settings: Settings) -> BatchPolicy:
    """Rules for batches, with the stack's own Ray and Python unless the settings name another cluster."""
    own = {} if settings.batch.jobs_address else {"jobs_address": settings.dashboard_url, "python": sys.executable}
    return settings.batch.model_copy(update=own)


def access_policy(settings: Settings) -> AccessPolicy:
    """Who may do what: the policy's file if the settings name one, else API keys in the state directory.

    Raises:
        InvalidDocument: The file does not say what it must.
    """
    run = read_run(Places(settings.state).run_file)
    if settings.access is Mode.INSECURE_LOCAL or (run is not None and run.insecure_local):
        return AccessPolicy(mode=Mode.INSECURE_LOCAL)
    if settings.access_policy is not None:
        return documents.read(settings.access_policy, AccessPolicy)
    return AccessPolicy(store=settings.key_store)
