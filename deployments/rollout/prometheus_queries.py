"""What the queries of a plan come to, asked of a Prometheus server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Any

from deployments.contracts.model_version import Version
from deployments.contracts.rollout_checks import QueryCheck
from deployments.rollout.analysis.window import Answer
from deployments.rollout.errors import EvidenceUnavailable, QueryRefused
from deployments.rollout.evidence import Answers
from deployments.rollout.prometheus_server import PrometheusServer
from deployments.rollout.state import Rollout


class PrometheusQueries:
    """Puts every query of a plan to one server, once a version.

    Args:
        url: Base URL of the server; None where there is none.
        environment: What ``{{environment}}`` stands for.
    """

    def __init__(self, url: str | None, environment: str) -> None:
        self._server = None if url is None else PrometheusServer(url)
        self._environment = environment

    def answers(self, rollout: Rollout, now: datetime) -> Answers:
        """What the queries of a rollout's plan come to; what went wrong is in each answer."""
        silent = "" if self._server else "no setting says where Prometheus is: RAYGATE_PROMETHEUS_URL"
        found: dict[Version, dict[str, Answer]] = {rollout.candidate: {}, rollout.stable: {}}
        for check in rollout.plan.analysis.queries:
            for version, answers in found.items():
                if version == rollout.stable and check.limit_times_stable is None:
                    continue
                query = check.filled(self._values(rollout, version, now))
                try:
                    answers[check.name] = Answer(trouble=silent) if silent else self._ask(check, query)
                except EvidenceUnavailable as error:
                    silent = str(error)  # of one server that is away nobody waits for every query again
                    answers[check.name] = Answer(trouble=silent)
        return found

    def _values(self, rollout: Rollout, version: Version, now: datetime) -> dict[str, str]:
        since = rollout.state.settled or now
        return {
            "version": str(version),
            "stable": str(rollout.stable),
            "model": rollout.model,
            "endpoint": rollout.endpoint,
            "environment": self._environment,
            "window": f"{max(1, round((now - since).total_seconds()))}s",
        }

    def _ask(self, check: QueryCheck, query: str) -> Answer:
        assert self._server is not None, "without a server nobody is asked"
        try:
            return _answer_in(self._server.ask(query))
        except QueryRefused as error:
            return Answer(trouble=str(error))


def _answer_in(data: Mapping[str, Any]) -> Answer:
    kind, result = data.get("resultType"), data.get("result")
    if kind == "scalar":
        return _number(result)
    if kind != "vector" or not isinstance(result, list):
        return Answer(trouble=f"the query yields a {kind}, not one sample")
    if len(result) > 1:
        return Answer(trouble=f"the query yields {len(result)} samples, not one: aggregate them")
    return _number(result[0]["value"]) if result else Answer()


def _number(sample: Any) -> Answer:
    """Not a number is what nothing divided by nothing gives: there is no figure yet."""
    value = float(sample[1])
    return Answer(value) if isfinite(value) else Answer()
