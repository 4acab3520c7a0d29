"""Transformers that are expressions: typed by the package, refused by field, answered on the one path."""

import json
from datetime import UTC, datetime

import pytest

from deployments.contracts import endpoint
from deployments.contracts.errors import InvalidDocument
from deployments.contracts.traffic_policy import DocumentRoute, Documents, Expressions
from deployments.contracts.transformation import row_schema
from deployments.documents.document_model import DocumentModel
from deployments.documents.errors import TransformerUnusable
from deployments.documents.expression import Scope, Typed, evaluate
from deployments.documents.transformers import Transformers
from deployments.rollout import document_check
from deployments.runtime.predictor import Predictor
from deployments.runtime.transformers import formula_grammar
from deployments.runtime.transformers.formula_grammar import InvalidFormula

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FEATURES = {
    "nights": "default(nights, 7)",
    "rate": "budget / nights_paid",
    "weekend": "day == 'sat' or day == 'sun'",
}
ANSWER = {
    "booked": "prediction == 'yes' and probability >= 0.65",
    "price": "(rate * nights) * (1.2 if weekend else 1)",
    "chance": "probability('yes')",
    "advice": "'call' if probability('yes') > 0.9 else 'write'",
    "share": "100 / (nights - 7)",
    "version": "model_version",
}
STAY = {"nights": 2, "budget": 480, "nights_paid": 4, "day": "sun"}


def expressions(**written):
    return Expressions(expressions=written)


@pytest.fixture(scope="module")
def predictor(stays):
    return Predictor(stays)


@pytest.fixture
def model(predictor):
    return DocumentModel.load(predictor, expressions(**FEATURES), expressions(**ANSWER))


def answered(model, document):
    return model.answer([json.dumps(document)], ["id"], NOON)


def test_expressions_make_features_of_a_document_and_an_answer_of_a_prediction(model):
    made = answered(model, STAY)
    assert made.reply.numbers.tolist() == [[2.0, 120.0, 1.0]]
    chance = made.scored.scores[0, 1]
    assert json.loads(made.reply.answers[0]) == {
        "booked": bool(chance >= 0.65),
        "price": pytest.approx(288.0),
        "chance": pytest.approx(chance),
        "advice": "call" if chance > 0.9 else "write",
        "share": -20.0,
        "version": "1.0.0",
    }


def test_a_feature_without_an_expression_is_the_field_of_its_name(predictor):
    model = DocumentModel.load(predictor, Expressions(), expressions(nights="nights", weekend="not weekend"))
    made = answered(model, {"nights": 3, "rate": 80.5, "weekend": True, "vertical": "of the route"})
    assert made.reply.numbers.tolist() == [[3.0, 80.5, 1.0]]
    assert json.loads(made.reply.answers[0]) == {"nights": 3, "weekend": False}


def test_what_was_left_out_has_its_default_and_what_has_no_value_is_null(model):
    made = answered(model, {key: value for key, value in STAY.items() if key != "nights"})
    answer = json.loads(made.reply.answers[0])
    assert (made.reply.numbers[0, 0], answer["share"]) == (7.0, None)


def test_expressions_of_an_answer_go_with_a_function_of_the_package(predictor):
    model = DocumentModel.load(predictor, "stays.documents:to_features", expressions(dear="rate > 100"))
    made = answered(model, {"nights": 3, "view": "sea"})
    assert json.loads(made.reply.answers[0]) == {"dear": True}


def test_the_types_follow_from_the_expressions(model):
    schemas = model.transformers.schemas
    told = {name: schema.get("type") for name, schema in schemas.request["properties"].items()}
    assert told == {"nights": None, "budget": "number", "nights_paid": "number", "day": "string"}
    assert schemas.request["properties"]["nights"]["anyOf"] == [{"type": "number"}, {"type": "null"}]
    assert schemas.request["required"] == ["budget", "nights_paid", "day"]
    told = {name: schema.get("type") for name, schema in schemas.answer["properties"].items()}
    assert told.pop("share") is None
    assert schemas.answer["properties"]["share"]["anyOf"] == [{"type": "number"}, {"type": "null"}]
    assert told == {
        "booked": "boolean",
        "price": "number",
        "chance": "number",
        "advice": "string",
        "version": "string",
    }
    assert set(schemas.answer["required"]) == set(ANSWER)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"budget": "480"}, "budget", id="a-text"),
        pytest.param({"budget": None}, "budget", id="null"),
        pytest.param({"day": 6}, "day", id="a-number"),
        pytest.param({"nights": True}, "nights", id="a-truth-value"),
    ],
)
def test_a_document_that_does_not_fit_is_the_callers_fault(model, changes, field):
    assert [problem.where for problem in answered(model, {**STAY, **changes}).reply.refused[0]] == [field]


