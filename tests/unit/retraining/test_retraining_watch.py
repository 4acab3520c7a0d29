"""What is done about a model that has aged, whoever is killed meanwhile."""

from datetime import timedelta

import pytest
from retraining_examples import HERE, HOUR, NOON, QUALITY, STABLE, evidence, plan

from deployments.batch.errors import JobsUnavailable
from deployments.contracts.model_version import ModelVersion, Version
from ray_apps.retraining.errors import NotWatched, RetrainingRefused, UnknownRun
from ray_apps.retraining.journal import AppliedPlan, Journal
from ray_apps.retraining.ports import Canary, CanaryState, JobState, MemoryJobs, MemoryServing
from ray_apps.retraining.run import State
from ray_apps.retraining.watch import LABELS_EVERY, LOST_AFTER, Watch

CHALLENGER = Version(1, 0, 1)
BAD = evidence(auc=0.70)


class World:
    """A watch, and everything that it sees."""

    def __init__(self, directory, triggers=QUALITY, **changes):
        self.file = directory / "retraining.db"
        self.jobs, self.serving, self.now = MemoryJobs(), MemoryServing(STABLE, BAD), NOON
        applied = AppliedPlan(plan=plan(triggers, **changes), training="{}", directory=HERE, applied=NOON - HOUR)
        self.journal.apply(applied)

    @property
    def journal(self):
        return Journal(self.file)

    @property
    def watch(self):
        """Another one each time: nothing is remembered outside of the journal."""
        return Watch(self.journal, self.jobs, self.serving, lambda: self.now)

    def look(self):
        return self.watch.look("credit-risk")

    @property
    def runs(self):
        return self.journal.runs("credit-risk")

    @property
    def states(self):
        return [run.state for run in self.runs]

    def job_ends(self, state, challenger=CHALLENGER):
        """What the job itself writes down."""
        name = self.runs[-1].name
        self.journal.change(name, lambda run: run.after(state, self.now, "judged", challenger=challenger))
        self.jobs.states[name] = JobState.ENDED


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_lost_quality_becomes_one_job_and_not_two(world):
    for _ in range(3):
        world.look()
    assert world.states == [State.RUNNING]
    assert list(world.jobs.states) == [world.runs[0].name]
    assert world.runs[0].trigger.numbers["value"] == 0.70


def test_a_job_that_ray_did_not_take_is_submitted_by_the_next_look(world):
    world.jobs.away = True
    with pytest.raises(JobsUnavailable):
        world.look()
    assert world.states == [State.DECIDED]
    world.jobs.away = False
    world.look()
    assert world.states == [State.RUNNING]


def test_who_is_killed_after_submitting_submits_the_same_job_again(world, monkeypatch):
    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "_note", die)
        with pytest.raises(Killed):
            world.look()
    assert world.states == [State.DECIDED]
    world.look()
    assert world.states == [State.RUNNING]
    assert len(world.jobs.states) == 1


@pytest.mark.parametrize(
    ("state", "later", "told"),
    [
        pytest.param(JobState.FAILED, timedelta(), "without a result", id="it-failed"),
        pytest.param(JobState.ENDED, timedelta(), "without a result", id="it-ended-and-wrote-nothing"),
        pytest.param(JobState.UNKNOWN, LOST_AFTER, "does not know it any more", id="its-cluster-is-gone"),
    ],
)
def test_a_job_without_a_result_has_failed_and_nothing_begins_before_the_cooldown(world, state, later, told):
    world.look()
    world.jobs.states[world.runs[0].name] = state
    world.now += later
    assert "the cooldown of 6h" in world.look().held
    assert world.states == [State.FAILED]
    assert told in world.runs[0].notes[-1].text


def test_a_cluster_that_does_not_know_the_job_yet_is_given_time(world):
    world.look()
    world.jobs.states.clear()
    world.now += LOST_AFTER / 2
    world.look()
    assert world.states == [State.RUNNING]


def test_a_winner_waits_for_a_person_and_then_has_its_canary(world):
    world.look()
    world.job_ends(State.AWAITING_APPROVAL)
    world.look()
    assert world.serving.canaries == []
    approved = world.watch.approve("credit-risk", "ada")
    assert approved.state is State.CANARY
    assert [note.text for note in approved.notes][-2:] == ["approved by ada", "rollout rollout-1 has begun"]


def test_a_canary_waits_while_another_rollout_runs(world):
    world.look()
    world.job_ends(State.APPROVED)
    world.serving.answer = Canary(CanaryState.WAITING, "rollout-0 runs")
    world.look()
    assert world.states == [State.APPROVED]
    world.serving.answer = Canary(CanaryState.BEGUN, "rollout-1")
    world.look()
    assert world.states == [State.CANARY]


def test_a_canary_that_is_not_possible_is_left_to_a_person(world):
    world.look()
    world.job_ends(State.APPROVED)
    world.serving.answer = Canary(CanaryState.NOT_POSSIBLE, "a bandit moves the weights")
    world.look()
    world.look()
    assert world.states == [State.AWAITING_APPROVAL]
    assert len(world.serving.canaries) == 1
    assert "a bandit moves the weights" in world.runs[0].notes[-1].text


def test_a_winner_whose_champion_was_replaced_ends_and_no_approval_brings_it_back(world):
    world.look()
    world.job_ends(State.AWAITING_APPROVAL)
    world.serving.answer = Canary(CanaryState.OUTDATED, "1.1.0 is stable now")
    assert world.watch.approve("credit-risk", "ada").state is State.OUTDATED
    with pytest.raises(RetrainingRefused, match="is outdated"):
        world.watch.approve("credit-risk", "ada")
    assert len(world.serving.canaries) == 1


