"""Documents in files: answered as a caller of the endpoint is, or put aside with the same words."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deployments.batch.errors import InvalidBatchJob
from deployments.batch.job import BatchJob, documents_of
from deployments.batch.plan import PackageReference
from deployments.batch.scoring_run import ScoringRun, ThisProcess
from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import DocumentRoute, Documents, Expressions
from deployments.documents.document_model import DocumentModel
from deployments.runtime.predictor import Predictor

SATURDAY = datetime(2026, 11, 21, 12, tzinfo=UTC)
PRE, POST = "stays.documents:to_features", "stays.documents:to_answer"
DOCUMENTS = Documents(pre=PRE, post=POST, route=DocumentRoute(path="/api/v1/offers"))
WISHES = [
    {"nights": 3, "view": "sea"},
    {"nights": 0, "view": "sea"},
    {"nights": 2, "view": "bug"},
    {"nights": 5, "view": "garden"},
    {"nights": 13, "view": "garden"},
    {"nights": 2, "view": "lake"},
]


@pytest.fixture
def run(stays, tmp_path):
    def score(**changes):
        job = BatchJob(
            model="stays",
            version=Version(1, 0, 0),
            input=str(tmp_path / "in"),
            output=str(tmp_path / "out"),
            **{"documents": DOCUMENTS, **changes},
        )
        package = PackageReference(version=job.version, directory=str(stays.directory), digest=stays.digest)
        return ScoringRun(ThisProcess(), now=lambda: SATURDAY).run(job, [package], [stays.schema])

    (tmp_path / "in").mkdir()
    return score


def rejected(folder):
    return [json.loads(line) for file in sorted(folder.glob("out/_rejected/*.jsonl")) for line in file.open()]


def test_documents_are_answered_as_online(run, stays, tmp_path):
    (tmp_path / "in" / "wishes.jsonl").write_text("\n".join(map(json.dumps, WISHES)))
    run()
    (file,) = (tmp_path / "out").glob("*.jsonl")
    rows = [json.loads(line) for line in file.open()]
    assert [row["nights"] for row in rows] == [3, 5]
    model = DocumentModel.load(Predictor(stays), PRE, POST)
    for row in rows:
        wish = json.dumps({"nights": row["nights"], "view": row["view"]})
        online = model.answer([wish], [row["prediction_id"]], SATURDAY)
        assert row["document_answer"] == json.loads(online.reply.answers[0])
        assert row["model_version"] == "1.0.0"


def test_expressions_answer_documents_in_files_as_online(run, stays, tmp_path):
    pre = Expressions(expressions={"weekend": "day == 'sat'"})
    post = Expressions(expressions={"booked": "probability('yes') >= 0.65", "price": "nights * rate"})
    wishes = [
        {"nights": 3, "rate": 80, "day": "sat"},
        {"nights": 3, "rate": 80},
        {"nights": 9, "rate": 120, "day": "mon"},
    ]
    (tmp_path / "in" / "wishes.jsonl").write_text("\n".join(map(json.dumps, wishes)))
    run(documents=Documents(pre=pre, post=post, route=DocumentRoute(path="/api/v1/offers")))
    (file,) = (tmp_path / "out").glob("*.jsonl")
    answers = [json.loads(line)["document_answer"] for line in file.open()]
    model = DocumentModel.load(Predictor(stays), pre, post)
    online = model.answer([json.dumps(wish) for wish in wishes], ["1", "2", "3"], SATURDAY).reply
    assert answers == [json.loads(answer) for answer in online.answers if answer is not None]
    assert [answer["price"] for answer in answers] == [240, 1080]
    assert [one["reasons"] for one in rejected(tmp_path)] == [[{"field": "day", "message": "Field required"}]]


def test_documents_without_an_answer_are_put_aside_in_the_words_of_online_answers(run, tmp_path):
    pq.write_table(pa.Table.from_pylist(WISHES), tmp_path / "in" / "wishes.parquet")
    run()
    told = {one["values"]["nights"] * 100 + one["row"]: one["reasons"] for one in rejected(tmp_path)}
    assert told == {
        1: [{"field": "nights", "message": "Input should be greater than or equal to 1"}],
        202: [{"field": "", "message": "the pre-transformer failed: it raised KeyError"}],
        1304: [{"field": "", "message": "the post-transformer failed: it raised ValueError"}],
        205: [{"field": "view", "message": "must be garden or sea"}],
    }


def test_a_field_that_is_null_was_not_sent(run, tmp_path):
    rows = [{"nights": 2, "view": "sea", "note": None}, {"nights": 2, "view": "sea", "note": "late"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in" / "wishes.parquet")
    assert (run().rows, [one["reasons"][0]["field"] for one in rejected(tmp_path)]) == (1, ["note"])


def test_nested_documents_of_json_lines_stay_nested():
    from deployments.batch import document_rows
    from deployments.batch.input_rows import is_json

    nested = pa.field("lead", pa.string(), metadata={b"raygate.mixed": b"1"})
    table = pa.Table.from_pylist(
        [{"vertical": "auto", "lead": '{"age":30}'}], pa.schema([("vertical", "string"), nested])
    )
    assert is_json(nested)
    assert document_rows.texts(table) == ['{"vertical":"auto","lead":{"age":30}}']


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"explanations": True}, "answers to documents are not explained", id="explanations"),
        pytest.param({"replay": {}}, "a prediction log holds features, no documents", id="replay"),
    ],
)
def test_what_documents_cannot_be_combined_with_is_refused(changes, told):
    with pytest.raises(ValueError, match=told):
        BatchJob(model="stays", version=Version(1, 0, 0), input="in", output="out", documents=DOCUMENTS, **changes)


def test_documents_of_an_endpoint_that_has_none_are_refused():
    with pytest.raises(
        InvalidBatchJob, match="--documents: needs an endpoint with documents; no endpoint is named"
    ):
        documents_of(None, "--documents")


def test_a_job_without_documents_is_the_job_that_it_always_was():
    job = BatchJob(model="stays", version=Version(1, 0, 0), input="in", output="out")
    assert "documents" in job.model_dump()
    assert job.identity != job.model_copy(update={"documents": DOCUMENTS}).identity
