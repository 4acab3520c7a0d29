"""For how long the prediction log is kept: the days of the job, and those that endpoints say of their models."""

from __future__ import annotations

import httpx

from deployments.prediction_log.retention import Keeping
from deployments.rollout.endpoint_store import EndpointStore
from ray_apps.remote_controller import RemoteController
from ray_apps.settings import Settings

DAYS = 30.0
"""Of models whose endpoint says nothing, and of those that no endpoint serves any more."""


def of_stack(settings: Settings) -> dict[str, float]:
    """Days by model, as the endpoints of the local stack say; those that say nothing are left out."""
    if not settings.control_database.exists():
        return {}
    wanted = EndpointStore(settings.control_database).endpoints().values()
    said = {each.document.spec.model: each.document.spec.request_log.retention_days for each in wanted}
    return {model: float(days) for model, days in said.items() if days is not None}


def of_controller(
    controller: str, credential: str | None, transport: httpx.BaseTransport | None = None
) -> dict[str, float]:
    """Days by model, as a controller's endpoints say; those that say nothing are left out.

    Args:
        controller: Base URL of its admin API.
        credential: Of a caller that may read health details.
        transport: Of the HTTP client; None is the network.

    Raises:
        ControllerSilent, ControllerRefused: It does not answer, or does not let the caller in. Nothing must be
            deleted then: an endpoint may want to keep it.
    """
    summaries = RemoteController(controller, credential, transport).endpoints().values()
    return {each.model: float(each.retention_days) for each in summaries if each.retention_days is not None}


def keeping(days: float | None, model: str | None, of_models: dict[str, float]) -> Keeping:
    """What is kept for how long; days that are given for one model count more than its endpoint's.

    Args:
        days: As they were given; None takes those of ``DAYS``.
        model: The only one that is meant, or None.
        of_models: As the endpoints say.
    """
    if model is not None and days is not None:
        of_models = {}
    return Keeping(DAYS if days is None else days, of_models, model)
