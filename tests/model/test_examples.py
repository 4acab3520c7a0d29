"""Every example of the repository trains to the quality that it claims, without its search."""

from pathlib import Path

import pytest

from deployments.contracts.package import InferencePath
from deployments.runtime import columns as columnar
from deployments.runtime.model_store import ModelStore
from deployments.runtime.native import reference_sample
from deployments.runtime.predictor import Predictor
from training import config, run
from training.evaluation_report import EVALUATION, EvaluationReport
from training.places import Places

EXAMPLES = Path(__file__).parents[2] / "examples"
TRAINED = sorted(file.parent.name for file in EXAMPLES.glob("*/training.yaml"))

# What a version reaches without its search, and the path that serves it.
FLOORS = {
    "churn": {"1.0.0": ({"accuracy": 0.93, "roc_auc": 0.88}, "compiled")},
    "credit-risk": {"1.0.0": ({"roc_auc": 0.83}, "compiled"), "1.1.0": ({"roc_auc": 0.82}, "compiled")},
    "penguins": {"1.0.0": ({"accuracy": 0.95}, "compiled"), "1.1.0": ({"accuracy": 0.95}, "compiled")},
    "house-prices": {"1.0.0": ({"r2": 0.85}, "compiled"), "1.1.0": ({"r2": 0.90}, "compiled")},
    "art": {"1.0.0": ({"r2": 0.40}, "native")},
    "hotel-rates": {"1.0.0": ({"r2": 0.93}, "native")},
}


class NoRegistry:
    def register(self, made, receipt):
        pass


@pytest.fixture(scope="module", params=TRAINED)
def trained(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp(request.param)
    document = config.read(EXAMPLES / request.param / "training.yaml")
    plain = tuple(one.model_copy(update={"search": None}) for one in document.versions)
    places = Places(ModelStore(directory / "models"), NoRegistry(), directory / "searches", lambda: None)
    outcomes = run.train(document.model_copy(update={"versions": plain}), places, lambda line: None)
    return request.param, [outcome.package for outcome in outcomes]


def test_an_example_reaches_what_it_claims(trained):
    name, packages = trained
    assert {str(made.metadata.version) for made in packages} == set(FLOORS[name])
    for made in packages:
        floors, path = FLOORS[name][str(made.metadata.version)]
        assert made.metadata.path == path, made.metadata.parity.reason
        for metric, floor in floors.items():
            assert made.metadata.metrics[metric] >= floor, (made.metadata.family, metric)


def test_a_figure_comes_with_an_interval_around_it(trained):
    for made in trained[1]:
        report = EvaluationReport.model_validate_json(made.read(EVALUATION))
        assert all(figure.low <= figure.value <= figure.high for figure in report.metrics.values())


def test_a_loaded_package_scores_as_its_pipeline_does(trained):
    for made in trained[1]:
        rows = reference_sample(made).head(20)
        predictor = Predictor(made)
        scored = predictor.predict(columnar.from_frame(rows, made.schema))
        assert not scored.errors
        again = Predictor(made, InferencePath.NATIVE).predict(columnar.from_frame(rows, made.schema))
        assert abs(scored.scores - again.scores).max() <= 1e-4 * max(1.0, abs(again.scores).max())