def test_a_feature_without_a_value_is_the_pre_transformers_fault(model):
    failure = answered(model, {**STAY, "nights_paid": 0}).reply.failures[0]
    assert (failure.stage, failure.cause) == ("pre", "it gave features that do not fit the model: rate")


WRONG = [
    pytest.param({"nights": "nights +"}, {"x": "1"}, "pre.expressions.nights", "is no formula", id="syntax"),
    pytest.param({"nigths": "nights"}, {"x": "1"}, "pre.expressions.nigths", "is not a feature", id="no-feature"),
    pytest.param(
        {"nights": "a > 2"},
        {"x": "1"},
        "pre.expressions.nights",
        "'a > 2' is true or false, and a number",
        id="kind",
    ),
    pytest.param(
        {"nights": "rate if rate == 'sea' else 1"},
        {"x": "1"},
        "pre.expressions.nights",
        "'rate' is a text",
        id="both",
    ),
    pytest.param(
        {}, {"ok": "probabilty >= 1"}, "post.expressions.ok", "there is no 'probabilty'; there", id="name"
    ),
    pytest.param({}, {"ok": "prediction >= 1"}, "post.expressions.ok", "'1' is a number, and a text", id="label"),
    pytest.param({}, {"ok": "probability('may')"}, "post.expressions.ok", "'may'; labels: no, yes", id="no-label"),
    pytest.param({}, {"ok": "1 + weekend"}, "post.expressions.ok", "'weekend' is true or false", id="arithmetic"),
    pytest.param({}, {"ok": "'a' + 'b'"}, "post.expressions.ok", "is a text, and a number is needed", id="texts"),
    pytest.param({}, {"ok": "open('x')"}, "post.expressions.ok", "is not allowed; write", id="unknown-function"),
    pytest.param({}, {"ok": "rate.real"}, "post.expressions.ok", "is not allowed; write", id="attribute"),
]


@pytest.mark.parametrize(("pre", "post", "field", "reason"), WRONG)
def test_a_wrong_expression_is_refused_at_apply_and_by_the_pool_with_the_fields_name(
    stays, pre, post, field, reason
):
    pair = {"pre": expressions(**pre), "post": expressions(**post)}
    documents = Documents(**pair, route=DocumentRoute(path="/o"))
    (problem,) = document_check.check_transformers(documents, stays.directory, "stays 1.0.0")
    assert problem.where == f"spec.documents.{field}"
    assert reason in problem.message
    with pytest.raises(TransformerUnusable) as refused:
        Transformers.load(stays, **pair)
    assert refused.value.path == field


def test_right_expressions_pass_apply(stays):
    documents = Documents(pre=expressions(**FEATURES), post=expressions(**ANSWER), route=DocumentRoute(path="/o"))
    assert document_check.check_transformers(documents, stays.directory, "stays 1.0.0") == ()


FILE = """
apiVersion: raygate.io/v1alpha1
kind: ModelEndpoint
metadata: {{name: stays}}
spec:
  model: stays
  versions: [{{version: 1.0.0, role: stable}}]
  traffic: {{split: {{stable: 100}}}}
  documents:
    {pair}
    route: {{path: /o}}
"""


