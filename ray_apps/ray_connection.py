"""The Ray that a job works on: the cluster that ``RAY_ADDRESS`` names, or one of the job's own."""

from __future__ import annotations

import logging
import os
import socket
from typing import Any

from deployments.contracts.errors import RaygateError

ADDRESS = "RAY_ADDRESS"
ANSWER_SECONDS = 10.0
_NO_DASHBOARD = "http://127.0.0.1:9"
"""The discard port: nobody answers there."""


class ClusterUnavailable(RaygateError):
    """There is no Ray to work on."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address, self.reason = address, reason

    def __str__(self) -> str:
        return f"no Ray at address {self.address}: {self.reason}"


def connect() -> None:
    """Join the cluster of ``RAY_ADDRESS`` if it is set, else start a Ray of this process's own.

    Raises:
        ClusterUnavailable: There is none, or none came up.
    """
    import ray

    if ray.is_initialized():
        return
    if address := os.environ.get(ADDRESS):
        _require_answer(address)
        _initialise(address, {ADDRESS: address})
    else:
        start()


def start(**options: Any) -> None:
    """Start a Ray that ends with this process, whatever others run on the machine.

    Args:
        options: Of ``ray.init``, such as ``num_cpus``; by default all of the machine is used.

    Raises:
        ClusterUnavailable: It did not come up.
    """
    _initialise("local", {"RAY_API_SERVER_ADDRESS": _NO_DASHBOARD}, include_dashboard=False, **options)


def _require_answer(address: str) -> None:
    """Ray would try for three minutes before it gave up on a cluster that is gone."""
    host, _, port = address.rpartition(":")
    if "://" in address or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except OSError as error:
        raise ClusterUnavailable(address, str(error)) from error


def _initialise(address: str, known_to_workers: dict[str, str], **options: Any) -> None:
    """Connect this process, and tell workers which Ray is theirs.

    Ray Train has an actor that asks a dashboard whether the run's controller is alive, and takes the run's workers
    away if it is not known there. Left to itself it finds the dashboard by the file that the last ``ray start`` of
    the machine wrote: another Ray's, or one's that is long dead, for which it waits.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # Ray would turn token authentication on by itself
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # as everywhere else; Ray Data has an actor for them
    import ray

    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": known_to_workers},
            **options,
        )
    except Exception as error:  # Ray raises plain ones when a node does not come up
        reason = str(error).strip() or type(error).__name__
        raise ClusterUnavailable(address, reason.splitlines()[0]) from error
