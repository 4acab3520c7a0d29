"""Retraining runs on the jobs API that batches use."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from ray_jobs_server import RayJobsServer

from deployments.batch.errors import JobsUnavailable
from deployments.contracts.model_version import Version
from ray_apps.retraining.ports import JobState
from ray_apps.retraining.run import Trigger, TriggerKind, begun
from ray_apps.retraining.training_jobs import TrainingJobs

RUN = begun(
    "credit-risk",
    "credit_risk",
    Version(1, 0, 0),
    Trigger(kind=TriggerKind.PERSON, text="asked for"),
    "ada",
    datetime(2026, 11, 21, tzinfo=UTC),
)


@pytest.fixture
def server():
    running = RayJobsServer()
    yield running
    running.shutdown()
    running.server_close()


def test_a_run_is_submitted_once_under_its_own_name(server):
    jobs = TrainingJobs(server.url, "/a place/python", Path("/state"))
    jobs.submit(RUN)
    jobs.submit(RUN)
    assert server.submissions == 1
    job = server.jobs["retrain-credit-risk-20261121T000000Z"]
    assert job["entrypoint"] == "'/a place/python' -m ray_apps.retrain --run retrain-credit-risk-20261121T000000Z"
    assert job["runtime_env"]["env_vars"] == {"RAYGATE_STATE_DIRECTORY": "/state"}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        pytest.param("PENDING", JobState.RUNNING, id="queued"),
        pytest.param("SUCCEEDED", JobState.ENDED, id="ended"),
        pytest.param("FAILED", JobState.FAILED, id="failed"),
        pytest.param("STOPPED", JobState.FAILED, id="stopped"),
    ],
)
def test_ray_tells_what_became_of_it(server, status, state):
    jobs = TrainingJobs(server.url, "python", Path("/state"))
    assert jobs.state(RUN) == (JobState.UNKNOWN, "")
    jobs.submit(RUN)
    server.end(RUN.name, status)
    assert jobs.state(RUN)[0] is state


def test_a_ray_that_is_away_is_told(server):
    jobs = TrainingJobs("http://127.0.0.1:9", "python", Path("/state"))
    with pytest.raises(JobsUnavailable):
        jobs.submit(RUN)
