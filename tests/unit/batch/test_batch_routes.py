"""The routes on a jobs server in memory; what the jobs do is tested elsewhere."""

import json
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from ray_jobs_server import RayJobsServer
from starlette.testclient import TestClient

from deployments.access.access import Access, Everybody
from deployments.access.caller import Caller
from deployments.access.policy import CallLimits
from deployments.access.roles import Role
from deployments.batch.job import BatchJob
from deployments.batch.ledger import Ledger, Progress, State
from deployments.batch.policy import BatchPolicy
from deployments.contracts.errors import RaygateError, UnknownEndpoint
from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.gateway import batches
from deployments.gateway.asgi import CALLER
from deployments.gateway.problems import problem
from deployments.storage.location import Location

V1, V2 = Version(1, 0, 0), Version(1, 1, 0)
POLICY = TrafficPolicy(
    endpoint="credit-risk",
    model="credit_risk",
    policy_epoch=3,
    stable=V1,
    versions=(V1, V2),
    slots=((V1, 9000), (V2, 1000)),
    salt="salt",
)
BATCH = "/api/v1/batch-predict"


class Scoring:
    """Knows one endpoint."""

    policy = POLICY

    def endpoint(self, name):
        if name != POLICY.endpoint:
            raise UnknownEndpoint(name, (POLICY.endpoint,))
        return SimpleNamespace(policy=self.policy)


class Api:
    """The routes as callers of several roles see them."""

    def __init__(self, folder, ray, quota=False):
        self.folder, self.ray, self.scoring = folder, ray, Scoring()
        (folder / "in").mkdir()
        (folder / "in" / "rows.csv").write_text("a\n1\n")
        policy = BatchPolicy(
            jobs_address=ray.url,
            locations=(str(folder),),
            callbacks=("https://hooks.bank.example",),
            callback_secret="env:SECRET",
        )
        app = FastAPI()
        limits = CallLimits.model_validate({"callers": {"shop": {"rowsPerDay": 200}}} if quota else {})
        self.access = Access(Everybody(), limits)
        app.include_router(batches.router(self.scoring, policy, self.access))

        @app.exception_handler(RaygateError)
        async def told(request, error):
            return JSONResponse(problem(error).document(), problem(error).status)

        @app.middleware("http")
        async def let_in(request, following):
            name, role = request.headers.get("x-caller", "shop:predictor").split(":")
            request.scope[CALLER] = Caller.with_role(name, Role(role), "key:1")
            return await following(request)

        self.client = TestClient(app)

    def submit(self, caller="shop:predictor", key=None, **changes):
        document = {
            "model_id": "credit-risk",
            "input_file": str(self.folder / "in"),
            "output_file": str(self.folder / "out"),
            **changes,
        }
        headers = {"x-caller": caller} | ({"idempotency-key": key} if key else {})
        return self.client.post(BATCH, json=document, headers=headers)

    def status(self, job_id, caller="shop:predictor"):
        return self.client.get(f"{BATCH}/{job_id}", headers={"x-caller": caller})

    def job(self, job_id):
        return BatchJob.model_validate_json(self.ray.jobs[job_id]["runtime_env"]["env_vars"]["RAYGATE_BATCH_JOB"])


@pytest.fixture
def ray():
    server = RayJobsServer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def api(tmp_path, ray):
    return Api(tmp_path, ray)


@pytest.fixture
def limited(tmp_path, ray):
    """The routes for callers of whom one, the shop, may have 200 rows predicted a day."""
    return Api(tmp_path, ray, quota=True)


def parquet(api, name, rows):
    """A folder of two parquet files; its input field."""
    (api.folder / name).mkdir()
    for number in range(2):
        part = rows // 2 + number * (rows % 2)
        pq.write_table(pa.table({"a": range(part)}), api.folder / name / f"{number}.parquet")
    return {"input_file": str(api.folder / name), "output_file": str(api.folder / f"{name}-out")}


def test_the_rows_of_a_batch_are_charged_to_its_callers_quota(limited):
    assert limited.submit(**parquet(limited, "first", 150)).status_code == 202
    refused = limited.submit(**parquet(limited, "second", 51))
    assert (refused.status_code, refused.json()["code"]) == (429, "QUOTA_EXCEEDED")
    assert "50 are left" in refused.json()["details"]
    assert limited.ray.submissions == 1
    assert limited.submit(**parquet(limited, "third", 50)).status_code == 202


