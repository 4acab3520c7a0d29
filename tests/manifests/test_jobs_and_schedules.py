import importlib
import shlex

import pytest
import workloads

from ray_apps import rayjob_replays

SCHEDULED = (
    ("kuberay/schedules/retraining", "kuberay/jobs/retraining"),
    ("kuberay/schedules/batch-scoring", "kuberay/jobs/batch-scoring"),
    ("kuberay/schedules/replay", "kuberay/jobs/replay"),
)


RETRAINING = ("CronJob/raygate-retraining", "RayJob/raygate-retraining/workers")
TRAINING = ("RayJob/raygate-training/workers",)


def cronjobs(documents):
    return {each["metadata"]["name"]: each for each in documents if each["kind"] == "CronJob"}


@pytest.mark.parametrize(("schedule", "job"), SCHEDULED)
def test_what_runs_by_the_clock_is_what_runs_on_demand(kustomize, schedule, job):
    [scheduled], [on_demand] = kustomize(schedule), kustomize(job)
    assert scheduled["kind"] == "RayCronJob"
    assert scheduled["spec"]["jobTemplate"] == on_demand["spec"]


def entrypoints(documents):
    """Module and arguments of everything that runs Python."""
    for document in documents:
        if document["kind"] == "RayJob":
            program, _, module, *arguments = shlex.split(document["spec"]["entrypoint"])
            assert program == "python"
            yield module, arguments
    for pod in workloads.pods(documents):
        for container in pod.containers:
            if container.get("command", [])[:2] == ["python", "-m"]:
                yield container["command"][2], container.get("args", [])


CONTROLLER = "ray_apps.kubernetes_controller"
MODULES = [
    "ray_apps.train", "ray_apps.retrain", "ray_apps.batch_score", "ray_apps.replay_job", "ray_apps.prediction_log",
]  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_every_job_takes_the_arguments_that_it_is_given(deployed, capsys, module):
    given = [arguments for named, arguments in entrypoints(deployed("prod")) if named == module]
    assert given
    job = importlib.import_module(module)
    for arguments in given:
        command = [argument for argument in arguments[:1] if not argument.startswith("-")]
        with pytest.raises(SystemExit):
            job.main([*command, "--help"])
        told = capsys.readouterr().out
        for option in (argument.partition("=")[0] for argument in arguments if argument.startswith("--")):
            assert option in told, f"{module} has no {option}"


def test_nothing_else_is_run(environment):
    assert {module for module, _ in entrypoints(environment)} <= {*MODULES, CONTROLLER}


