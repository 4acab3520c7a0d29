"""A version as people read of it: what it was asked, how good it was, and how its rows differ from training's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from deployments.contracts.errors import RaygateError
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import REFERENCE_SAMPLE, ModelMetadata
from deployments.contracts.request_record import Stage
from deployments.prediction_log import sample
from deployments.prediction_log.columns import FEATURE_PREFIX
from deployments.prediction_log.sample import Sample
from monitoring import report
from monitoring.drift.limits import DriftLimits
from monitoring.quality import measured
from monitoring.quality.label_store import LabelHorizon, LabelStore
from ray_apps import traffic_section

if TYPE_CHECKING:
    from deployments.runtime.package import ModelPackage
    from monitoring.quality.figure import Figure


class NothingLogged(RaygateError):
    """The prediction log has no rows to report on."""

    def __init__(self, version: str, hours: float, log: str) -> None:
        super().__init__(version, hours, log)
        self.version, self.hours, self.log = version, hours, log

    def __str__(self) -> str:
        return f"{self.version} has no answered row of the last {self.hours:g} hours in {self.log or 'no log'}"


def page(
    log: str, described: ModelPackage, since: datetime, hours: float, limits: DriftLimits | None = None
) -> str:
    """One page of HTML that needs nothing else. Takes ten seconds, most of them Evidently's.

    Of many rows a uniform sample is shown, so a busy version takes no more memory than a quiet one.

    Args:
        log: Root of the prediction log; empty where there is none.
        described: The version's package.
        since: Rows that were asked for then or later.
        hours: How far back that is, for its title.
        limits: From which index on a feature is called drifted.

    Raises:
        NothingLogged: No row was answered since then.
        StorageUnreachable: The log cannot be read.
    """
    metadata = described.metadata
    name = ModelVersion(metadata.model, metadata.version)
    drawn = _logged(log, described, since)
    if not drawn.of:
        raise NothingLogged(str(name), hours, log)
    labelled, figures = _quality(log, name, metadata, since)
    title, rows = f"{name}, last {hours:g} hours", drawn.rows.to_pandas()
    preface = traffic_section.html(title, rows, drawn.of, figures, metadata.metrics, labelled)
    reference = pd.read_parquet(described.directory / REFERENCE_SAMPLE)
    return report.page(reference, _features(rows), described.schema, limits, preface)


def _logged(log: str, described: ModelPackage, since: datetime) -> Sample:
    """What a version answered to callers, with the features that the page shows."""
    if not log:
        return Sample(pa.table({}), 0)
    metadata = described.metadata
    features = [FEATURE_PREFIX + feature.name for feature in report.shown(described.schema)]
    return sample.draw(
        log,
        model=metadata.model,
        version=str(metadata.version),
        since=since,
        columns=["timestamp", "stage", "latency_ms", "outcome", *features],
        where=lambda table: table.filter(pc.equal(table["stage"], Stage.LIVE.value)),
    )


def _features(rows: pd.DataFrame) -> pd.DataFrame:
    features = [column for column in rows.columns if column.startswith(FEATURE_PREFIX)]
    named: pd.DataFrame = rows[features].rename(columns=lambda column: column.removeprefix(FEATURE_PREFIX))
    return named


def _quality(
    log: str, name: ModelVersion, metadata: ModelMetadata, since: datetime
) -> tuple[int, dict[str, Figure]]:
    """Labelled rows of a version, and how good it was on them."""
    now = datetime.now(UTC)
    labels = LabelStore(log, LabelHorizon(age=now - since))
    labels.refresh(now)
    rows = labels.rows(name.model, str(name.version), metadata.task)
    return len(rows), measured.measure(rows, metadata) if len(rows) else {}
