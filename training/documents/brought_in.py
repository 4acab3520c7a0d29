"""The documents of a model that was trained elsewhere: what is known of it, and what is not."""

from __future__ import annotations

from typing import Any

import pandas as pd

from deployments.contracts import labels
from deployments.contracts.package import Task
from deployments.contracts.reference_profile import ReferenceProfile
from deployments.runtime import columns as columnar
from training import evaluation
from training.documents import drift_baseline, model_card, quality, rendering, technical_document
from training.documents.card import Card
from training.documents.quality import Findings
from training.documents.section import Section, Table
from training.evaluation_report import EvaluationReport
from training.served_model import ServedModel

SAMPLE = "a sample of its input, not the training rows"
"""What the data of such a version is, wherever a version's data is told."""
NOT_KNOWN = (
    "Which rows and which code trained it, and what it was judged by then: none of that was there when it was "
    "packaged. Its data is that of the sample, its commit that of the code that packaged it. What it is for, whom "
    "it may harm and how it treats groups was not stated."
)
JUDGED_BY = "labelled rows of the sample, which it may have been trained on"


def build(
    served: ServedModel,
    report: EvaluationReport | None,
    features: pd.DataFrame,
    target: pd.Series[Any] | None,
    reference: ReferenceProfile,
) -> dict[str, str]:
    """Return model card and technical document by file name, as Markdown and as HTML.

    Args:
        served: The model with the path that is served.
        report: Its quality on the sample; None without labelled rows.
        features: The sample.
        target: Its labels or values, if it has any.
        reference: The drift baseline.
    """
    model = served.model
    title = f"{model.identity.model} {model.identity.version}"
    judged = _quality(served, report, features, target)
    taken = f"{len(features)} rows show what it takes."
    card = [
        model_card.details(served, Card(), "in the technical document, as far as it tells them"),
        Section("Not known", NOT_KNOWN),
        Section("Sample", taken, (model_card.features(model.schema),)),
        judged,
    ]
    technical = [
        technical_document.pipeline(model.estimator, "As it was brought; serving does the same."),
        technical_document.estimator(model),
        technical_document.serving(served, report.one_row_milliseconds if report else None),
        judged,
        drift_baseline.section(model.schema, reference, "rows of the sample held, and their scores"),
        _origin(served),
    ]
    return {
        model_card.CARD_MARKDOWN: rendering.markdown(title, card),
        model_card.CARD_HTML: rendering.html(title, card),
        technical_document.TECHNICAL_MARKDOWN: rendering.markdown(f"{title}: technical document", technical),
        technical_document.TECHNICAL_HTML: rendering.html(f"{title}: technical document", technical),
    }


def _quality(
    served: ServedModel, report: EvaluationReport | None, features: pd.DataFrame, target: pd.Series[Any] | None
) -> Section:
    if report is None or target is None:
        return Section("Quality", "Nobody judged it: the sample has no labels.")
    model = served.model
    scores = served.scorer.predict(columnar.from_frame(features, model.schema))
    positive = None
    if model.task is Task.BINARY:
        positive = evaluation.positions(target, model.classes) == labels.POSITIVE
    findings = Findings((0, 0, len(features)), {}, {}, positive, scores)
    return quality.metrics(model, report, findings, JUDGED_BY)


def _origin(served: ServedModel) -> Section:
    rows = (
        ("Sample (SHA-256)", served.model.data_fingerprint),
        ("Packaged by (Git commit)", served.model.code_version or "not known"),
        ("Versions of libraries", "model_metadata.json of the package"),
        ("Made from", "trained_from.json of the package"),
    )
    return Section("Origin", NOT_KNOWN, (Table(("", ""), rows),))
