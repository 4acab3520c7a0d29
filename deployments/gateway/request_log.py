"""What a gateway remembers of requests, and where it hands it."""

from __future__ import annotations

from typing import Protocol

from deployments.contracts.metric_names import OK
from deployments.contracts.request_record import Decision, FeedbackRecord, RequestRecord, Stage
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.gateway.answer import Answer
from deployments.gateway.incoming import Incoming, Progress
from deployments.prediction_log.writer import is_sampled
from deployments.routing.assignment import Assignment


class Records(Protocol):
    """Where records go; ``PredictionLog`` is the real one. Neither call raises or waits."""

    def record(self, record: RequestRecord) -> None:
        """Remember a request."""
        ...

    def feedback(self, record: FeedbackRecord) -> bool:
        """Remember feedback; whether it was taken."""
        ...


class RequestLog:
    """Turns answers and failures into records.

    Args:
        records: Where they go; None remembers nothing.
    """

    def __init__(self, records: Records | None = None) -> None:
        self._records = records

    def answered(self, answer: Answer, incoming: Incoming, seconds: float, stage: Stage = Stage.LIVE) -> None:
        """Remember an answer.

        Args:
            answer: What a version said.
            incoming: The request.
            seconds: From its arrival to the answer.
            stage: Whether the caller saw it.
        """
        policy, served, scores = answer.endpoint.policy, answer.served, answer.scores
        if self._records is None or not _is_wanted(policy, answer.ids):
            return
        self._records.record(
            RequestRecord(
                endpoint=policy.endpoint,
                model=policy.model,
                stage=stage,
                decision=_decision(policy, answer.assignment, served.text, answer.failover),
                caller=incoming.caller.name,
                began=incoming.arrived,
                latency_seconds=seconds,
                model_seconds=scores.model_seconds,
                attempts=scores.attempts,
                path=scores.path,
                outcome=OK,
                prediction_ids=answer.ids,
                schema=served.schema,
                metadata=served.metadata,
                numbers=answer.rows.numbers,
                texts=answer.rows.texts,
                scores=scores.values,
                row_errors=scores.errors,
            )
        )

    def failed(self, progress: Progress, incoming: Incoming, code: str, seconds: float) -> None:
        """Remember a request whose rows were sound and that nothing answered; others leave no record.

        Args:
            progress: How far it came.
            incoming: The request.
            code: Error code of its answer.
            seconds: From its arrival to that answer.
        """
        endpoint, assignment, served, rows = progress.endpoint, progress.assignment, progress.served, progress.rows
        if self._records is None or not (endpoint and assignment and served and rows):
            return
        if not _is_wanted(endpoint.policy, progress.ids):
            return
        self._records.record(
            RequestRecord(
                endpoint=endpoint.policy.endpoint,
                model=endpoint.policy.model,
                stage=Stage.LIVE,
                decision=_decision(endpoint.policy, assignment, "", ""),
                caller=incoming.caller.name,
                began=incoming.arrived,
                latency_seconds=seconds,
                model_seconds=0.0,
                attempts=0,
                path="",
                outcome=code,
                prediction_ids=progress.ids,
                schema=served.schema,
                metadata=served.metadata,
                numbers=rows.numbers,
                texts=rows.texts,
                scores=None,
            )
        )

    def feedback(self, record: FeedbackRecord) -> bool:
        """Remember feedback; False if there is no room for it now."""
        return self._records is None or self._records.feedback(record)


def _is_wanted(policy: TrafficPolicy, ids: list[str]) -> bool:
    share = policy.request_log.share
    return share >= 1 or is_sampled(ids[0], share)


def _decision(policy: TrafficPolicy, assignment: Assignment, served: str, failover: str) -> Decision:
    return Decision(
        assigned_version=str(assignment.version),
        served_version=served,
        reason=assignment.reason.value,
        propensity=assignment.propensity,
        policy_epoch=policy.policy_epoch,
        rule=assignment.rule,
        experiment=policy.experiment,
        unit=assignment.unit,
        failover=failover,
    )
