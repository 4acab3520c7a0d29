"""The validation report of a version: what was checked on its way, and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.data import Dataset
from training.documents import rendering
from training.documents.section import Section, Table
from training.evaluation_report import EvaluationReport
from training.gates import Gate
from training.metric_name import lower_is_better
from training.served_model import ServedModel

VALIDATION_MARKDOWN = "validation_report.md"
VALIDATION_HTML = "validation_report.html"


def build(
    dataset: Dataset,
    notices: Sequence[str],
    served: ServedModel,
    report: EvaluationReport,
    gates: Mapping[str, Gate],
) -> dict[str, str]:
    """Return the validation report by file name, as Markdown and as HTML.

    Args:
        dataset: With what its rows were compared with.
        notices: What is allowed in the rows and yet worth knowing.
        served: With the comparison of its two paths.
        report: Its quality.
        gates: The limits that it keeps, by metric.
    """
    identity = served.model.identity
    sections = [
        _rows(dataset),
        Section("Worth knowing", "\n\n".join(f"{notice}." for notice in notices)),
        _gates(report, gates),
        _parity(served),
    ]
    title = f"{identity.model} {identity.version}: validation report"
    return {
        VALIDATION_MARKDOWN: rendering.markdown(title, sections),
        VALIDATION_HTML: rendering.html(title, sections),
    }


def _rows(dataset: Dataset) -> Section:
    checked = dataset.checked
    kept = len(dataset.rows.target)
    text = f"{checked.rows} rows were read"
    if dataset.divided is not None:
        text += "; all of the training part were used, and figures are of a sample of the others."
    else:
        text += "; all of them were used." if kept == checked.rows else f"; cleaning left {kept} of them."
    if not checked.kept:
        return Section("Rows", f"{text} Nothing was expected of them.")
    table = Table(("column", "must", "outcome"), tuple((*said, "so in every row") for said in checked.kept))
    return Section("Rows", f"{text} All of them are as expected.", (table,))


def _gates(report: EvaluationReport, gates: Mapping[str, Gate]) -> Section:
    if not gates:
        return Section("Gates", "None was set.")
    rows = []
    for name, gate in gates.items():
        figure = report.metrics[name]
        bound = "at most" if lower_is_better(name) else "at least"
        sure = ", by the worse end of the interval" if gate.confident else ""
        interval = f"{figure.low:.4g} to {figure.high:.4g}"
        rows.append((name, f"{bound} {gate.limit:g}{sure}", f"{figure.value:.4g}", interval, "kept"))
    return Section("Gates", tables=(Table(("metric", "limit", "value", "interval", "outcome"), tuple(rows)),))


def _parity(served: ServedModel) -> Section:
    parity = served.parity
    if parity.reason:
        return Section("Compiled path", f"Not served: {parity.reason}.")
    return Section(
        "Compiled path",
        f"Compared with the pipeline on {parity.rows} held-out and edge rows: scores differ by at most "
        f"{parity.max_difference:.2g} ({parity.tolerance:g} is allowed), {parity.label_flips} labels differ.",
    )