def test_a_batch_that_is_sent_again_with_its_key_is_charged_once(limited):
    places = parquet(limited, "first", 150)
    sent = [limited.submit(key="monday", **places) for _ in range(3)]
    assert {answer.status_code for answer in sent} == {202}
    assert limited.ray.submissions == 1


def test_a_batch_that_could_not_be_submitted_costs_nothing(limited):
    limited.ray.shutdown()
    limited.ray.server_close()
    places = parquet(limited, "first", 150)
    assert [limited.submit(**places).json()["code"] for _ in range(3)] == ["JOBS_UNAVAILABLE"] * 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("rows.csv", b"a\n1\n", id="csv"),
        pytest.param("rows.jsonl", b'{"a": 1}', id="json-lines"),
        pytest.param("rows.parquet", b"PAR1", id="damaged-parquet"),
    ],
)
def test_rows_that_nobody_knows_are_refused_to_who_has_a_quota_and_to_nobody_else(limited, name, content):
    (limited.folder / "in" / "rows.csv").unlink()
    (limited.folder / "in" / name).write_bytes(content)
    refused = limited.submit()
    assert (refused.status_code, refused.json()["code"]) == (422, "VALIDATION_ERROR")
    assert f"{name}" in refused.json()["details"]
    assert "sends parquet" in refused.json()["details"]
    assert limited.submit("bank:predictor").status_code == 202


def test_a_job_knows_what_was_charged_for_it(limited):
    charged = limited.submit(**parquet(limited, "first", 150)).json()["job_id"]
    free = limited.submit("bank:predictor").json()["job_id"]
    assert (limited.job(charged).charged_rows, limited.job(free).charged_rows) == (150, None)


def test_a_batch_is_taken_with_an_estimate_and_a_place_to_ask(api):
    answer = api.submit()
    told = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"{BATCH}/{told['job_id']}"
    assert told["status"] == "queued"
    assert told["estimated_completion"] > told["submitted"]
    assert api.ray.jobs[told["job_id"]]["entrypoint"] == "python -m ray_apps.batch_score"
    assert api.job(told["job_id"]).version == V1


def test_sent_again_with_its_key_it_runs_once_even_after_a_promotion(api):
    first = api.submit(key="monday").json()["job_id"]
    api.scoring.policy = POLICY.model_copy(update={"stable": V2})
    assert api.submit(key="monday").json()["job_id"] == first
    assert api.ray.submissions == 1
    assert api.submit(key="tuesday").json()["job_id"] != first
    assert api.submit(key="monday", caller="bank:predictor").json()["job_id"] != first


def test_sent_again_with_its_key_it_is_the_same_though_its_input_has_gone(api):
    first = api.submit(key="monday").json()["job_id"]
    (api.folder / "in" / "rows.csv").unlink()
    (api.folder / "in").rmdir()
    again = api.submit(key="monday")
    assert (again.status_code, again.json()["job_id"]) == (202, first)


def test_a_key_that_comes_with_another_batch_is_a_conflict(api):
    api.submit(key="monday")
    answer = api.submit(key="monday", output_file=str(api.folder / "other"))
    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")


@pytest.mark.parametrize(
    ("changes", "status", "code", "words"),
    [
        pytest.param({"model_id": "nobody"}, 404, "MODEL_NOT_FOUND", "nobody", id="unknown-model"),
        pytest.param({"input_file": "/etc/passwd"}, 403, "FORBIDDEN", "input_file", id="closed-input"),
        pytest.param({"output_file": "s3://bucket/"}, 403, "FORBIDDEN", "output_file", id="closed-output"),
        pytest.param(
            {"callback_url": "http://127.0.0.1/"}, 403, "FORBIDDEN", "callback_url", id="closed-callback"
        ),
        pytest.param({"model_version": "1.1.0"}, 403, "FORBIDDEN", "pin", id="a-predictor-pins"),
    ],
)
def test_what_is_refused_runs_nothing(api, changes, status, code, words):
    answer = api.submit(**changes)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert words in answer.json()["error"] + answer.json()["details"]
    assert api.ray.submissions == 0