@pytest.mark.parametrize("waits", [State.AWAITING_APPROVAL, State.APPROVED])
def test_a_winner_that_nobody_wants_holds_the_triggers_no_more(world, waits):
    world.look()
    world.job_ends(waits)
    world.serving.answer = Canary(CanaryState.WAITING, "rollout-0 runs")
    world.now += timedelta(days=7)
    assert world.runs[0].name in world.look().held
    assert world.watch.decline("credit-risk", "ada").notes[-1].text == "declined by ada"
    world.look()
    assert world.states == [State.DECLINED, State.RUNNING]
    with pytest.raises(RetrainingRefused, match=r"no challenger waits: retrain-.* is running"):
        world.watch.decline("credit-risk", "ada")


def test_a_winner_that_waits_is_found_although_a_person_has_begun_another_run(world):
    world.look()
    world.job_ends(State.AWAITING_APPROVAL)
    world.now += timedelta(minutes=1)
    world.watch.ask("credit-risk", "ada")
    world.job_ends(State.REJECTED)
    world.serving.answer = Canary(CanaryState.WAITING, "rollout-0 runs")
    world.watch.approve("credit-risk", "ada")
    assert world.states == [State.APPROVED, State.REJECTED]
    world.serving.answer = Canary(CanaryState.BEGUN, "rollout-1")
    world.look()
    assert world.states == [State.CANARY, State.REJECTED]


def test_a_winner_that_waits_holds_the_triggers_until_another_version_is_stable(world):
    world.look()
    world.job_ends(State.AWAITING_APPROVAL)
    world.now += timedelta(days=7)
    assert "awaits approval" in world.look().held
    world.serving.version = ModelVersion(STABLE.model, Version(2, 0, 0))
    world.look()
    assert world.states == [State.OUTDATED, State.RUNNING]


def test_too_few_labels_hold_a_run_before_anything_is_trained(world):
    world.serving.labels = 499
    assert "499 predictions have a label, rows.minimum wants 500" in world.look().held
    assert world.runs == []


def test_labels_that_are_too_few_are_not_counted_again_at_every_look(world, monkeypatch):
    asked = []
    monkeypatch.setattr(world.serving, "labelled", lambda endpoint, since: asked.append(world.now) or 499)
    watch = world.watch
    for _ in range(21):
        watch.look("credit-risk")
        world.now += LABELS_EVERY / 10
    assert asked == [NOON, NOON + LABELS_EVERY, NOON + 2 * LABELS_EVERY]
    monkeypatch.setattr(world.serving, "labelled", lambda endpoint, since: 500)
    world.now += LABELS_EVERY
    watch.look("credit-risk")
    assert world.states == [State.RUNNING]


def test_a_person_need_not_wait_for_the_cooldown_but_for_the_run_that_is_under_way(world):
    first = world.watch.ask("credit-risk", "ada")
    with pytest.raises(RetrainingRefused, match="is running"):
        world.watch.ask("credit-risk", "ada")
    world.job_ends(State.REJECTED)
    world.now += timedelta(minutes=1)
    second = world.watch.ask("credit-risk", "ada")
    assert [one.started_by for one in (first, second)] == ["ada", "ada"]
    world.job_ends(State.REJECTED)
    assert "the cooldown" in world.look().held


@pytest.mark.parametrize(
    ("ask", "refusal"),
    [
        pytest.param(lambda world: world.watch.look("churn"), NotWatched, id="no-plan"),
        pytest.param(
            lambda world: world.watch.approve("credit-risk", "ada"), RetrainingRefused, id="nothing-waits"
        ),
        pytest.param(lambda world: world.journal.run("retrain-7"), UnknownRun, id="no-such-run"),
        pytest.param(lambda world: world.journal.forget("churn"), NotWatched, id="nothing-to-forget"),
    ],
)
def test_what_is_not_there_is_told(world, ask, refusal):
    with pytest.raises(refusal):
        ask(world)


def test_windows_survive_and_drift_begins_a_run_once_it_has_lasted(tmp_path):
    world = World(tmp_path, {"drift": {"critical": 2, "of": 3, "every": "1h"}})
    world.serving.seen = evidence(critical=2)
    for _ in range(4):
        world.look()
        assert world.runs == []
        world.now += timedelta(minutes=15)
    world.look()
    assert world.runs[0].trigger.kind == "drift"


def test_a_plan_that_is_applied_again_forgets_its_windows_and_one_that_is_deleted_keeps_its_runs(world):
    world.look()
    world.journal.forget("credit-risk")
    assert world.journal.plans() == {}
    assert len(world.runs) == 1
    world.watch.look_at_all()


def test_one_endpoints_trouble_is_not_the_others(world, caplog):
    applied = world.journal.plan("credit-risk")
    other = applied.plan.model_copy(update={"endpoint": "churn"})
    world.journal.apply(applied.model_copy(update={"plan": other}))
    world.jobs.away = True
    world.watch.look_at_all()
    told = [record for record in caplog.records if record.name == "raygate.retraining"]
    assert [record.args[0] for record in told if record.levelname == "WARNING"] == ["churn", "credit-risk"]


def test_what_nobody_expected_of_one_endpoint_does_not_keep_the_others_from_being_looked_at(
    world, caplog, monkeypatch
):
    applied = world.journal.plan("credit-risk")
    world.journal.apply(applied.model_copy(update={"plan": applied.plan.model_copy(update={"endpoint": "churn"})}))
    stable = world.serving.stable

    def unreadable(endpoint):
        if endpoint == "churn":
            raise ValueError("only the stable version follows an alias")
        return stable(endpoint)

    monkeypatch.setattr(world.serving, "stable", unreadable)
    world.watch.look_at_all()
    assert world.states == [State.RUNNING]
    assert "retraining of churn failed unexpectedly" in caplog.text
