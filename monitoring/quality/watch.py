"""How good every version is, again and again: from labels as they come, and estimated where there are none."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deployments.contracts.distributions import PackageKey
from deployments.contracts.package import ModelMetadata
from monitoring.quality import concept_drift, estimated, measured
from monitoring.quality.concept_drift import Change
from monitoring.quality.estimated import Withheld
from monitoring.quality.figure import Figure
from monitoring.quality.label_store import LabelStore
from monitoring.sliding import Observed

_log = logging.getLogger("raygate.monitor")

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
        withheld: Why nothing is estimated; None where it is, or cannot be.
        unreadable: Predictions of a quantity that were told something else than a number.
    """

    labelled: int = 0
    measured: Mapping[str, Figure] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)
    estimated: Mapping[str, float] = field(default_factory=dict)
    changes: Mapping[str, Change] | None = None
    withheld: Withheld | None = None
    unreadable: int = 0


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

        What cannot be read costs no more than itself: without the log, estimates go on and labels are those of the
        last time (``labels_read``); a package that cannot be judged is left out.

        Args:
            window: Rows of the sliding window, for what is estimated.
            packages: What is served.
            now: UTC.
        """
        if self._looked is not None and now - self._looked < PAUSE:
            return
        self._looked = now
        self._refresh(now)
        judged: dict[PackageKey, VersionQuality] = {}
        for key, metadata in packages.items():
            try:
                judged[key] = self._judge(key, metadata, window)
            except Exception:  # labels are whatever callers send; one package's trouble is not the others'
                _log.exception("quality of %s %s cannot be judged", key[0], key[1])
        self.judged = judged

    def _refresh(self, now: datetime) -> None:
        if self._labels is None:
            return
        try:
            self._labels.refresh(now)
        except Exception as error:  # whatever a log far away may do; the next look begins where this one did
            _log.warning("labels cannot be read: %s", error)
        else:
            self.labels_read = now

    def _judge(self, key: PackageKey, metadata: ModelMetadata, window: Observed) -> VersionQuality:
        live = window.get(key)
        expected: Mapping[str, float] = {}
        withheld = estimated.withheld(metadata)
        if withheld is None and live is not None and any(live.probability):
            expected = estimated.from_bins(metadata.task, live.probability, metadata.threshold)
        model, version, _ = key
        rows = self._labels.rows(model, version, metadata.task) if self._labels is not None else None
        if rows is None or not len(rows):
            unreadable = 0 if rows is None else rows.unreadable
            return VersionQuality(estimated=expected, withheld=withheld, unreadable=unreadable)
        figures = measured.measure(rows, metadata)
        return VersionQuality(
            labelled=len(rows),
            measured=figures,
            baseline={name: metadata.metrics[name] for name in figures if name in metadata.metrics},
            estimated=expected,
            changes=concept_drift.detect(rows.errors(metadata.task)),
            withheld=withheld,
            unreadable=rows.unreadable,
        )