def test_an_endpoint_file_names_expressions():
    told = endpoint.parse(FILE.format(pair="post: {expressions: {ok: probability >= 0.65}}"), "endpoint.yaml")
    assert told.spec.documents.pre == Expressions()
    assert told.spec.documents.post == expressions(ok="probability >= 0.65")


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        pytest.param("post: stays.documents:to_answer", "takes the document of a function", id="function-alone"),
        pytest.param("post: {expressions: {}}", "at least one field", id="empty-answer"),
        pytest.param("post: {expressions: {ok: 1}}", r"post.expressions.ok \(line 10\)", id="no-text"),
        pytest.param("post: nowhere", r"spec.documents.post.path \(line 10\)", id="no-path"),
    ],
)
def test_what_an_endpoint_file_cannot_mean_is_refused(pair, reason):
    with pytest.raises(InvalidDocument, match=reason):
        endpoint.parse(FILE.format(pair=pair), "endpoint.yaml")


def test_expressions_have_one_fingerprint_whatever_their_order():
    one, other = expressions(a="1", b="2"), expressions(b="2", a="1")
    assert row_schema(one, other).fingerprint == row_schema(other, one).fingerprint
    assert row_schema(one, one).fingerprint != row_schema(one, expressions(a="1", b="3")).fingerprint


NAMES = {"a": 3.0, "none": None, "yes": True, "no": False, "view": "sea"}
SCOPE = Scope(
    {
        "a": Typed(float, False),
        "none": Typed(float, True),
        "yes": Typed(bool, False),
        "no": Typed(bool, False),
        "view": Typed(str, False),
    }
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("a + 1 - 2 * 3 / 4 ** 1", 2.5, id="arithmetic"),
        pytest.param("min(a, 2) + max(a, 5) + abs(-a)", 10.0, id="ends"),
        pytest.param("log(exp(1)) + sqrt(4)", 3.0, id="functions"),
        pytest.param("a > 2 and not a >= 4 or a < 0", True, id="junctions"),
        pytest.param("a <= 3 and a == 3 and a != 4 and view == 'sea'", True, id="comparisons"),
        pytest.param("'much' if a > 5 else 'little'", "little", id="choice"),
        pytest.param("default(none, 4)", 4, id="default"),
        pytest.param("default(a / 0, default(none, -1))", -1, id="default-of-a-default"),
        pytest.param("none + 1", None, id="null"),
        pytest.param("none > 1 or yes", None, id="null-compared"),
        pytest.param("1 if none > 1 else 2", None, id="null-chosen-by"),
        pytest.param("a / (a - 3)", None, id="division-by-zero"),
        pytest.param("log(-a)", None, id="logarithm"),
        pytest.param("(-a) ** 0.5", None, id="root"),
        pytest.param("exp(a * 1000)", None, id="too-large"),
        pytest.param("1e299 * 1e299", None, id="overflow"),
        pytest.param("9 ** 9 ** 9 ** 9", None, id="no-endless-power"),
        pytest.param("column('view')", "sea", id="quoted-name"),
    ],
)
def test_an_expression_is_what_it_says(text, value):
    tree, _ = SCOPE.typed(text)
    assert evaluate(tree, NAMES, {}) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("text", "kind", "nullable"),
    [
        pytest.param("a + 1", float, False, id="number"),
        pytest.param("a / 12", float, False, id="share"),
        pytest.param("a / 0", float, True, id="by-zero"),
        pytest.param("a / a", float, True, id="quotient"),
        pytest.param("none > 1", bool, True, id="of-a-null"),
        pytest.param("default(none, 0) > 1", bool, False, id="of-a-default"),
        pytest.param("view if yes else 'x'", str, False, id="text"),
    ],
)
def test_what_an_expression_gives_is_known_before(text, kind, nullable):
    assert SCOPE.typed(text)[1] == Typed(kind, nullable)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "a.__class__",
        "a[0]",
        "[a]",
        "lambda: a",
        "a < 1 < 2",
        "a in view",
        "a is view",
        "default(a)",
        "default(a, b=1)",
        "probability(a)",
        "f'{a}'",
        "b'a'",
        "None",
        "...",
        "1j",
        "not " * 60 + "yes",
        "'" + "a" * 1000 + "'",
    ],
)
def test_nothing_else_is_an_expression(text):
    with pytest.raises(InvalidFormula):
        formula_grammar.parse_decision(text)
