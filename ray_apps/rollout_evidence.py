"""What a rollout is judged by on this machine: figures of monitor or gateways, labels of the prediction log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from deployments.contracts.errors import RaygateError
from deployments.contracts.model_version import Version
from deployments.contracts.request_record import Stage
from deployments.rollout import gateway_figures
from deployments.rollout.dashboard_target import DashboardTarget
from deployments.rollout.errors import EvidenceUnavailable
from deployments.rollout.evidence import Answers, Figures, Outcomes
from deployments.rollout.gateway_figures import GatewayFigures
from deployments.rollout.monitor_figures import MonitorFigures
from deployments.rollout.prometheus_figures import PrometheusFigures
from deployments.rollout.prometheus_queries import PrometheusQueries
from deployments.rollout.serve_config import GATEWAY
from deployments.rollout.state import Rollout
from deployments.rollout.statistics.sample import Sample
from ray_apps.local import local_key
from ray_apps.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS = ("prediction_id", "assigned_version", "stage", "prediction")
_log = logging.getLogger("raygate.controller")


class FiguresSource(Protocol):
    """Whoever has cumulative figures."""

    def of(self, model: str) -> Figures:
        """Of a model's versions.

        Raises:
            EvidenceUnavailable: It cannot tell now.
        """
        ...


class MeasuredEvidence:
    """See Evidence.

    Args:
        counted: Has every figure.
        gateways: Are asked for errors and latency when that is silent.
        prediction_log: Root of the log, or empty where there is none.
        queries: Puts the queries of plans to Prometheus.
    """

    def __init__(
        self, counted: FiguresSource, gateways: FiguresSource, prediction_log: str, queries: PrometheusQueries
    ) -> None:
        self._counted, self._gateways, self._log = counted, gateways, prediction_log
        self._queries = queries

    def figures(self, model: str) -> Figures:
        """See Evidence."""
        try:
            return self._counted.of(model)
        except EvidenceUnavailable as silent:
            _log.warning("%s; asking the gateways", silent)
            try:
                return replace(self._gateways.of(model), limited=str(silent))
            except EvidenceUnavailable as error:
                raise EvidenceUnavailable(f"{silent}; {error}") from error

    def outcomes(self, rollout: Rollout, since: datetime) -> Mapping[Version, Outcomes]:
        """See Evidence; counted for the version that a request was assigned, whichever answered."""
        if not self._log:
            raise EvidenceUnavailable("there is no prediction log: RAYGATE_LOG_URI is empty")
        from deployments.prediction_log import labels  # here, because it loads Arrow

        try:
            if labels.read_feedback(self._log, since=since).num_rows == 0:
                return {}  # predictions are many, and nothing could be joined to them
            table = labels.labelled(self._log, model=rollout.model, since=since, columns=_COLUMNS)
        except RaygateError as error:
            raise EvidenceUnavailable(f"the prediction log cannot be read: {error}") from error
        return outcomes_in(table)

    def answers(self, rollout: Rollout, now: datetime) -> Answers:
        """See Evidence."""
        return self._queries.answers(rollout, now)


def local_evidence(settings: Settings) -> MeasuredEvidence:
    """Evidence of the local stack."""
    target = DashboardTarget(settings.dashboard_url, settings.metrics_url)

    def running_gateways() -> int:
        gateway = target.state().applications.get(GATEWAY)
        return gateway.replicas if gateway else 0

    def credential() -> dict[str, str]:
        key = settings.api_key or local_key.read(settings.key_file)
        return {"authorization": f"Bearer {key}"} if key else {}

    counted = (
        PrometheusFigures(settings.evidence_url, settings.environment)
        if settings.evidence_url
        else MonitorFigures(settings.metrics_url)
    )
    gateways = GatewayFigures(gateway_figures.asker(settings.api_url, credential), running_gateways)
    queries = PrometheusQueries(settings.query_url, settings.environment)
    return MeasuredEvidence(counted, gateways, settings.prediction_log, queries)


def outcomes_in(labelled: pa.Table) -> dict[Version, Outcomes]:
    """Labels and values by the version that requests were assigned; shadows' answers do not count.

    A prediction has one label, however often it was corrected; its values add up.
    """
    import pyarrow.compute as pc

    from deployments.prediction_log import labels

    live = labelled.filter(pc.equal(labelled["stage"], Stage.LIVE.value))
    correct: dict[str, list[float]] = {}
    values: dict[str, list[float]] = {}
    for row in labels.latest(live).to_pylist():
        if row["assigned_version"] and row["prediction"] is not None:
            correct.setdefault(row["assigned_version"], []).append(float(row["label"] == row["prediction"]))
    for row in live.filter(pc.is_valid(live["value"])).to_pylist():
        if row["assigned_version"]:
            values.setdefault(row["assigned_version"], []).append(row["value"])
    return {
        Version.parse(version): Outcomes(Sample.of(correct.get(version, ())), Sample.of(values.get(version, ())))
        for version in correct.keys() | values.keys()
    }