def minutes_of_day(cronjob):
    """Minutes since midnight at which a run may be under way; schedules here are `minute hour|* * * *`."""
    minute, hour, *rest = cronjob["spec"]["schedule"].split()
    assert rest == ["*", "*", "*"]
    seconds = (
        cronjob["spec"]["startingDeadlineSeconds"]
        + cronjob["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"]
    )
    hours = range(24) if hour == "*" else [int(hour)]
    return {(60 * each + int(minute) + late) % 1440 for each in hours for late in range(-(-seconds // 60))}


def test_two_jobs_never_work_on_the_prediction_log_at_the_same_time(environment):
    """Nothing holds a lock in a bucket."""
    jobs = cronjobs(environment)
    compact, expire = jobs["raygate-log-compact"], jobs["raygate-log-expire"]
    assert not minutes_of_day(compact) & minutes_of_day(expire)
    assert all(job["spec"]["concurrencyPolicy"] == "Forbid" for job in jobs.values())


def test_jobs_end_and_go(environment):
    for job in (document for document in environment if document["kind"] == "RayJob"):
        spec = job["spec"]
        assert spec["activeDeadlineSeconds"] > spec["preRunningDeadlineSeconds"] > 0
        # KubeRay refuses a job that has both.
        assert not spec.get("shutdownAfterJobFinishes")
        assert not spec.get("ttlSecondsAfterFinished")
        deleted = {}
        for rule in spec["deletionStrategy"]["deletionRules"]:
            condition = rule["condition"]
            end = condition.get("jobStatus") or condition["jobDeploymentStatus"]
            deleted.setdefault(end, {})[rule["policy"]] = condition["ttlSeconds"]
        assert set(deleted) == {"SUCCEEDED", "FAILED", "Failed"}
        assert all(seconds["DeleteCluster"] < seconds["DeleteSelf"] for seconds in deleted.values())


def test_only_training_can_change_packages(environment):
    for pod in workloads.pods(environment):
        writes = {
            mount["name"]
            for container in pod.containers
            for mount in container.get("volumeMounts", ())
            if mount["name"] in ("models", "state") and not mount.get("readOnly")
        }
        trains = pod.name in (*TRAINING, *RETRAINING)
        assert writes == ({"models", "state"} if trains else set()), pod.name


def test_whoever_reads_packages_sees_whose_are_believed_and_may_do_without(environment):
    """At one place: the controller tells the pools where they find the keys."""
    readers = 0
    for pod in workloads.pods(environment):
        [container] = pod.spec["containers"]
        mounts = {mount["name"]: mount for mount in container.get("volumeMounts", ())}
        if "models" not in mounts:
            continue
        readers += 1
        assert mounts["trusted-keys"]["mountPath"] == "/etc/raygate/trusted-keys", pod.name
        assert mounts["trusted-keys"]["readOnly"], pod.name
        [volume] = [volume for volume in pod.spec["volumes"] if volume["name"] == "trusted-keys"]
        assert volume["configMap"] == {"name": "raygate-trusted-keys", "optional": True}, pod.name
        if not pod.name.startswith("RayService"):  # pools get the reference with their arguments
            reference = workloads.environment_of(container)["RAYGATE_TRUSTED_KEYS"]["configMapKeyRef"]
            assert reference == {"name": "raygate-settings", "key": "trusted-keys", "optional": True}, pod.name
    assert readers


def test_the_driver_of_a_job_runs_on_a_worker(environment):
    for job in (document for document in environment if document["kind"] == "RayJob"):
        assert job["spec"]["entrypointNumCpus"] >= 1
        assert workloads.ray_cluster(job)["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_a_replay_is_copied_from_a_template_that_the_controller_names_and_no_clock_begins(kustomize):
    [template] = kustomize("kuberay/schedules/replay")
    assert template["metadata"]["name"] == rayjob_replays.TEMPLATE
    assert template["spec"]["suspend"]


def test_every_schedule_retrains_by_the_plan_that_people_and_the_dag_go_by(deployed, kustomize):
    """One look a day, by triggers, budget and cooldown; nothing trains by the clock alone."""
    documents = [*deployed("prod"), *kustomize("kuberay/schedules/retraining")]
    scheduled = [each for each in documents if each["kind"] in ("CronJob", "RayCronJob")]
    retraining = [each for each in scheduled if each["metadata"]["name"] == "raygate-retraining"]
    assert {each["kind"]: each["spec"]["schedule"] for each in retraining} == dict.fromkeys(
        ("CronJob", "RayCronJob"), "0 3 * * *"
    )
    [cronjob] = [each for each in retraining if each["kind"] == "CronJob"]
    [rayjob] = kustomize("kuberay/jobs/retraining")
    plan = ["--plan=/etc/raygate/training/retraining.yaml"]
    assert list(entrypoints([cronjob])) == list(entrypoints([rayjob])) == [("ray_apps.retrain", plan)]


def test_both_ways_of_retraining_have_the_same_settings(deployed):
    """Of the settings that the job reads; those of Ray differ."""
    pods = {pod.name: pod for pod in workloads.pods(deployed("prod"))}
    first, second = (workloads.environment_of(pods[name].spec["containers"][0]) for name in RETRAINING)
    assert {"RAYGATE_CONTROLLER", "RAYGATE_MONITOR", "RAYGATE_LOG_URI", "RAYGATE_STATE_DIRECTORY"} <= set(first)
    own = {name: value for name, value in first.items() if not name.startswith("RAY_")}
    assert own == {name: second[name] for name in own}
