import numpy as np
import onnx
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier

from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import InferencePath
from deployments.runtime import columns as columnar
from deployments.runtime import edge_rows
from deployments.runtime.compiled import CompiledModel
from deployments.runtime.native import NativeModel
from training import compilation, fitting, parity, served_model

NUMBERS = ["Seniority", "Time", "Age", "Expenses", "Income", "Assets", "Debt", "Amount", "Price"]
TEXTS = ["Home", "Marital", "Records", "Job"]


def fitted(pipeline, credit, schema):
    pipeline.fit(credit.train.features, credit.train.target)
    identity = ModelVersion.parse("credit_risk_v9.0.0")
    return served_model.FittedModel(identity, pipeline, schema, credit.task, credit.classes, family="test")


def ours(family, credit, schema, **parameters):
    subject = fitting.Subject(family, parameters, schema, credit, seed=1)
    return fitted(fitting.unfitted(subject, {}), credit, schema)


@pytest.fixture(scope="module", params=["logistic_regression", "lightgbm", "random_forest", "xgboost"])
def model(request, credit, credit_schema):
    return ours(request.param, credit, credit_schema)


def both_paths(model, credit):
    dtypes = credit.train.features.dtypes.to_dict()
    native = NativeModel(model.estimator, model.schema, model.task, model.classes, dtypes)
    graph = compilation.compile_graph(model.estimator, model.schema, model.task, model.classes)
    return native, CompiledModel(graph)


def choose(model, credit):
    return served_model.choose_path(model, credit.train.features, credit.validation.features)


def test_our_families_are_served_compiled(model, credit):
    served = choose(model, credit)
    assert served.graph is not None
    assert served.parity.reason == ""
    assert served.parity.rows > len(credit.validation.target)
    assert served.parity.max_difference < 1e-5
    assert served.parity.label_flips == 0


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"Home": edge_rows.UNSEEN}, id="unseen-category"),
        pytest.param({"Home": None, "Job": None, "Marital": None}, id="null-texts"),
        pytest.param({"Income": np.nan, "Debt": np.nan}, id="null-numbers"),
        pytest.param({"Income": 1e12, "Assets": -1e12}, id="far-outside"),
        pytest.param({"Age": 40.5}, id="fraction-of-a-whole-number"),
    ],
)
def test_both_paths_agree_on(model, credit, change):
    native, compiled = both_paths(model, credit)
    rows = columnar.from_frame(credit.test.features.assign(**change), model.schema)
    np.testing.assert_allclose(compiled.predict(rows), native.predict(rows), atol=1e-5)


def test_edges_cover_nulls_unseen_categories_and_extremes(credit, credit_schema):
    edges = edge_rows.build(columnar.from_frame(credit.validation.features, credit_schema), credit_schema)
    for position, feature in enumerate(credit_schema.numeric):
        assert (edges.numeric[:, position] > feature.maximum).any()
        assert (~edges.valid[:, position]).any() == feature.nullable
    for texts, feature in zip(edges.textual, credit_schema.textual, strict=True):
        assert edge_rows.UNSEEN in texts
        assert (None in texts) == feature.nullable


def test_zeros_that_a_sparse_encoder_hides_from_xgboost_are_found_and_the_pipeline_is_served(
    credit, credit_schema
):
    """XGBoost reads what a sparse matrix leaves out as missing; a graph's tensors leave nothing out."""
    encoder = OneHotEncoder(handle_unknown="ignore")
    features = ColumnTransformer(
        [
            ("texts", make_pipeline(SimpleImputer(strategy="most_frequent"), encoder), TEXTS),
            ("numbers", SimpleImputer(), NUMBERS),
        ],
        sparse_threshold=1.0,
    )  # fmt: skip
    estimator = XGBClassifier(n_estimators=30, max_depth=4, random_state=1)
    pipeline = make_pipeline(features, estimator)
    encoded = (credit.train.target == "bad").astype(int)
    pipeline.fit(credit.train.features, encoded)
    model = served_model.FittedModel(
        ModelVersion.parse("credit_risk_v9.0.0"), pipeline, credit_schema, credit.task, credit.classes, family="x"
    )
    native, compiled = both_paths(model, credit)
    rows = columnar.from_frame(credit.test.features, credit_schema)
    assert np.abs(native.predict(rows) - compiled.predict(rows)).max() > 0.1, (
        "the trap is gone; so may be the remedy"
    )

    served = choose(model, credit)
    assert served.graph is None
    assert "scores differ" in served.parity.reason
    np.testing.assert_array_equal(served.scorer.predict(rows), native.predict(rows))


def test_a_graph_that_lies_is_not_served(model, credit, monkeypatch):
    """Parity broken on purpose: one weight of the graph changed after compilation."""
    honest = compilation.compile_graph

    def broken(*arguments):
        graph = onnx.load_from_string(honest(*arguments))
        node = next(
            node for node in graph.graph.node if node.op_type in ("LinearClassifier", "TreeEnsembleClassifier")
        )
        weights = next(a for a in node.attribute if a.name in ("coefficients", "class_weights"))
        weights.floats[0] += 0.5
        return graph.SerializeToString()

    monkeypatch.setattr(compilation, "compile_graph", broken)
    served = choose(model, credit)
    assert served.graph is None
    assert "scores differ" in served.parity.reason
    assert served.path is InferencePath.NATIVE
    assert served.parity.max_difference > served.parity.tolerance


class Fixed:
    def __init__(self, scores):
        self.scores = np.asarray(scores, dtype=np.float64)

    def predict(self, columns):
        return self.scores


ONE_ROW = columnar.Columns(np.zeros((1, 1)), np.ones((1, 1), dtype=bool))


def test_a_label_that_flips_within_tolerance_closes_the_gate(credit):
    outcome = parity.compare(
        Fixed([[0.50001, 0.49999]]), Fixed([[0.49999, 0.50001]]), ONE_ROW, credit.task, threshold=0.5
    )
    assert outcome.max_difference < outcome.tolerance
    assert (outcome.label_flips, outcome.reason) == (1, "1 labels differ")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param([[0.5, np.nan]], "differ by up to inf", id="not-finite"),
        pytest.param([[0.5]], "shape", id="other-shape"),
    ],
)
def test_scores_that_cannot_be_compared_close_the_gate(credit, given, says):
    outcome = parity.compare(Fixed([[0.5, 0.5]]), Fixed(given), ONE_ROW, credit.task, threshold=0.5)
    assert says in outcome.reason
    assert outcome.max_difference is None


def test_a_step_without_a_converter_leaves_the_pipeline_and_says_why(credit, credit_schema):
    from sklearn.kernel_approximation import RBFSampler

    numbers = make_pipeline(SimpleImputer(), StandardScaler(), RBFSampler(n_components=10, random_state=1))
    pipeline = make_pipeline(ColumnTransformer([("n", numbers, NUMBERS)]), LogisticRegression())
    served = choose(fitted(pipeline, credit, credit_schema), credit)
    assert served.graph is None
    assert "RBFSampler" in served.parity.reason


def test_a_graph_has_one_input_for_numbers_and_one_for_texts(model, credit):
    graph = onnx.load_from_string(
        compilation.compile_graph(model.estimator, model.schema, model.task, model.classes)
    )
    widths = {entry.name: entry.type.tensor_type.shape.dim[1].dim_value for entry in graph.graph.input}
    assert widths == {"numeric": 9, "textual": 4}
