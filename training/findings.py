"""What is found out about a version after it was judged good enough, and written down for people."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.contracts import labels
from deployments.contracts.package import Task
from deployments.contracts.reference_profile import ReferenceProfile
from deployments.runtime import columns as columnar
from training import evaluation, fairness, importance, notices, served_model
from training.config import TrainingConfig
from training.data import Dataset, TrainingData
from training.documents import model_card, technical_document, validation_report
from training.documents.quality import Findings
from training.evaluation_report import EvaluationReport
from training.gates import Gate
from training.served_model import ServedModel
from training.trained_from import TRAINING_DOCUMENT


def describe(
    config: TrainingConfig,
    limits: Mapping[str, Gate],
    served: ServedModel,
    report: EvaluationReport,
    rows: TrainingData,
    dataset: Dataset,
    reference: ReferenceProfile,
) -> tuple[EvaluationReport, dict[str, str]]:
    """Return the report with importance and latency, and every document by file name.

    Args:
        config: The document.
        limits: The gates that the version keeps.
        served: The version with the path that is served.
        report: Its quality.
        rows: What it was trained and judged on.
        dataset: What those were cut from.
        reference: Its drift baseline.
    """
    model = served.model
    worth = importance.permutation(served, rows.validation.features, rows.validation.target)
    milliseconds = served_model.one_row_milliseconds(served, rows.test.features)
    report = report.model_copy(update={"importance": worth, "one_row_milliseconds": milliseconds})
    found = _findings(config, served, rows, worth)
    worth_knowing = tuple(notices.find(rows, model.schema))
    return report, {
        **model_card.build(served, report, found, config.card),
        **technical_document.build(served, report, found, reference),
        **validation_report.build(dataset, worth_knowing, served, report, limits),
        TRAINING_DOCUMENT: config.model_dump_json(exclude_defaults=True, indent=2),
    }


def _findings(
    config: TrainingConfig, served: ServedModel, rows: TrainingData, worth: Mapping[str, float]
) -> Findings:
    model, test = served.model, rows.test
    scores = served.scorer.predict(columnar.from_frame(test.features, model.schema))
    positive, groups = None, {}
    if model.task is Task.BINARY:
        positive = evaluation.positions(test.target, model.classes) == labels.POSITIVE
        returned = labels.positions(scores, model.threshold) == labels.POSITIVE
        groups = {name: fairness.compare(test.features[name], positive, returned) for name in config.fairness}
    counts = rows.all_rows or (len(rows.train.target), len(rows.validation.target), len(test.target))
    return Findings(counts, worth, groups, positive, scores)
