"""How many predictions of an endpoint have a label."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from deployments.prediction_log import labels


def of(log: str, endpoint: str, since: datetime) -> int:
    """Predictions of an endpoint that were given a label since a moment, each counted once.

    Args:
        log: Root of the prediction log; empty where there is none.
        endpoint: Its name.
        since: Labels that were received then or later.

    Raises:
        StorageUnreachable: The log cannot be read.
    """
    if not log:
        return 0
    told = labels.read_feedback(log, since=since)
    own = pc.is_in(told["endpoint"], pa.array([endpoint, ""]))  # empty: the gateway that took it did not know
    judged = told.filter(pc.and_(own, pc.is_valid(told["label"])))
    found: int = pc.count_distinct(judged["prediction_id"]).as_py()
    return found
