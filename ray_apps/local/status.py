"""How the local stack is doing, as one value."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import httpx
from prometheus_client.parser import text_string_to_metric_families

from deployments.contracts import metric_names as names
from deployments.rollout.decision_follower import AUDIT, Backlog, backlog
from ray_apps.local.places import Places
from ray_apps.local.run_state import StackRun, read_run
from ray_apps.local.serve_api import Application, applications
from ray_apps.settings import Settings

ByVersion = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the gateways say through the metrics.

    Attributes:
        weights: Share in force, by endpoint and version.
        requests: Requests since the gateways started, by model and version.
    """

    weights: ByVersion = field(default_factory=dict)
    requests: ByVersion = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StackStatus:
    """One look at the stack.

    Attributes:
        run: What is written down of it; None if it is not up.
        alive: Names of our children that run.
        ready: Whether ``/ready`` says so.
        applications: Serve applications; None if the dashboard does not answer.
        traffic: Weights and requests; None if the metrics do not answer.
        audit: Decisions that the audit's database has not got yet; None where there is no such database.
    """

    run: StackRun | None
    alive: tuple[str, ...]
    ready: bool
    applications: list[Application] | None
    traffic: Traffic | None
    audit: Backlog | None = None


def read_status(settings: Settings) -> StackStatus:
    """Look at processes, dashboard, API and metrics; what does not answer is told as such."""
    run = read_run(Places(settings.state).run_file)
    if run is None or not run.is_alive():
        return StackStatus(run, (), False, None, None)
    return StackStatus(
        run=run,
        alive=tuple(name for name, process in run.processes.items() if process.is_alive()),
        ready=_is_ready(run.api_url),
        applications=applications(run.dashboard_url),
        traffic=_read_traffic(run.metrics_url),
        audit=backlog(settings.control_database, AUDIT) if settings.decision_store else None,
    )


def traffic_in(text: str) -> Traffic:
    """Read weights and requests out of a Prometheus exposition."""
    weights: ByVersion = defaultdict(dict)
    requests: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            version = sample.labels.get("version", "")
            if sample.name == names.TRAFFIC_WEIGHT:
                weights[sample.labels.get("endpoint", "")][version] = sample.value
            elif sample.name == f"{names.SCORING_REQUESTS}_total":
                requests[sample.labels.get("model", "")][version] += sample.value
    return Traffic(dict(weights), {model: dict(versions) for model, versions in requests.items()})


def read_weights(settings: Settings, endpoint: str) -> dict[str, float] | None:
    """Shares (0 to 1) that an endpoint's versions have at the gateways; None if nobody can tell."""
    traffic = _read_traffic(settings.metrics_url)
    return traffic.weights.get(endpoint) if traffic else None


def _is_ready(api_url: str) -> bool:
    try:
        return httpx.get(f"{api_url}/ready", timeout=10.0).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _read_traffic(metrics_url: str) -> Traffic | None:
    try:
        return traffic_in(httpx.get(metrics_url, timeout=10.0).raise_for_status().text)
    except (httpx.HTTPError, ValueError):
        return None
