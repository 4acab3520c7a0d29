"""What a document asks for and its rows cannot give: told by a check and by a run, before anything is fitted."""

import numpy as np
import pandas as pd
import pytest

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument, RaygateError
from deployments.runtime.model_store import ModelStore
from training import check, run
from training.config import TrainingConfig
from training.places import Places

DOCUMENT = """
model: tried
source: {kind: parquet, path: ROWS}
target: {column: TARGET}
features: {exclude: [two, three, amount]}
MORE
versions:
  - {version: 1.0.0, family: FAMILY, search: {SEARCHspace: {NAME: [2, 4, int]}}}
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    random = np.random.default_rng(5)
    table = pd.DataFrame({"a": random.normal(size=90), "home": random.choice(["own", "rent"], 90)})
    table["two"] = random.choice(["no", "yes"], 90)
    table["three"] = random.choice(["low", "middle", "high"], 90)
    table["amount"] = random.normal(size=90)
    file = tmp_path_factory.mktemp("rows") / "rows.parquet"
    table.to_parquet(file)
    return file


def document(rows, target="two", more="", family="lightgbm", search="", name="max_depth"):
    text = DOCUMENT.replace("ROWS", str(rows)).replace("TARGET", target).replace("MORE", more)
    text = text.replace("FAMILY", family).replace("SEARCH", search).replace("NAME", name)
    return yaml_document.read(text, "t.yaml", TrainingConfig)


def no_search():
    pytest.fail("it was searched before the document was looked at")


def trained(config, directory):
    class NoRegistry:
        def register(self, made, receipt):
            pytest.fail("nothing was made")

    places = Places(ModelStore(directory / "models"), NoRegistry(), directory / "searches", no_search)
    run.train(config, places, lambda line: None)


TOO_MUCH = [
    pytest.param(
        {"search": "metric: rmse, "},
        r"versions\[0\].search.metric: rmse does not judge a binary of 2 labels; accuracy, .*brier do",
        id="search-metric",
    ),
    pytest.param(
        {"family": "random_forest", "search": "early_stopping: {}, "},
        r"versions\[0\].search.early_stopping: a random_forest does not grow round by round; leave it out",
        id="early-stopping",
    ),
    pytest.param(
        {"search": "early_stopping: {}, ", "name": "num_iterations"},
        "early_stopping: counts rounds by n_estimators; say that, not num_iterations",
        id="rounds-by-another-name",
    ),
    pytest.param({"more": "gates: {r2: 0.5}"}, r"gates.r2: r2 does not judge a binary", id="gate-of-quantities"),
    pytest.param(
        {"target": "amount", "more": "gates: {roc_auc: 0.5}"},
        "gates.roc_auc: roc_auc does not judge a regression; rmse, mse, mae, r2 do",
        id="gate-of-labels",
    ),
    pytest.param(
        {"target": "three", "more": "decision: {threshold: 0.4}"},
        "decision: is for two labels, and this is a multiclass of 3 labels",
        id="threshold-of-three",
    ),
    pytest.param(
        {"target": "amount", "more": "decision: {false_positive: 1, false_negative: 5}"},
        "decision: is for two labels, and this is a regression",
        id="costs-of-a-quantity",
    ),
    pytest.param(
        {"more": "metrics: {profit: nowhere:x}"},
        "metrics.profit: nowhere:x: No module named 'nowhere'",
        id="metric",
    ),
    pytest.param(
        {"more": "fairness: [home, age]"},
        "fairness: age is no category or boolean among the features; those are home",
        id="unknown-group",
    ),
    pytest.param(
        {"target": "three", "more": "fairness: [home]"}, "fairness: compares how two", id="groups-of-three"
    ),
    pytest.param(
        {"family": "logistic_regression"}, "logistic_regression: cannot be made: .*max_depth", id="space"
    ),
]


@pytest.mark.parametrize(("options", "says"), TOO_MUCH)
def test_what_rows_cannot_give_is_told_by_a_check(rows, options, says):
    with pytest.raises(RaygateError, match=says):
        check.check(document(rows, **options))


@pytest.mark.parametrize(("options", "says"), TOO_MUCH)
def test_what_rows_cannot_give_is_told_by_a_run_before_it_searches(rows, tmp_path, options, says):
    with pytest.raises(RaygateError, match=says):
        trained(document(rows, **options), tmp_path)


def test_all_of_it_is_told_at_once(rows):
    with pytest.raises(InvalidDocument) as raised:
        check.check(document(rows, target="three", more="gates: {rmse: 1}\ndecision: {threshold: 0.4}"))
    assert [problem.where for problem in raised.value.problems] == ["decision", "gates.rmse"]


def test_a_document_that_fits_its_rows_passes(rows):
    more = "gates: {roc_auc: 0.4}\nfairness: [home]\ndecision: {threshold: 0.4}\nmetrics: {floor: math:floor}"
    check.check(document(rows, more=more, search="metric: log_loss, early_stopping: {}, "))
