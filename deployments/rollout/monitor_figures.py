"""Cumulative figures of versions, read from the monitor's Prometheus text."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
from prometheus_client.parser import text_string_to_metric_families

from deployments.rollout.errors import EvidenceUnavailable
from deployments.rollout.evidence import Figures
from deployments.rollout.figure_series import Sample, figures_in

COUNTED_BY = "monitor"
_TIMEOUT_SECONDS = 5.0


class MonitorFigures:
    """The monitor of a stack.

    Args:
        url: Its Prometheus text.
        fetch: Reads it; a test passes its own.
    """

    def __init__(self, url: str, fetch: Callable[[str], str] | None = None) -> None:
        self._url, self._fetch = url, fetch or _get

    def of(self, model: str) -> Figures:
        """Cumulative figures of a model's versions.

        Raises:
            EvidenceUnavailable: The monitor does not answer, or has not heard of any gateway lately.
        """
        try:
            text = self._fetch(self._url)
        except httpx.HTTPError as error:
            raise EvidenceUnavailable(f"the monitor at {self._url} does not answer: {error}") from error
        return Figures(figures_in(samples_in(text), model), COUNTED_BY)


def samples_in(text: str) -> Iterator[Sample]:
    """Every sample of a Prometheus exposition."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield Sample(sample.name, sample.labels, sample.value)


def _get(url: str) -> str:
    return httpx.get(url, timeout=_TIMEOUT_SECONDS).raise_for_status().text
