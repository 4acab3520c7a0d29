"""Feedback as rows of columns."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from deployments.contracts import labels
from deployments.contracts.request_record import FeedbackRecord
from deployments.prediction_log.columns import FEEDBACK_COLUMNS

Numbered = tuple[int, FeedbackRecord]
"""Feedback with its sequence number."""


def batch(feedback: Sequence[Numbered], gateway: str) -> pa.RecordBatch:
    """Rows of feedback, one each.

    Args:
        feedback: In the order of its arrival.
        gateway: Identity of the gateway's incarnation.
    """
    rows = [
        {
            "feedback_id": one.feedback_id,
            "prediction_id": one.prediction_id,
            "received": int(one.received * 1000),
            "label": None if one.label is None else labels.text(one.label),
            "value": one.value,
            "caller": one.caller,
            "endpoint": one.endpoint,
            "version": one.version,
            "gateway": gateway,
            "sequence": sequence,
        }
        for sequence, one in feedback
    ]
    return pa.RecordBatch.from_pylist(rows, schema=FEEDBACK_COLUMNS)