def test_an_input_that_is_not_there_is_said_at_once(api):
    answer = api.submit(input_file=str(api.folder / "nothing"))
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_ERROR")
    assert "no such file, folder or prefix" in answer.json()["details"]


def test_an_operator_may_say_the_version_and_a_split_takes_the_policy_in_force(api):
    pinned = api.submit("desk:operator", model_version="1.1.0").json()["job_id"]
    assert (api.job(pinned).version, api.job(pinned).policy) == (V2, None)
    split = api.submit(assignment="split", header_columns={"X-User-Id": "user"}).json()["job_id"]
    assert (api.job(split).version, api.job(split).policy) == (None, POLICY)
    assert api.job(split).header_columns == {"x-user-id": "user"}


def test_the_status_tells_progress_and_the_end(api):
    job_id = api.submit().json()["job_id"]
    api.ray.jobs[job_id]["status"] = "RUNNING"
    progress = Progress(
        state=State.RUNNING,
        units=4,
        units_done=1,
        rows=100,
        rows_total=400,
        rejected=2,
        bytes_done=25,
        bytes_total=100,
        rows_per_second=10.0,
        seconds=10.0,
        peak_memory=1,
        updated="2026-11-21T12:00:00Z",
        error="",
    )
    ledger = Ledger(Location.of(str(api.folder / "out")))
    ledger.tell(progress)
    told = api.status(job_id).json()
    assert told["status"] == "running"
    assert told["progress"] == {
        "rows": 100,
        "rows_total": 400,
        "rejected": 2,
        "bytes_done": 25,
        "bytes_total": 100,
        "rows_per_second": 10.0,
    }
    ledger.tell(progress.model_copy(update={"state": State.FAILED, "error": "the disk is full"}))
    api.ray.end(job_id, "FAILED")
    told = api.status(job_id).json()
    assert (told["status"], told["error"], told["estimated_completion"]) == ("failed", "the disk is full", None)


@pytest.mark.parametrize(
    ("log", "error"),
    [
        pytest.param(
            '{"event": "failed", "message": "column age: is missing"}\n{"event": "log", "message": "later"}',
            "column age: is missing",
            id="in-its-log",
        ),
        pytest.param("Traceback (most recent call last):\n[1, 2]\nKilled", "its process ended", id="nowhere"),
    ],
)
def test_what_failed_before_anything_was_written_is_told(api, log, error):
    job_id = api.submit().json()["job_id"]
    ended = "Job entrypoint command failed with exit code 1, last available logs (truncated to 20,000 chars):\n"
    api.ray.end(job_id, "FAILED", message=ended + log)
    told = api.status(job_id).json()
    assert (told["status"], told["error"]) == ("failed", error)


def test_a_batch_of_somebody_else_is_none_but_for_operators(api):
    job_id = api.submit().json()["job_id"]
    assert api.status(job_id, "bank:predictor").status_code == 404
    assert api.status("batch-unknown").json()["code"] == "NOT_FOUND"
    assert api.status(job_id, "desk:operator").status_code == 200


def test_the_estimate_follows_what_was_measured(api):
    from datetime import datetime

    def seconds(told):
        return (
            datetime.fromisoformat(told["estimated_completion"]) - datetime.fromisoformat(told["submitted"])
        ).total_seconds()

    first = api.submit().json()
    api.ray.end(first["job_id"], "SUCCEEDED", seconds=315.0)
    again = api.submit(output_file=str(api.folder / "again")).json()
    assert seconds(again) == pytest.approx(315.0)


def test_jobs_that_cannot_be_reached_are_said_so(api):
    api.ray.shutdown()
    api.ray.server_close()
    answer = api.submit()
    assert (answer.status_code, answer.json()["code"]) == (503, "JOBS_UNAVAILABLE")


def test_the_metadata_of_a_job_is_texts_as_ray_wants_them(api):
    metadata = api.ray.jobs[api.submit().json()["job_id"]]["metadata"]
    assert all(isinstance(value, str) for value in metadata.values())
    assert "secret" not in json.dumps(metadata)


@pytest.mark.parametrize("job_id", ["a%09b", "..%2Fversion", "%3Fx", "%23", "x" * 300, "%C3%85"])
def test_an_id_that_no_batch_can_have_is_not_asked_for(api, job_id):
    api.ray.shutdown()
    api.ray.server_close()
    assert api.status(job_id).status_code == 404
