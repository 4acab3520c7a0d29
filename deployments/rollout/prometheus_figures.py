"""Cumulative figures of versions, asked of a Prometheus that scrapes the monitor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployments.contracts import metric_names as names
from deployments.rollout.evidence import Figures
from deployments.rollout.figure_series import KEYS, SERIES, Sample, figures_in
from deployments.rollout.prometheus_server import PrometheusServer

COUNTED_BY = "prometheus"


class PrometheusFigures:
    """A Prometheus server, where the controller cannot reach the monitor itself or several monitors add up.

    What it tells is as old as its last scrape: what came between that and a new weight is counted to the weight.

    Args:
        url: Base URL of the server.
        environment: Value of the label of that name; a server may scrape several stacks.
    """

    def __init__(self, url: str, environment: str) -> None:
        self._server, self._environment = PrometheusServer(url), environment

    def of(self, model: str) -> Figures:
        """Cumulative figures of a model's versions.

        Raises:
            EvidenceUnavailable: The server does not answer, or no gateway was heard of lately.
        """
        answer = self._server.ask(_query(model, self._environment))
        return Figures(figures_in(_samples_in(answer), model), COUNTED_BY)


def _query(model: str, environment: str) -> str:
    """One query for everything, so that all of it is of one moment."""
    chosen = f'{{__name__=~"{"|".join(SERIES)}", model="{model}", environment="{environment}"}}'
    heard = f'{names.SNAPSHOT_AGE_SECONDS}{{environment="{environment}"}}'
    return f"sum by (__name__, {', '.join(KEYS)}) ({chosen}) or min by (__name__) ({heard})"


def _samples_in(answer: Mapping[str, Any]) -> Iterator[Sample]:
    for found in answer["result"]:
        labels: dict[str, str] = dict(found["metric"])
        yield Sample(labels.pop("__name__"), labels, float(found["value"][1]))
