"""Replay steps of a rollout's plan on Kubernetes: a RayJob each, and what stays of it."""

import copy
import json
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError
from shop_traffic import ShopTraffic

from deployments.batch import logged_requests
from deployments.batch.errors import OutputTaken
from deployments.batch.scoring_run import ScoringRun, ThisProcess
from deployments.contracts.model_version import Version
from deployments.contracts.rollout_plan import ReplayStep, RolloutPlan, WeightStep
from deployments.kubernetes_control.cluster import MODEL_ENDPOINT, RAY_CRON_JOB, RAY_JOB
from deployments.kubernetes_control.errors import ResourceChanged, ResourceMissing
from deployments.prediction_log import personal_data
from deployments.rollout import transitions
from deployments.rollout.errors import ReplayFailed, ReplayNotPossible
from deployments.rollout.state import Rollout
from deployments.storage.errors import StorageUnreachable
from ray_apps import batch_score, rayjob_replays, replay_job, replays
from ray_apps.kubernetes_settings import KubernetesSettings
from ray_apps.rayjob_replays import RayJobReplays

V1, V2 = Version(1, 0, 0), Version(1, 1, 0)
STEP = ReplayStep(replay=timedelta(hours=1))
TEMPLATE = {
    "metadata": {"name": rayjob_replays.TEMPLATE, "labels": {"app.kubernetes.io/component": "job"}, "uid": "4711"},
    "spec": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"entrypoint": "?", "backoffLimit": 2}},
}


ENDPOINT = {"metadata": {"name": "shop", "uid": "4712"}}


class KubeRay:
    """A cluster whose operator runs a RayJob when the test says so, in this process."""

    def __init__(self):
        self.resources = {(RAY_CRON_JOB, rayjob_replays.TEMPLATE): TEMPLATE, (MODEL_ENDPOINT, "shop"): ENDPOINT}

    @property
    def jobs(self):
        return [resource for (kind, _), resource in self.resources.items() if kind == RAY_JOB]

    def get(self, kind, name):
        if (kind, name) not in self.resources:
            raise ResourceMissing(kind.name, name)
        return copy.deepcopy(self.resources[kind, name])

    def create(self, kind, resource):
        if self.resources.setdefault((kind, resource["metadata"]["name"]), resource) is not resource:
            raise ResourceChanged(kind.name, resource["metadata"]["name"])

    def run(self):
        [job] = self.jobs
        program, option, module, *arguments = shlex.split(job["spec"]["entrypoint"])
        assert (program, option, module) == ("python", "-m", "ray_apps.replay_job")
        done = replay_job.main(arguments) == 0
        job["status"] = {
            "jobDeploymentStatus": "Complete" if done else "Failed",
            "jobStatus": "SUCCEEDED" if done else "FAILED",
        }


@pytest.fixture
def kuberay(shop_store, monkeypatch):
    def score(job, settings):
        return ScoringRun(ThisProcess()).run(job, *batch_score.packages_of(job, shop_store))

    monkeypatch.setattr(batch_score, "score", score)
    return KubeRay()


@pytest.fixture
def settings(tmp_path, shop_store, monkeypatch):
    personal_data.create_key_file(tmp_path / "log.key")
    told = {
        "RAYGATE_STATE_DIRECTORY": tmp_path,
        "MODEL_PATH": shop_store.root,
        "RAYGATE_LOG_KEYS_FROM": f"file:{tmp_path / 'log.key'}",
        "RAYGATE_REPLAYS": tmp_path / "replays",
        "RAYGATE_NAMESPACE": "raygate-dev",
        "RAYGATE_POD": "controller-1",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, str(value))
    return KubernetesSettings()


@pytest.fixture
def traffic(settings, shop):
    return ShopTraffic(settings, shop[V1])


@pytest.fixture
def rollout():
    now = datetime.now(UTC)
    plan = RolloutPlan(steps=(STEP, WeightStep(weight=10)))
    return Rollout(
        name="shop-1.1.0-now", endpoint="shop", model="shop", stable=V1, candidate=V2, plan=plan,
        started=now + timedelta(seconds=1), started_by="ann", state=transitions.begin(plan, now),
    )  # fmt: skip


@pytest.fixture
def gate(kuberay, settings):
    return RayJobReplays(kuberay, settings)


