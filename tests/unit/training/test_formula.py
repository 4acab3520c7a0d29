import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.package import Task
from deployments.runtime import columns as columnar
from deployments.runtime.compiled import CompiledModel
from deployments.runtime.transformers import formula_grammar
from deployments.runtime.transformers.formula import Formula
from deployments.runtime.transformers.formula_grammar import InvalidFormula
from training import compilation


def computed(text, **columns):
    formula = Formula("new", text).fit(None)
    rows = pd.DataFrame({name: columns[name] for name in formula.columns_})
    return formula.transform(rows)[:, 0].tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a / b", 1.5, id="ratio"),
        pytest.param("a + b * 2 - 1", 6.0, id="precedence"),
        pytest.param("-(a ** 2)", -9.0, id="power"),
        pytest.param("min(a, b) + max(a, 10)", 12.0, id="ends"),
        pytest.param("log(exp(b)) + sqrt(abs(-4 * a / 3))", 4.0, id="functions"),
        pytest.param("a * 1e-3", 0.003, id="constant"),
    ],
)
def test_arithmetic_is_what_it_says(text, expected):
    assert computed(text, a=[3.0], b=[2.0]) == pytest.approx([expected])


@pytest.mark.parametrize(
    "text", ["a / b", "log(a - 1)", "sqrt(-a)", "exp(a * 1000)", "(b - a) ** 0.5", "a * 1e39"]
)
def test_what_has_no_value_is_missing(text):
    assert np.isnan(computed(text, a=[1.0], b=[0.0])).all()


def test_a_null_makes_the_result_null():
    assert np.isnan(computed("a + b", a=[np.nan], b=[1.0])).all()


def test_a_name_with_blanks_is_quoted():
    tree = formula_grammar.parse("column('Lot Area') / a + a")
    assert formula_grammar.columns(tree) == ("Lot Area", "a")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("__import__('os').system('true')", id="import"),
        pytest.param("a.__class__", id="attribute"),
        pytest.param("a[0]", id="index"),
        pytest.param("(lambda: a)()", id="lambda"),
        pytest.param("open(a)", id="unknown-function"),
        pytest.param("log(a, b)", id="too-many-arguments"),
        pytest.param("log(x=a)", id="named-argument"),
        pytest.param("min(*a)", id="starred"),
        pytest.param("a if b else c", id="condition"),
        pytest.param("a > b", id="comparison"),
        pytest.param("a // b", id="other-operator"),
        pytest.param("'a' + b", id="text"),
        pytest.param("a + True", id="boolean"),
        pytest.param("a + 1e999", id="infinite"),
        pytest.param("[x for x in a]", id="comprehension"),
        pytest.param("a; b", id="statement"),
        pytest.param("(a := b)", id="assignment"),
        pytest.param("f'{a}'", id="format"),
        pytest.param("1 + 2", id="no-column"),
        pytest.param("column(a)", id="column-of-a-column"),
        pytest.param("", id="empty"),
        pytest.param("-" * 200 + "a", id="too-deep"),
        pytest.param("a + " * 400 + "a", id="too-long"),
    ],
)
def test_anything_but_arithmetic_is_refused(text):
    with pytest.raises(InvalidFormula):
        formula_grammar.parse(text)


NUMBERS = st.floats(-1e4, 1e4, width=32)


@pytest.fixture(scope="module")
def both_paths():
    """A formula in a pipeline, and as a graph."""
    text = "max(a / (b + 2.5), -3) * sqrt(abs(a)) - log(b) / min(a, b)"
    names = ["b", "a"]
    formula = Formula("new", text)
    schema = FeatureSchema(features=tuple(Feature(name=name, kind=FeatureKind.NUMBER) for name in names))
    pipeline = Pipeline(
        [("features", ColumnTransformer([("new", formula, ["a", "b"])])), ("model", LinearRegression())]
    )
    pipeline.fit(pd.DataFrame({"b": [1.0, 2.0, 3.0], "a": [2.0, 5.0, 1.0]}), [1.0, 2.0, 4.0])
    return pipeline, CompiledModel(compilation.compile_graph(pipeline, schema, Task.REGRESSION, ())), schema


@settings(max_examples=200, deadline=None)
@given(a=NUMBERS, b=NUMBERS)
def test_a_graph_computes_the_same(both_paths, a, b):
    pipeline, graph, schema = both_paths
    rows = pd.DataFrame({"b": [b], "a": [a]})
    formula = pipeline["features"].transform(rows)
    given_by_graph = graph.predict(columnar.from_frame(rows, schema))[0, 0]
    if np.isnan(formula).any():
        assert np.isnan(given_by_graph)
    else:
        assert given_by_graph == pytest.approx(pipeline.predict(rows)[0], rel=1e-5, abs=1e-3)
