"""The model card of a version: what people must know before they rely on it."""

from __future__ import annotations

from deployments.contracts import labels
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from training.documents import quality, rendering
from training.documents.card import Card
from training.documents.quality import Findings
from training.documents.section import Section, Table
from training.evaluation_report import EvaluationReport
from training.fairness import GroupRates
from training.package_trials import Trial
from training.served_model import FittedModel, ServedModel

CARD_MARKDOWN = "model_card.md"
CARD_HTML = "model_card.html"
NOT_STATED = "Not stated."
SHOWN_TRIALS = 10


def build(served: ServedModel, report: EvaluationReport, findings: Findings, card: Card) -> dict[str, str]:
    """Return the model card by file name, as Markdown and as HTML."""
    model, parameters = served.model, served.model.parameters
    sections = [
        details(served, card, ", ".join(f"{name} {value}" for name, value in parameters.items()) or "defaults"),
        Section("Intended use", card.intended_use or NOT_STATED),
        Section("Out of scope", card.out_of_scope or NOT_STATED),
        _training_data(model, findings, card),
        quality.metrics(model, report, findings),
        quality.importance(findings),
        _fairness(findings),
        _variants(report),
        _search(model.trials),
        Section("Limitations", card.limitations or NOT_STATED),
        Section("Ethical considerations", card.ethics or NOT_STATED),
    ]
    title = f"{model.identity.model} {model.identity.version}"
    return {CARD_MARKDOWN: rendering.markdown(title, sections), CARD_HTML: rendering.html(title, sections)}


def details(served: ServedModel, card: Card, parameters: str) -> Section:
    """What kind of model it is, and where it comes from.

    Args:
        served: The model.
        card: What people said of it.
        parameters: Its hyperparameters.
    """
    model, parity = served.model, served.parity
    compared = parity.reason or (
        f"against the other on {parity.rows} rows: differs by at most {parity.max_difference:.2g}, "
        f"in {parity.label_flips or 'no'} labels"
    )
    answers = ", ".join(map(labels.text, model.classes or model.targets))
    rows = [
        ("Owner", card.owner or NOT_STATED),
        ("Risk tier", model.risk_tier.value if model.risk_tier else NOT_STATED),
        ("Family", model.family + (f", {served.variant}" if served.variant else "")),
        ("Task", " of ".join(filter(None, [model.task.value, answers]))),
        ("Served by", f"the {served.path.value} path; {compared}"),
        ("Hyperparameters", parameters),
        ("Data", ", ".join(filter(None, (model.data_version, model.data_fingerprint)))),
        ("Code", model.code_version or "not known"),
    ]
    return Section("Details", tables=(Table(("", ""), tuple(rows)),))


def _training_data(model: FittedModel, findings: Findings, card: Card) -> Section:
    train, validation, test = findings.rows
    text = f"{train} rows to train, {validation} to validate, {test} to test."
    return Section("Training data", "\n\n".join(filter(None, [card.data, text])), (features(model.schema),))


def features(schema: FeatureSchema) -> Table:
    """What the model takes, feature by feature."""
    described = tuple(
        (
            feature.name,
            feature.kind.value,
            "yes" if feature.nullable else "no",
            _values(feature),
            ("personal data. " if feature.pii else "") + feature.description,
        )
        for feature in schema.features
    )
    return Table(("feature", "kind", "may be null", "values", "description"), described)


def _values(feature: Feature) -> str:
    if feature.kind is FeatureKind.NUMBER:
        return f"{feature.minimum:g} to {feature.maximum:g}"
    if feature.pii:
        return ""
    more = f" and {len(feature.categories) - 8} more" if len(feature.categories) > 8 else ""
    return ", ".join(feature.categories[:8]) + more


def _fairness(findings: Findings) -> Section:
    tables = []
    for column, comparison in findings.groups.items():
        rows = [_group(rates) for rates in comparison.groups]
        rows += [
            (
                f"largest difference in {name}",
                "",
                f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})",
                "",
                "",
            )
            for name, figure in comparison.differences.items()
        ]
        tables.append(
            Table(
                (column, "rows", "gets the positive label", "of true positives", "of true negatives"), tuple(rows)
            )
        )
    return Section("Fairness by group", "Rates on the test rows." if tables else "", tuple(tables))


def _group(rates: GroupRates) -> tuple[str, ...]:
    shares = (rates.selected, rates.true_positive, rates.false_positive)
    return (rates.group, str(rates.rows), *("" if share is None else f"{share:.3f}" for share in shares))


def _variants(report: EvaluationReport) -> Section:
    if not report.variants:
        return Section("Variants")
    trained = report.variants[0].original
    rows = [("as trained", "", str(trained.bytes), f"{trained.one_row_milliseconds:.3g}", "")]
    tables = []
    for one in report.variants:
        verdict = one.refused or ("served" if one.served else "accepted; one before it is served")
        loss = f"{one.metric} {one.original.value:.4g}"
        size = milliseconds = ""
        if one.variant is not None:
            loss += f" to {one.variant.value:.4g}"
            size, milliseconds = str(one.variant.bytes), f"{one.variant.one_row_milliseconds:.3g}"
        name = f"{one.kind}: {one.made}" if one.made else one.kind
        rows.append((name, f"{loss} (loss of {one.allowed_loss:g} allowed)", size, milliseconds, verdict))
        if one.curve:
            points = tuple((str(point.trees), f"{point.value:.4g}") for point in one.curve)
            tables.append(Table(("trees", one.metric), points))
    text = "Smaller forms of the model, compared with it on the validation rows."
    whole = Table(("form", "quality", "bytes", "milliseconds a row", "verdict"), tuple(rows))
    return Section("Variants", text, (whole, *tables))


def _search(trials: tuple[Trial, ...]) -> Section:
    done = [trial for trial in trials if trial.metric is not None]
    if not done:
        return Section("Search")
    names, counted = tuple(done[0].parameters), any(trial.rounds for trial in done)
    rows = tuple(
        (
            *(
                f"{trial.parameters[name]:.4g}"
                if isinstance(trial.parameters[name], float)
                else str(trial.parameters[name])
                for name in names
            ),
            *([str(trial.rounds)] if counted else []),
            f"{trial.metric:.5g}",
        )
        for trial in done[:SHOWN_TRIALS]
    )
    heads = ("rounds",) if counted else ()
    text = f"{len(trials)} parameter sets were tried; the first {len(rows)}:"
    return Section("Search", text, (Table((*names, *heads, "metric"), rows),))
