"""Documents in, answers out: what transformers are given, and whose fault what is."""

import json
import shutil
import sys
from datetime import UTC, datetime

import numpy as np
import pytest

from deployments.contracts.document_reply import DocumentReply
from deployments.contracts.errors import PackageRejected, PackagingFailed
from deployments.documents.document_model import DocumentModel
from deployments.documents.errors import TransformerUnusable
from deployments.documents.transformers import Transformers
from deployments.runtime import package
from deployments.runtime.predictor import Predictor
from training import shipped_code

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRE, POST = "stays.documents:to_features", "stays.documents:to_answer"


@pytest.fixture(scope="module")
def model(stays):
    return DocumentModel(Predictor(stays), Transformers.load(stays, PRE, POST))


def answered(model, *documents, at=NOON):
    texts = [document if isinstance(document, str) else json.dumps(document) for document in documents]
    return model.answer(texts, [f"id-{position}" for position in range(len(texts))], at)


def test_a_document_becomes_features_and_a_prediction_an_answer(model):
    made = answered(model, {"nights": 2, "view": "sea"})
    answer = json.loads(made.reply.answers[0])
    assert answer == {"price": 240.0, "chance": pytest.approx(made.scored.scores[0, 1]), "version": "1.0.0"}
    assert made.reply.numbers.tolist() == [[2.0, 120.0, 1.0]]
    assert (made.reply.refused, made.reply.failures, made.scored.errors) == ({}, {}, {})


def test_the_time_is_the_one_that_is_given(model):
    weekday = NOON.replace(day=2)
    assert answered(model, {"nights": 2, "view": "sea"}, at=weekday).reply.numbers[0, 2] == 0


@pytest.mark.parametrize(
    ("document", "field", "message"),
    [
        pytest.param("{", "document", "Invalid JSON", id="not-json"),
        pytest.param({"nights": 0, "view": "sea"}, "nights", "greater than or equal to 1", id="of-its-type"),
        pytest.param({"nights": 1, "view": "sea", "spa": 1}, "spa", "not permitted", id="unknown-field"),
        pytest.param({"nights": 1, "view": "street"}, "view", "must be garden or sea", id="by-the-transformer"),
        pytest.param(
            {"nights": 1, "view": "wall"}, "view", "a wall is no view", id="by-the-type-in-the-transformers-way"
        ),
    ],
)
def test_what_is_wrong_with_a_document_is_told_by_field(model, document, field, message):
    made = answered(model, document)
    (problem,) = made.reply.refused[0]
    assert (problem.where, message in problem.message) == (field, True)
    assert np.isnan(made.scored.scores).all()
    assert made.reply.answers == [None]


@pytest.mark.parametrize(
    ("document", "stage", "cause"),
    [
        pytest.param({"nights": 1, "view": "bug"}, "pre", "it raised KeyError", id="pre-raises"),
        pytest.param(
            {"nights": 1, "view": "nested"}, "pre", "it raised ValidationError", id="pre-makes-a-bad-document"
        ),
        pytest.param({"nights": 1, "view": "void"}, "pre", "it raised ZeroDivisionError", id="its-type-raises"),
        pytest.param({"nights": 13, "view": "sea"}, "post", "it raised ValueError", id="post-raises"),
        pytest.param(
            {"nights": 1, "view": "moon"},
            "pre",
            "it gave features that do not fit the model: nights, rate, weekend",
            id="features-do-not-fit",
        ),
    ],
)
def test_a_failure_is_told_as_the_transformers_and_without_what_stands_in_the_document(
    model, caplog, document, stage, cause
):
    failure = answered(model, document).reply.failures[0]
    assert (failure.stage, failure.cause) == (stage, cause)
    assert "guest 13" not in caplog.text


def test_a_bad_document_does_not_touch_its_neighbours(model):
    good, bad = {"nights": 3, "view": "garden"}, {"nights": 3, "view": "street"}
    alone = answered(model, good)
    mixed = answered(model, bad, good, "{", good)
    assert sorted(mixed.reply.refused) == [0, 2]
    assert mixed.reply.answers == [None, *alone.reply.answers, None, *alone.reply.answers]
    assert mixed.scored.scores[3].tolist() == alone.scored.scores[0].tolist()


def test_a_document_whose_type_raises_does_not_touch_its_neighbours(model):
    good, void = {"nights": 3, "view": "garden"}, {"nights": 3, "view": "void"}
    mixed = answered(model, void, good)
    assert sorted(mixed.reply.failures) == [0]
    assert mixed.reply.answers == [None, *answered(model, good).reply.answers]


def test_a_part_of_a_reply_survives_the_wire(model):
    reply = answered(model, "{", {"nights": 3, "view": "sea"}, {"nights": 13, "view": "sea"}).reply
    arrived = DocumentReply.from_plain(reply.to_plain()).part(1, 3)
    assert arrived.answers == reply.answers[1:]
    assert arrived.refused == {}
    assert arrived.failures == {1: reply.failures[2]}
    assert arrived.numbers.tolist() == reply.numbers[1:].tolist()


def test_the_types_of_the_transformers_are_the_schemas(model):
    schemas = model.transformers.schemas
    assert schemas.request["required"] == ["nights", "view"]
    assert list(schemas.answer["properties"]) == ["price", "chance", "version"]


@pytest.mark.parametrize(
    ("pre", "post", "reason"),
    [
        pytest.param("stays.nowhere:to_features", POST, "it ships stays, stays.documents", id="no-module"),
        pytest.param("os:getcwd", POST, "the package ships no module os", id="not-of-the-package"),
        pytest.param("stays.documents:missing", POST, "the module has no missing", id="no-function"),
        pytest.param(
            PRE, "stays.documents:Offer", "is ModelMetaclass, not a function", id="no-function-but-a-class"
        ),
        pytest.param(PRE, "stays.documents:untyped", "must be annotated with a pydantic model", id="untyped"),
        pytest.param(PRE, "stays.documents:of_another", "both take the same document", id="of-another-document"),
    ],
)
def test_transformers_that_cannot_work_are_refused_when_they_are_loaded(stays, pre, post, reason):
    with pytest.raises(TransformerUnusable, match=reason):
        Transformers.load(stays, pre, post)


def test_code_that_was_changed_after_it_was_signed_never_runs(stays, tmp_path):
    copy = shutil.copytree(stays.directory, tmp_path / "copy")
    opened = package.load(copy)
    (copy / "transformers" / "stays" / "rates.py").write_text("RATES = {'sea': 1.0}")
    with pytest.raises(PackageRejected, match=r"rates\.py has changed"):
        package.load(copy)
    forget(opened.digest)
    with pytest.raises(TransformerUnusable, match="PackageRejected"):
        Transformers.load(opened, PRE, POST)
    forget(opened.digest)


def forget(digest):
    """As in a process that has not imported the package's code yet."""
    prefix = f"raygate_packaged_{digest}"
    for name in [name for name in sys.modules if name.startswith(prefix)]:
        del sys.modules[name]
    sys.meta_path[:] = [finder for finder in sys.meta_path if getattr(finder, "prefix", "") != prefix]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        pytest.param({"documents.py": "x = 1"}, "no __init__.py", id="no-package"),
        pytest.param({"__init__.py": "", "documents.py": "def ("}, "is not Python", id="syntax-error"),
    ],
)
def test_what_is_no_python_package_is_not_shipped(tmp_path, files, reason):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(PackagingFailed, match=reason):
        shipped_code.read(tmp_path)
