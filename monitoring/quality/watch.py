"""How good every version is, again and again: from labels as they come, and estimated where there are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deployments.contracts.distributions import PackageKey
from deployments.contracts.package import ModelMetadata
from monitoring.quality import concept_drift, estimated, measured
from monitoring.quality.concept_drift import Change
from monitoring.quality.figure import Figure
from monitoring.quality.label_store import LabelStore
from monitoring.sliding import Observed

Metadata = Mapping[PackageKey, ModelMetadata]
PAUSE = timedelta(seconds=30)
"""Between two looks: as long as a row may wait in a gateway before it is in the log."""


@dataclass(frozen=True, slots=True)
class VersionQuality:
    """One version, as far as it is known.

    Attributes:
        labelled: Rows with a label within the horizon.
        measured: Figures on them, with intervals.
        baseline: The same figures on the test split, as the package tells them.
        estimated: Figures of the sliding window's rows, labels or not.
        changes: What the detectors of concept drift say; None without enough labels.
    """

    labelled: int = 0
    measured: Mapping[str, Figure] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)
    estimated: Mapping[str, float] = field(default_factory=dict)
    changes: Mapping[str, Change] | None = None


class QualityWatch:
    """One thread looks; others may read the attributes meanwhile, which are replaced as a whole.

    Args:
        labels: Where labels come from; None if there is no prediction log to join them to.

    Attributes:
        judged: By package.
        labels_read: When labels were last read, or None.
    """

    def __init__(self, labels: LabelStore | None) -> None:
        self._labels = labels
        self.judged: Mapping[PackageKey, VersionQuality] = {}
        self.labels_read: datetime | None = None
        self._looked: datetime | None = None

    def look(self, window: Observed, packages: Metadata, now: datetime) -> None:
        """Judge every package, unless that was done within ``PAUSE``.

        Args:
            window: Rows of the sliding window, for what is estimated.
            packages: What is served.
            now: UTC.

        Raises:
            StorageUnreachable: Labels cannot be read; the judgement of before stays.
            SegmentUnreadable: A segment of the log is damaged.
        """
        if self._looked is not None and now - self._looked < PAUSE:
            return
        self._looked = now
        if self._labels is not None:
            self._labels.refresh(now)
            self.labels_read = now
        self.judged = {key: self._judge(key, metadata, window) for key, metadata in packages.items()}

    def _judge(self, key: PackageKey, metadata: ModelMetadata, window: Observed) -> VersionQuality:
        live = window.get(key)
        expected: Mapping[str, float] = {}
        if live is not None and any(live.probability):
            expected = estimated.from_bins(metadata.task, live.probability, metadata.threshold)
        model, version, _ = key
        rows = self._labels.rows(model, version, metadata.task) if self._labels is not None else None
        if rows is None or not len(rows):
            return VersionQuality(estimated=expected)
        figures = measured.measure(rows, metadata)
        return VersionQuality(
            labelled=len(rows),
            measured=figures,
            baseline={name: metadata.metrics[name] for name in figures if name in metadata.metrics},
            estimated=expected,
            changes=concept_drift.detect(rows.errors(metadata.task)),
        )
