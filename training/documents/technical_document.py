"""The technical document of a version: what engineers must know who serve, watch and change it."""

from __future__ import annotations

from typing import Any

from numpy import ndarray
from pandas import Index

from deployments.contracts import labels
from deployments.contracts.reference_profile import ReferenceProfile
from training.documents import drift_baseline, quality, rendering
from training.documents.quality import Findings
from training.documents.section import Section, Table
from training.evaluation_report import EvaluationReport
from training.served_model import FittedModel, ServedModel

TECHNICAL_MARKDOWN = "technical_document.md"
TECHNICAL_HTML = "technical_document.html"
SHOWN_COLUMNS = 12
FITTED_HERE = "Fitted on the training rows alone, and a part of the model: serving does the same."


def build(
    served: ServedModel, report: EvaluationReport, findings: Findings, reference: ReferenceProfile
) -> dict[str, str]:
    """Return the technical document by file name, as Markdown and as HTML."""
    model = served.model
    sections = [
        pipeline(model.estimator, FITTED_HERE),
        estimator(model),
        serving(served, report.one_row_milliseconds),
        quality.metrics(model, report, findings),
        quality.importance(findings),
        drift_baseline.section(model.schema, reference),
        _origin(model),
    ]
    title = f"{model.identity.model} {model.identity.version}: technical document"
    return {
        TECHNICAL_MARKDOWN: rendering.markdown(title, sections),
        TECHNICAL_HTML: rendering.html(title, sections),
    }


def pipeline(estimator: Any, text: str) -> Section:
    """How columns become what the model sees, branch by branch, then what is done to all of them.

    Args:
        estimator: The whole of it.
        text: What else is known of these steps.
    """
    steps = getattr(estimator, "steps", [])
    branches = [] if not steps else getattr(steps[0][1], "transformers_", [])
    rows = [
        (name, _columns(columns), _said(transformer))
        for name, transformer, columns in branches
        if name != "remainder"
    ]
    others = steps[1 if branches else 0 : -1]
    rows += [(name, "all that came out so far", _said(step)) for name, step in others]
    if not rows:
        return Section("From columns to numbers")
    return Section("From columns to numbers", text, (Table(("step", "columns", "what is done"), tuple(rows)),))


def _columns(columns: Any) -> str:
    """Names, or however else a pipeline of somebody else's chooses its columns."""
    names = list(map(str, columns)) if isinstance(columns, list | tuple | Index | ndarray) else [str(columns)]
    more = f" and {len(names) - SHOWN_COLUMNS} more" if len(names) > SHOWN_COLUMNS else ""
    return ", ".join(names[:SHOWN_COLUMNS]) + more


def _said(transformer: Any) -> str:
    """A transformer and its options as scikit-learn prints them, on one line."""
    steps = getattr(transformer, "steps", None)
    parts = [step for _, step in steps] if steps else [transformer]
    return ", then ".join(" ".join(repr(part).split()) for part in parts)


def estimator(model: FittedModel) -> Section:
    """What learns, with all its parameters; a bare booster of a library tells none."""
    steps = getattr(model.estimator, "steps", None)
    last = steps[-1][1] if steps else model.estimator
    rows = tuple(
        (name, str(value), "given or found" if name in model.parameters else "")
        for name, value in sorted(last.get_params(deep=False).items() if hasattr(last, "get_params") else ())
        if value is not None
    )
    table = Table(("parameter", "value", ""), rows)
    return Section("Model", f"{model.family}: {type(last).__name__}.", (table,) if rows else ())


def serving(served: ServedModel, milliseconds: float | None) -> Section:
    """Which path answers, and how it compares with the other.

    Args:
        served: The model.
        milliseconds: Time of one row; None where nobody measured it.
    """
    model, parity = served.model, served.parity
    answers = ", ".join(map(labels.text, model.classes or model.targets))
    rows = [
        ("Task", " of ".join(filter(None, [model.task.value, answers]))),
        ("Path", served.path.value),
        ("Why not compiled", parity.reason),
        ("Rows compared", str(parity.rows)),
        ("Largest difference", "" if parity.max_difference is None else f"{parity.max_difference:.2g}"),
        ("Allowed difference", f"{parity.tolerance:g}"),
        ("Labels that differ", str(parity.label_flips)),
        ("One row", "" if milliseconds is None else f"{milliseconds:.3g} ms"),
        ("Feature schema", model.schema.fingerprint),
    ]
    return Section("Serving", tables=(Table(("", ""), tuple(row for row in rows if row[1])),))


def _origin(model: FittedModel) -> Section:
    rows = [
        ("Data (SHA-256)", model.data_fingerprint),
        ("Code (Git commit)", model.code_version or "not known"),
        ("Versions of libraries", "model_metadata.json of the package"),
        ("Made from", "trained_from.json and training_document.json of the package"),
    ]
    return Section("Origin", tables=(Table(("", ""), tuple(rows)),))
