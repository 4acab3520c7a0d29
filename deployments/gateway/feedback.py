"""Ground truth and business outcomes, on their way to the prediction that they judge."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import orjson

from deployments.contracts import prediction_id
from deployments.contracts.errors import FeedbackConflict, FeedbackNotTaken, FieldProblem, InvalidRows
from deployments.contracts.package import Task
from deployments.contracts.prediction import FeedbackRequest, Prediction
from deployments.contracts.prediction_id import PredictionId
from deployments.contracts.request_record import FeedbackRecord
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.gateway.request_log import RequestLog
from deployments.gateway.served_endpoint import ServedEndpoint, ServedVersion

Kept = TypeVar("Kept")
REMEMBERED = 100_000
"""Messages of feedback, and predictions judged by it, that a gateway remembers, to know what comes twice."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of feedback.

    Attributes:
        feedback_id: Names it; the same message has the same id however often it comes.
        again: It was taken before, by this gateway, and counted then.
    """

    feedback_id: str
    again: bool


class FeedbackIntake:
    """Takes feedback, each message once.

    A label may come days after the prediction: its id says which version made it, and readers of the log join the
    two. What a gateway has forgotten, or another one took, is written twice and dropped by those readers.

    Args:
        log: Where it is kept.
    """

    def __init__(self, log: RequestLog) -> None:
        self._log = log
        self._seen: OrderedDict[str, bytes] = OrderedDict()
        self._judged: OrderedDict[str, None] = OrderedDict()

    def take(
        self,
        request: FeedbackRequest,
        key: str | None,
        caller: str,
        now: float,
        endpoints: Mapping[str, ServedEndpoint],
    ) -> Taken:
        """Keep and count one message.

        Args:
            request: What was sent.
            key: The ``Idempotency-Key`` header; without it the content is the key.
            caller: Name of the authenticated caller, or empty.
            now: Unix time in seconds.
            endpoints: What is served now. The version of an old prediction may be gone; its feedback is kept.

        Raises:
            InvalidRows: The id is not that of a prediction, nothing is said of it, or the label is not one of the
                version's.
            FeedbackConflict: The key was used for other content.
            FeedbackNotTaken: There is no room for it now.
        """
        predicted = _predicted(request)
        content = orjson.dumps([predicted.text, request.label, request.value])
        feedback_id = hashlib.blake2b(
            b"key\0" + predicted.text.encode() + b"\0" + key.encode() if key else content, digest_size=16
        ).hexdigest()
        if (known := self._seen.get(feedback_id)) is not None:
            if known != content:
                raise FeedbackConflict(key or "")
            return Taken(feedback_id, again=True)
        policy, served = _version_of(predicted, endpoints) or (None, None)
        record = FeedbackRecord(
            prediction_id=predicted.text,
            label=request.label if served is None or request.label is None else _known(request.label, served),
            value=request.value,
            received=now,
            feedback_id=feedback_id,
            caller=caller,
            endpoint=policy.endpoint if policy else "",
            version=served.text if served else "",
        )
        if not self._log.feedback(record):
            raise FeedbackNotTaken
        _remember(self._seen, feedback_id, content)
        if policy and served:
            served.counts.feedback += 1
            self._judge(predicted, served, policy, request.value)
        return Taken(feedback_id, again=False)

    def _judge(
        self, predicted: PredictionId, served: ServedVersion, policy: TrafficPolicy, value: float | None
    ) -> None:
        """Tell the bandit how a draw of its own ended; a prediction is one draw, however much is said of it."""
        if policy.bandit is None or value is None or predicted.tag != served.split_tag:
            return
        if predicted.text in self._judged:
            return
        _remember(self._judged, predicted.text, None)
        if value >= policy.bandit.success_at:
            served.counts.feedback_successes += 1
        else:
            served.counts.feedback_failures += 1


def _remember(memory: OrderedDict[str, Kept], key: str, value: Kept) -> None:
    memory[key] = value
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)


def _predicted(request: FeedbackRequest) -> PredictionId:
    if request.label is None and request.value is None:
        raise InvalidRows((FieldProblem("label", "is required, or a value: feedback must say something"),))
    try:
        return prediction_id.read(request.prediction_id)
    except ValueError:
        problem = FieldProblem("prediction_id", "must be the id that came with a prediction, a UUIDv7")
        raise InvalidRows((problem,)) from None


def _version_of(
    predicted: PredictionId, endpoints: Mapping[str, ServedEndpoint]
) -> tuple[TrafficPolicy, ServedVersion] | None:
    """The version that made a prediction, if it is served still and no other one has its tag."""
    found = [
        (endpoint.policy, served)
        for endpoint in endpoints.values()
        for served in endpoint.versions.values()
        if predicted.tag in (served.tag, served.split_tag)
    ]
    return found[0] if len(found) == 1 else None


def _known(label: Prediction, served: ServedVersion) -> Prediction:
    """A label as the version's package writes it: JSON's 1.0 is its class 1, and counts as that."""
    metadata = served.metadata
    if metadata.targets:
        if isinstance(label, dict) and label.keys() == set(metadata.targets):
            return label
        expected = f"an object with a number for each of {', '.join(metadata.targets)}"
    elif metadata.task is Task.REGRESSION:
        if isinstance(label, int | float) and not isinstance(label, bool):
            return label
        expected = "a number: the model predicts one"
    else:
        for known in metadata.classes:
            if label == known and isinstance(label, bool) == isinstance(known, bool):
                return known
        expected = f"one of {', '.join(served.class_texts)}"
    raise InvalidRows((FieldProblem("label", f"must be {expected}"),))
