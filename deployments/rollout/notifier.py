"""Tells those whom a plan names of a rollout's decisions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import httpx

from deployments.batch import callback
from deployments.batch.errors import CallbackFailed
from deployments.contracts.notification import Channel, Notification, Told
from deployments.contracts.secret_reference import SecretUnavailable, resolve
from deployments.rollout import announcement
from deployments.rollout.control_database import Decision

_log = logging.getLogger("raygate.controller")


class Notifier:
    """Delivers each decision to each receiver, with retries; one that does not take it keeps it from no other.

    Args:
        receivers: Of an endpoint's decisions.
        transport: Of the HTTP client; None is the network.
    """

    def __init__(
        self, receivers: Callable[[str], Iterable[Notification]], transport: httpx.BaseTransport | None = None
    ) -> None:
        self._receivers, self._transport = receivers, transport

    def take(self, number: int | str, decision: Decision) -> bool:
        """Tell of one decision; see ``decision_follower.Take``. What nobody takes is logged and given up.

        Args:
            number: That no other decision has; receivers know by it what comes twice.
            decision: That was made.
        """
        if not announcement.is_announced(decision):
            return True
        for receiver in self._receivers(decision.endpoint):
            if receiver.about is Told.TROUBLE and announcement.severity(decision) == "info":
                continue
            try:
                self._deliver(receiver, number, decision)
            except (CallbackFailed, SecretUnavailable) as error:
                _log.error(
                    "%s: %s was not told of %r: %s", decision.endpoint, receiver.channel, decision.action, error
                )
            except Exception:  # given to this receiver again, it would keep the later decisions from all of them
                _log.exception("%s: %s was not told of %r", decision.endpoint, receiver.channel, decision.action)
        return True

    def _deliver(self, receiver: Notification, number: int | str, decision: Decision) -> None:
        told = announcement.message if receiver.channel is Channel.SLACK else announcement.document
        callback.deliver(
            resolve(receiver.url).strip(),
            told(decision),
            f"decision-{number}",
            None if receiver.secret is None else resolve(receiver.secret),
            transport=self._transport,
        )