def test_what_was_logged_of_stable_is_answered_by_the_candidate_in_a_job_and_compared(
    kuberay, gate, traffic, rollout
):
    traffic.answer(600, right=0.9)
    assert not gate.look(rollout, STEP).is_done
    kuberay.run()
    replayed = gate.look(rollout, STEP)
    assert (replayed.is_done, replayed.rows, replayed.rejected) == (True, 600, 0)
    assert 0 < replayed.disagreements < 600
    assert replayed.stable.mean == pytest.approx(0.9)
    assert replayed.candidate.count == 600


def test_the_job_is_the_templates_but_for_its_command_and_says_whose_step_it_is(
    kuberay, gate, settings, traffic, rollout
):
    traffic.answer(10)
    assert gate.look(rollout, STEP).told.endswith("is begun")
    [job] = kuberay.jobs
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert len(job["metadata"].pop("name")) <= 47
    assert job["metadata"] == {
        "labels": {"app.kubernetes.io/component": "job"},
        "annotations": {
            "raygate.io/rollout": "shop-1.1.0-now",
            "raygate.io/step": "0",
            "raygate.io/output": f"{settings.replays}/shop-1.1.0-now-0",
        },
        "ownerReferences": [
            {"apiVersion": "raygate.io/v1alpha1", "kind": "ModelEndpoint", "name": "shop", "uid": "4712"}
        ],
    }
    assert job["spec"]["backoffLimit"] == 2
    assert "suspend" not in job["spec"]


def test_a_controller_that_takes_over_finds_the_job(kuberay, gate, settings, traffic, rollout):
    traffic.answer(10)
    gate.look(rollout, STEP)
    [job] = kuberay.jobs
    job["status"] = {"jobDeploymentStatus": "Running", "jobStatus": "PENDING"}
    next_one = RayJobReplays(kuberay, settings)
    assert next_one.look(rollout, STEP).told == f"the RayJob {job['metadata']['name']} is Running, PENDING"
    assert len(kuberay.jobs) == 1


def test_answers_with_personal_data_in_clear_do_not_stay(kuberay, gate, settings, traffic, rollout):
    traffic.answer(60)
    gate.look(rollout, STEP)
    kuberay.run()
    (answers,) = (settings.state / "replays").iterdir()
    assert [file.name for file in answers.rglob("*")] == ["_replayed.json"]


def test_a_job_that_is_done_again_keeps_what_it_found(kuberay, gate, traffic, rollout):
    traffic.answer(60)
    gate.look(rollout, STEP)
    kuberay.run()
    found = gate.look(rollout, STEP)
    kuberay.run()
    assert gate.look(rollout, STEP) == found


def test_what_came_of_a_job_outlives_it(kuberay, gate, traffic, rollout):
    traffic.answer(60)
    gate.look(rollout, STEP)
    kuberay.run()
    found = gate.look(rollout, STEP)
    [job] = kuberay.jobs
    del kuberay.resources[RAY_JOB, job["metadata"]["name"]]
    assert gate.look(rollout, STEP) == found
    assert kuberay.jobs == []


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({}, id="new"),
        {"jobDeploymentStatus": "Initializing"},
        {"jobDeploymentStatus": "Retrying", "jobStatus": "FAILED", "message": "the attempt before"},
        {"jobDeploymentStatus": "Suspended"},
        {"jobDeploymentStatus": "Waiting"},
    ],
    ids=lambda status: status.get("jobDeploymentStatus") if isinstance(status, dict) else None,
)
def test_a_job_that_is_under_way_or_between_two_attempts_is_waited_for(kuberay, gate, traffic, rollout, status):
    traffic.answer(10)
    gate.look(rollout, STEP)
    [job] = kuberay.jobs
    job["status"] = status
    assert not gate.look(rollout, STEP).is_done


def test_answers_of_a_job_that_failed_for_good_do_not_stay_either(kuberay, gate, settings, traffic, rollout):
    traffic.answer(60)
    gate.look(rollout, STEP)
    answers = settings.state / "replays" / "shop-1.1.0-now-0" / "part-00000.parquet"
    answers.parent.mkdir(parents=True)
    answers.write_bytes(b"somebody's age")
    [job] = kuberay.jobs
    job["status"] = {"jobDeploymentStatus": "Failed", "message": "DeadlineExceeded"}
    with pytest.raises(ReplayFailed, match="DeadlineExceeded"):
        gate.look(rollout, STEP)
    assert not answers.exists()


