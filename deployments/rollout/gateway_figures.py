"""Cumulative figures of versions, asked of the gateways themselves: what is left when the monitor is silent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from deployments.contracts.errors import TrafficNotApplied
from deployments.contracts.snapshot import SNAPSHOT_CONTRACT, GatewaySnapshot, VersionCounts
from deployments.rollout.errors import EvidenceUnavailable
from deployments.rollout.evidence import Figures

FIGURES_PATH = "/api/v1/admin/figures"
_ASKS_FOR_EACH = 20
_TIMEOUT_SECONDS = 2.0


class GatewayFigures:
    """Every gateway behind one address.

    Only the ingress can be reached, and it chooses the gateway: so it is asked again until each has answered.

    Args:
        ask: One answer of ``FIGURES_PATH``, of whichever gateway.
        running: How many gateways there are.
    """

    def __init__(self, ask: Callable[[], Mapping[str, Any]], running: Callable[[], int]) -> None:
        self._ask, self._running = ask, running

    def of(self, model: str) -> Figures:
        """Cumulative figures of a model's versions, of the gateways that run now.

        Raises:
            EvidenceUnavailable: One cannot be asked.
        """
        heard = self._hear()
        counts: dict[str, VersionCounts] = {}
        for snapshot in heard.values():
            for (counted_model, version), counted in snapshot.versions.items():
                if counted_model == model:
                    counts.setdefault(version, VersionCounts()).add(counted)
        # A gateway that is replaced takes its sums with it: those of the others are another sum then.
        return Figures(counts, f"gateways {', '.join(sorted(heard))}")

    def _hear(self) -> dict[str, GatewaySnapshot]:
        heard: dict[str, GatewaySnapshot] = {}
        try:
            wanted = self._running()
            for _ in range(_ASKS_FOR_EACH * wanted):
                snapshot = _read(self._ask())
                heard[snapshot.gateway] = snapshot
                if len(heard) == wanted:
                    return heard
        except (httpx.HTTPError, TrafficNotApplied, ValueError) as error:
            raise EvidenceUnavailable(f"the gateways cannot be asked: {error}") from error
        raise EvidenceUnavailable(f"{len(heard)} of {wanted} gateways answered")


def asker(api_url: str, headers: Callable[[], Mapping[str, str]]) -> Callable[[], Mapping[str, Any]]:
    """Asks the ingress at an address.

    Args:
        api_url: Base URL of the API.
        headers: A credential that may read health details; asked each time, for keys are rotated.
    """

    def ask() -> Mapping[str, Any]:
        response = httpx.get(f"{api_url}{FIGURES_PATH}", headers=dict(headers()), timeout=_TIMEOUT_SECONDS)
        answer: dict[str, Any] = response.raise_for_status().json()
        return answer

    return ask


def _read(plain: Mapping[str, Any]) -> GatewaySnapshot:
    if plain.get("contract") != SNAPSHOT_CONTRACT:
        told = (
            f"a gateway speaks the snapshot contract {plain.get('contract')}, this controller {SNAPSHOT_CONTRACT}"
        )
        raise EvidenceUnavailable(told)
    return GatewaySnapshot.from_plain(plain)
