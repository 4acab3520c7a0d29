"""Labels joined to the predictions that they judge, the newest of each version."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from deployments.contracts import prediction_id as prediction_ids
from deployments.contracts.package import Task
from deployments.contracts.request_record import Stage
from deployments.prediction_log import labels, reader
from monitoring.quality.labelled_rows import LabelledRows

HOUR = timedelta(hours=1)
READ_AGAIN = timedelta(minutes=15)
"""Feedback lies in a gateway for a while before it is in the log: so far back each look reads again."""
ARRIVAL = timedelta(minutes=1)
"""A prediction is filed under the time at which its request arrived, a little before its id was made."""
LOOKS = 5
"""So often a prediction is looked for that is not in the log yet; one that was not sampled never comes."""
WAITING_LABELS = 100_000
COLUMNS = ("prediction_id", "timestamp", "model", "version", "stage", "prediction", "scores")


@dataclass(frozen=True, slots=True)
class LabelHorizon:
    """Which labels count.

    Attributes:
        age: Of the prediction; a label that comes later than this is not joined any more.
        rows: Of one version; beyond it the oldest predictions go. Memory is bounded by it.
    """

    age: timedelta = timedelta(days=7)
    rows: int = 20_000


@dataclass(slots=True)
class Waiting:
    """A label whose prediction has not been found yet."""

    label: str
    at: datetime
    looks: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """A prediction and what turned out to be true."""

    at: datetime
    predicted: str
    truth: str
    scores: tuple[float, ...]


class LabelStore:
    """Reads of the prediction log what is new, and only the hours that labels point to. Belongs to one thread.

    Args:
        uri: Root of the log.
        horizon: Which labels count.
    """

    def __init__(self, uri: str, horizon: LabelHorizon | None = None) -> None:
        self._uri, self._horizon = uri, horizon or LabelHorizon()
        self._read_until: datetime | None = None
        self._waiting: dict[str, Waiting] = {}
        self._judged: dict[tuple[str, str], dict[str, Judged]] = defaultdict(dict)

    def refresh(self, now: datetime) -> None:
        """Take what was told since the last time.

        Raises:
            StorageUnreachable: The log cannot be read; nothing is lost, the next refresh begins where this did.
            SegmentUnreadable: A segment is damaged.
        """
        oldest = now - self._horizon.age
        since = oldest if self._read_until is None else max(oldest, self._read_until - READ_AGAIN)
        known = self._known()
        self._expect(self._told(since, known), known, oldest)
        for hour, wanted in self._by_hour().items():
            ids = pa.array(wanted, pa.string())
            begin, end = hour - ARRIVAL, hour + HOUR + ARRIVAL
            self._join(reader.read(self._uri, since=begin, until=end, columns=COLUMNS, ids=ids), wanted)
        self._read_until = now
        self._forget(oldest)

    def versions(self) -> list[tuple[str, str]]:
        """Models and versions that have labels."""
        return sorted(key for key, judged in self._judged.items() if judged)

    def rows(self, model: str, version: str, task: Task) -> LabelledRows:
        """The labelled predictions of a version, in the order in which they were made."""
        # Ids are UUIDv7: their order is that of time, within a millisecond too.
        judged = [one for _, one in sorted(self._judged.get((model, version), {}).items())]
        if task is not Task.REGRESSION:
            return _rows([(one.predicted, one.truth, one.scores) for one in judged], np.str_)
        read = [(_quantities(one.predicted, one.truth), one.scores) for one in judged]
        rows = _rows([(*pair, scores) for pair, scores in read if pair is not None], np.float64)
        return replace(rows, unreadable=len(read) - len(rows))

    def _known(self) -> dict[str, str]:
        """What was told last of every prediction, as far as it was read."""
        joined = {name: one.truth for judged in self._judged.values() for name, one in judged.items()}
        return joined | {name: one.label for name, one in self._waiting.items()}

    def _told(self, since: datetime, known: Mapping[str, str]) -> dict[str, str]:
        """The last label of each prediction that something was said of since a moment."""
        told = labels.read_feedback(self._uri, since=since, repeated_within=timedelta(0))
        pairs = zip(told["prediction_id"].to_pylist(), told["label"].to_pylist(), strict=True)
        if any(label is not None and known.get(name, label) != label for name, label in pairs):
            # A correction, or an old label that was sent again: its first copy may have come up to a day before.
            told = labels.read_feedback(self._uri, since=since)
        last = labels.latest(told)
        return dict(zip(last["prediction_id"].to_pylist(), last["label"].to_pylist(), strict=True))

    def _expect(self, told: Mapping[str, str], known: Mapping[str, str], oldest: datetime) -> None:
        """Later labels replace earlier ones of the same prediction."""
        for name, label in told.items():
            if known.get(name) != label and (at := prediction_ids.read(name).at) >= oldest:
                self._waiting[name] = Waiting(label, at)

    def _by_hour(self) -> dict[datetime, list[str]]:
        hours: dict[datetime, list[str]] = defaultdict(list)
        for name, one in self._waiting.items():
            if one.looks < LOOKS:
                hours[one.at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)].append(name)
        return hours

    def _join(self, predictions: pa.Table, wanted: Collection[str]) -> None:
        answered = pc.and_(
            pc.equal(predictions["stage"], Stage.LIVE.value), pc.is_valid(predictions["prediction"])
        )
        for row in predictions.filter(answered).to_pylist():
            name = row["prediction_id"]
            label = self._waiting.pop(name, None)
            if label is not None:
                judged = Judged(row["timestamp"], row["prediction"], label.label, tuple(row["scores"]))
                self._judged[row["model"], row["version"]][name] = judged
        self._looked(wanted)

    def _looked(self, wanted: Iterable[str]) -> None:
        for name in wanted:
            if name in self._waiting:
                self._waiting[name].looks += 1

    def _forget(self, oldest: datetime) -> None:
        latest = sorted(self._waiting.items(), reverse=True)[:WAITING_LABELS]
        self._waiting = {name: one for name, one in latest if one.at >= oldest}
        for key, judged in self._judged.items():
            newest = sorted(judged.items(), reverse=True)[: self._horizon.rows]
            self._judged[key] = {name: one for name, one in newest if one.at >= oldest}


def _rows(told: Sequence[tuple[Any, Any, tuple[float, ...]]], kind: type[np.generic]) -> LabelledRows:
    width = len(told[0][2]) if told else 1
    return LabelledRows(
        predicted=np.array([predicted for predicted, _, _ in told], dtype=kind),
        truth=np.array([truth for _, truth, _ in told], dtype=kind),
        scores=np.array([scores for _, _, scores in told], dtype=np.float64).reshape(len(told), width),
    )


def _quantities(predicted: str, truth: str) -> tuple[float, float] | None:
    """What was predicted and what came, or None where that is no number; of several targets the first.

    The first is the one whose score is watched, too. No gateway checks what is told of a version that is served no
    more, so a label may be anything.

    >>> _quantities('{"width": 2.0, "height": 3.0}', '{"height": 3.5, "width": 2.5}')
    (2.0, 2.5)
    >>> _quantities("2.0", "n/a") is None
    True
    """
    try:
        if predicted.startswith("{"):
            values = json.loads(predicted)
            first = next(iter(values))
            pair = float(values[first]), float(json.loads(truth)[first])
        else:
            pair = float(predicted), float(truth)
    except (ValueError, TypeError, KeyError):
        return None
    return pair if all(map(isfinite, pair)) else None