def test_a_comparison_of_another_replay_is_not_taken_for_ones_own(kuberay, gate, settings, traffic, rollout):
    traffic.answer(60)
    asked = replays.wanted(rollout, STEP, settings.replays)
    replay_job.replay(asked, settings)
    with pytest.raises(OutputTaken, match=r"holds how 1\.1\.0 compares in shop-1\.1\.0-now/0"):
        replay_job.replay(replace(asked, candidate=V1), settings)
    assert replay_job.outcome(asked) is not None


def test_a_place_that_is_named_anew_meanwhile_does_not_lose_what_came_of_a_job(
    kuberay, gate, settings, traffic, rollout, tmp_path
):
    traffic.answer(60)
    gate.look(rollout, STEP)
    kuberay.run()
    elsewhere = settings.model_copy(update={"replays": str(tmp_path / "elsewhere")})
    assert RayJobReplays(kuberay, elsewhere).look(rollout, STEP).rows == 60


def test_a_log_that_cannot_be_read_is_no_log_without_requests(
    kuberay, gate, settings, traffic, rollout, monkeypatch
):
    traffic.answer(10)

    def away(*asked):
        raise StorageUnreachable("the log", "no answer")

    monkeypatch.setattr(logged_requests.catalogue, "predictions", away)
    gate.look(rollout, STEP)
    kuberay.run()
    with pytest.raises(ReplayFailed):
        gate.look(rollout, STEP)


@pytest.mark.parametrize(
    ("told", "root"), [("s3://bucket/replays/", "s3://bucket/replays"), ("s3://b/r?region=x", None)]
)
def test_the_place_of_comparisons_is_one_that_folders_can_be_added_to(settings, monkeypatch, told, root):
    monkeypatch.setenv("RAYGATE_REPLAYS", told)
    if root is None:
        with pytest.raises(ValidationError, match="takes no query"):
            KubernetesSettings()
    else:
        assert KubernetesSettings().replays == root


def test_a_time_without_requests_is_told_and_no_failure(kuberay, gate, traffic, rollout):
    traffic.began -= timedelta(days=2)
    traffic.answer(10)
    gate.look(rollout, STEP)
    kuberay.run()
    replayed = gate.look(rollout, STEP)
    assert (replayed.is_done, replayed.rows) == (True, 0)
    assert "no request of shop in that time" in replayed.told


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        pytest.param(
            {"jobStatus": "FAILED", "message": "log:\n" + json.dumps({"event": "failed", "message": "no bucket"})},
            "no bucket",
            id="says-why",
        ),
        pytest.param({"message": "DeadlineExceeded"}, "DeadlineExceeded", id="no-cluster-came-up"),
        pytest.param(
            {"jobDeploymentStatus": "ValidationFailed", "message": "no such policy"},
            "no such policy",
            id="kuberay-does-not-take-it",
        ),
        pytest.param({"jobStatus": "STOPPED"}, "it is Failed, STOPPED", id="somebody-stopped-it"),
    ],
)
def test_a_job_that_failed_says_why(kuberay, gate, traffic, rollout, status, reason):
    traffic.answer(10)
    gate.look(rollout, STEP)
    [job] = kuberay.jobs
    job["status"] = {"jobDeploymentStatus": "Failed", **status}
    with pytest.raises(ReplayFailed, match=reason):
        gate.look(rollout, STEP)


def test_without_the_template_of_its_job_a_step_says_what_to_apply(kuberay, gate, traffic, rollout):
    traffic.answer(10)
    del kuberay.resources[RAY_CRON_JOB, rayjob_replays.TEMPLATE]
    with pytest.raises(ReplayNotPossible, match="kubectl apply -k kuberay/schedules/replay"):
        gate.look(rollout, STEP)


def test_without_a_place_for_comparisons_a_step_says_which_setting_names_it(kuberay, settings, traffic, rollout):
    traffic.answer(10)
    nowhere = settings.model_copy(update={"replays": ""})
    with pytest.raises(ReplayNotPossible, match="RAYGATE_REPLAYS is empty"):
        RayJobReplays(kuberay, nowhere).look(rollout, STEP)
    assert kuberay.jobs == []
