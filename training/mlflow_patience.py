"""For how long MLflow's client asks a server that is down: four minutes, unless it is told otherwise."""

from __future__ import annotations

import os


def bound(retries: int, timeout_seconds: float | None = None) -> None:
    """Have MLflow give up sooner; what the environment says already stays.

    The client takes it from the environment alone.

    Args:
        retries: After the first attempt, each after twice the pause of the last.
        timeout_seconds: Of each attempt; None leaves MLflow's 120.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(retries))
    if timeout_seconds is not None:
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", f"{timeout_seconds:g}")
