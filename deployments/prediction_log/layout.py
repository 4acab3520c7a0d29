"""Where a segment lies: partitions by model, version and hour, hive style, so that every engine can prune them.

predictions/model=credit_risk/version=1.0.0/date=2026-11-21/hour=14/<segment>.parquet
feedback/date=2026-11-21/<segment>.parquet
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

PREDICTIONS = "predictions"
FEEDBACK = "feedback"
COMPACTED = "compacted-"
ERASED = "erased-"

_NAME = rf"(\d{{8}}T\d{{6}}-[^/]+-\d{{10,}}|({COMPACTED}|{ERASED})[0-9a-f]{{24}})\.parquet"
_DATE = r"date=(?P<date>\d{4}-\d\d-\d\d)"
_PREDICTIONS_PATH = re.compile(
    rf"{PREDICTIONS}/model=(?P<model>[^/]+)/version=(?P<version>[^/]+)/{_DATE}/hour=(?P<hour>\d\d)/{_NAME}"
)
_FEEDBACK_PATH = re.compile(rf"{FEEDBACK}/{_DATE}/{_NAME}")


@dataclass(frozen=True, order=True, slots=True)
class Partition:
    """One directory of segments.

    Attributes:
        start: First moment of the hour (predictions) or of the day (feedback), UTC.
        model: Registered model; empty for feedback.
        version: What answered; empty for feedback.
    """

    start: datetime
    model: str = ""
    version: str = ""

    @classmethod
    def of_prediction(cls, model: str, version: str, hour: int) -> Partition:
        """The partition of a prediction.

        Args:
            model: Registered model.
            version: What answered.
            hour: Full hours since 1970 began.
        """
        return cls(_EPOCH + timedelta(hours=hour), model, version)

    @classmethod
    def of_feedback(cls, day: int) -> Partition:
        """The partition of feedback, by full days since 1970 began."""
        return cls(_EPOCH + timedelta(days=day))

    @classmethod
    def of_file(cls, path: str) -> Partition | None:
        """The partition that a path under the log's root lies in; None for what is no segment."""
        match = _PREDICTIONS_PATH.fullmatch(path) or _FEEDBACK_PATH.fullmatch(path)
        if match is None:
            return None
        found = match.groupdict()
        try:
            start = datetime.strptime(f"{found['date']} {found.get('hour', '00')}", "%Y-%m-%d %H")
        except ValueError:  # somebody else's hour=99
            return None
        return cls(start.replace(tzinfo=UTC), found.get("model", ""), found.get("version", ""))

    @property
    def end(self) -> datetime:
        """First moment after the partition."""
        return self.start + (timedelta(hours=1) if self.model else timedelta(days=1))

    @property
    def path(self) -> str:
        """The directory, relative to the log's root."""
        day = self.start.strftime("%Y-%m-%d")
        if not self.model:
            return f"{FEEDBACK}/date={day}"
        return f"{PREDICTIONS}/model={self.model}/version={self.version}/date={day}/hour={self.start:%H}"


def segment_name(began: float, gateway: str, first_sequence: int) -> str:
    """Name of what a gateway writes: no two segments share one, and sorted names are about in order of time.

    Args:
        began: Unix time in seconds of its first record.
        gateway: Identity of the gateway's incarnation.
        first_sequence: Sequence number of its first record.
    """
    moment = _EPOCH + timedelta(seconds=began)
    return f"{moment:%Y%m%dT%H%M%S}-{gateway}-{first_sequence:010d}.parquet"


def successor_name(prefix: str, replaced: Iterable[str]) -> str:
    """Name of a segment that takes the place of others; the same ones give the same name, so a repeat overwrites.

    Args:
        prefix: ``COMPACTED`` or ``ERASED``.
        replaced: Names of the segments that it replaces.
    """
    digest = hashlib.blake2b("\n".join(sorted(replaced)).encode(), digest_size=12).hexdigest()
    return f"{prefix}{digest}.parquet"


def is_successor(path: str) -> bool:
    """Whether a segment took the place of others."""
    return PurePosixPath(path).name.startswith((COMPACTED, ERASED))


def began(path: str) -> datetime | None:
    """When the first record of a gateway's segment came, to the second; None if it has replaced others."""
    if is_successor(path):
        return None
    return datetime.strptime(PurePosixPath(path).name[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
