"""Rollouts whose state is in the status of their ModelEndpoint."""

import pytest
from kubernetes_namespace import endpoint, until

from deployments.contracts.metric_names import LATENCY_BUCKETS_SECONDS
from deployments.contracts.snapshot import VersionCounts
from deployments.rollout import starting
from deployments.rollout.analysis.replay import Replayed
from deployments.rollout.change import change_of
from deployments.rollout.commands import Command
from deployments.rollout.errors import NotLeading, RegistryUnavailable, RolloutChanged
from deployments.rollout.rollout_store import Change
from deployments.rollout.state import Phase

NAME = "credit-risk"
PLAN = {
    "steps": [{"weight": 10, "hold": "20s"}, {"weight": 50, "hold": "20s"}],
    "analysis": {"interval": "5s", "minRequests": 100},
}


def counted(requests, failed=0):
    latencies = [0] * (len(LATENCY_BUCKETS_SECONDS) + 1)
    latencies[LATENCY_BUCKETS_SECONDS.index(0.02)] = requests
    answered = requests - failed
    return VersionCounts(
        requests={"OK": answered, "MODEL_ERROR": failed}, latency_counts=latencies, rows=answered,
        row_errors={"MODEL_ERROR": failed}, labels={"good": answered},
    )  # fmt: skip


@pytest.fixture
def serving(namespace, operator):
    namespace.api.apply("modelendpoints", endpoint(rollout=PLAN), "kubectl")
    operator.look(3)
    return operator


def go(namespace, operator, seconds, failed=0):
    """Let time pass with traffic."""
    for _ in range(seconds):
        for version, counts in (("1.1.0", counted(100, failed)), ("1.0.0", counted(100))):
            namespace.evidence.counts.setdefault(version, VersionCounts()).add(counts)
        operator.look()


def phase(operator):
    operator.catch_up()
    return operator.service.latest(NAME).state.phase


def test_a_good_candidate_gets_all_traffic_through_the_rayservice(namespace, serving):
    serving.service.start(NAME, None, "ann")
    go(namespace, serving, 15)
    assert namespace.weights() == {"1.0.0": 90, "1.1.0": 10}
    go(namespace, serving, 60)
    assert namespace.weights() == {"1.1.0": 100}
    assert phase(serving) is Phase.PROMOTED
    assert [str(move.version) for move in namespace.registry.moves] == ["1.1.0"]
    status = namespace.api.get("modelendpoints", NAME)["status"]
    assert (status["stable"], status["traffic"]) == ("1.1.0", "1.0.0=0 1.1.0=100")
    assert ("RolloutPromoted", "Normal", NAME) in namespace.events()


def test_a_failing_candidate_is_withdrawn_with_its_evidence_in_the_status(namespace, serving):
    serving.service.start(NAME, None, "ann")
    go(namespace, serving, 30, failed=20)
    assert namespace.weights() == {"1.0.0": 100}
    assert phase(serving) is Phase.ROLLED_BACK
    last = serving.service.history(NAME)[-1]
    assert last.action == "rollout rolled back"
    assert "requests failed" in last.detail["reason"]


def test_another_controller_goes_on_where_the_first_one_died(namespace, serving, start):
    serving.service.start(NAME, None, "ann")
    go(namespace, serving, 15)
    serving.kill()
    second = start("second")
    second.catch_up()
    second.leadership.attempt()
    namespace.pass_time(16)
    go(namespace, second, 60)
    assert phase(second) is Phase.PROMOTED
    assert namespace.weights() == {"1.1.0": 100}


def test_a_document_that_changes_meanwhile_waits_for_the_end_of_the_rollout(namespace, serving):
    serving.service.start(NAME, None, "ann")
    go(namespace, serving, 10)
    namespace.api.apply("modelendpoints", endpoint(rollout=PLAN, split={"stable": 80, "candidate": 20}), "kubectl")
    go(namespace, serving, 2)
    assert namespace.condition(NAME, "Accepted") == ("False", "RolloutRunning")
    assert namespace.weights() == {"1.0.0": 90, "1.1.0": 10}
    serving.service.obey(NAME, Command.ABORT, "ann")
    go(namespace, serving, 45)
    assert namespace.weights() == {"1.0.0": 80, "1.1.0": 20}
    assert namespace.condition(NAME, "Accepted") == ("True", "Accepted")


def test_a_replay_step_lets_no_caller_have_the_candidates_answers_before_it_is_passed(namespace, operator):
    plan = {**PLAN, "steps": [{"replay": "1h", "minRows": 100}, *PLAN["steps"]]}
    namespace.api.apply("modelendpoints", endpoint(rollout=plan), "kubectl")
    operator.look(3)
    operator.service.start(NAME, None, "ann")
    go(namespace, operator, 15)
    assert namespace.weights() == {"1.0.0": 100}
    operator.replays.outcome = Replayed(is_done=True, rows=1000, disagreements=20)
    go(namespace, operator, 15)
    assert namespace.weights() == {"1.0.0": 90, "1.1.0": 10}


def test_applying_the_unchanged_document_again_keeps_what_a_rollout_promoted(namespace, serving):
    serving.service.start(NAME, None, "ann")
    go(namespace, serving, 80)
    namespace.api.apply("modelendpoints", endpoint(rollout=PLAN), "kubectl")
    serving.look(20)
    assert namespace.weights() == {"1.1.0": 100}


def test_a_decision_on_old_facts_is_refused(namespace, serving):
    rollout = serving.service.start(NAME, None, "ann")
    serving.service.obey(NAME, Command.PAUSE, "ben")
    with pytest.raises(RolloutChanged):
        serving.store.write(Change(rollout))


def test_a_decision_loses_against_a_write_that_the_watch_has_not_told_yet(namespace, serving):
    rollout = serving.service.start(NAME, None, "ann")
    serving.kill()  # its watch ends with the next event
    resource = namespace.api.get("modelendpoints", NAME)
    serving.watch.learn(resource)
    namespace.api.merge("modelendpoints", NAME, {"metadata": {"labels": {"team": "credit"}}})
    serving.watch._known[NAME] = resource
    with pytest.raises(RolloutChanged):
        serving.store.write(Change(rollout))


def test_a_decision_that_lost_is_made_anew_on_what_is_there_though_the_watch_is_late(namespace, serving):
    stale = namespace.api.get("modelendpoints", NAME)
    serving.kill()  # its watch ends with the next event
    namespace.api.merge("modelendpoints", NAME, {"metadata": {"labels": {"team": "credit"}}})
    until(lambda: "labels" in serving.watch.resources()[NAME]["metadata"])
    serving.watch._known[NAME] = stale
    begun = serving.service.start(NAME, None, "ann")
    stored = namespace.api.get("modelendpoints", NAME)
    assert stored["status"]["rollout"]["name"] == begun.name
    assert stored["metadata"]["labels"] == {"team": "credit"}


def test_weights_made_from_a_document_that_is_another_by_now_are_refused(namespace, serving):
    wanted = serving.store.endpoints()[NAME]
    rollout = starting.start(wanted, None, wanted.document.spec.versions[1].version, None, "ann", namespace.now)
    decided = change_of(serving.store, rollout, namespace.now)
    namespace.api.apply("modelendpoints", endpoint(rollout=PLAN, split={"stable": 80, "candidate": 20}), "kubectl")
    serving.look(3)
    assert namespace.weights() == {"1.0.0": 80, "1.1.0": 20}
    with pytest.raises(RolloutChanged):
        serving.store.write(decided)
    serving.look(3)
    assert namespace.weights() == {"1.0.0": 80, "1.1.0": 20}


def test_who_may_not_lead_any_more_tells_the_cluster_nothing(namespace, serving):
    namespace.pass_time(60)
    puts = len(namespace.serve.puts)
    with pytest.raises(NotLeading):
        serving.target.put({"applications": []})
    namespace.api.apply("modelendpoints", endpoint(rollout=PLAN, split={"stable": 80, "candidate": 20}), "kubectl")
    serving.catch_up()
    with pytest.raises(NotLeading):
        serving.reconciler.look()
    assert len(namespace.serve.puts) == puts


def least_replicas(namespace):
    deployments = {each["name"]: each["deployments"][0] for each in namespace.serve.puts[-1]["applications"]}
    return {
        version: deployments[f"credit_risk_v{version}"]["autoscaling_config"]["min_replicas"]
        for version in ("1.0.0", "1.1.0")
    }


@pytest.mark.parametrize("failed", [pytest.param(0, id="promoted"), pytest.param(20, id="rolled-back")])
def test_replicas_that_a_rollout_asked_for_are_let_go_after_its_end(namespace, operator, failed):
    namespace.serve.replicas = 4
    namespace.api.apply("modelendpoints", scaled(), "kubectl")
    operator.look(3)
    operator.service.start(NAME, None, "ann")
    go(namespace, operator, 4)
    assert least_replicas(namespace) == {"1.0.0": 4, "1.1.0": 1}
    go(namespace, operator, 80, failed)
    assert phase(operator).is_final
    assert least_replicas(namespace) == {"1.0.0": 1, "1.1.0": 1}


def scaled():
    """The endpoint with pools that grow by themselves."""
    made = endpoint(rollout=PLAN)
    for served in made["spec"]["versions"]:
        served["scaling"] = {"minReplicas": 1, "maxReplicas": 8}
    return made


def test_a_weight_that_waits_for_replicas_comes_not_into_force_with_another_endpoint(namespace, operator):
    namespace.serve.replicas = 4
    namespace.api.apply("modelendpoints", scaled(), "kubectl")
    operator.look(3)
    operator.service.start(NAME, None, "ann")
    go(namespace, operator, 4)
    namespace.serve.replicas = 1
    go(namespace, operator, 40)
    state = operator.service.latest(NAME).state
    assert (state.weight, state.settled, state.trouble[:20]) == (50, None, "waiting for replicas")
    namespace.api.apply("modelendpoints", endpoint("churn"), "kubectl")
    go(namespace, operator, 4)
    assert namespace.condition("churn", "Ready") == ("True", "InForce")
    assert namespace.weights() == {"1.0.0": 90, "1.1.0": 10}
    namespace.serve.replicas = 4
    go(namespace, operator, 15)
    assert namespace.weights() == {"1.0.0": 50, "1.1.0": 50}


def test_who_does_not_lead_any_more_decides_nothing(namespace, serving):
    rollout = serving.service.start(NAME, None, "ann")
    namespace.pass_time(60)
    with pytest.raises(NotLeading):
        serving.store.write(Change(rollout, leader="one"))


def test_a_deleted_endpoint_ends_its_rollout(namespace, serving):
    serving.service.start(NAME, None, "ann")
    go(namespace, serving, 10)
    namespace.api.delete("modelendpoints", NAME)
    serving.look(3)
    assert namespace.policies == {}
    assert serving.store.rollouts() == {}


def away(version):
    raise RegistryUnavailable(f"call {version} champion", "no answer")


def test_a_registry_that_is_away_at_a_promotion_is_told_later_and_nobody_waits(namespace, serving, start):
    named, namespace.registry.name_champion = namespace.registry.name_champion, away
    serving.service.start(NAME, None, "ann")
    go(namespace, serving, 80)
    assert phase(serving) is Phase.PROMOTED
    assert not serving.service.latest(NAME).is_moving
    namespace.api.apply("modelendpoints", endpoint(rollout=PLAN, split={"stable": 80, "candidate": 20}), "kubectl")
    go(namespace, serving, 3)
    assert namespace.condition(NAME, "Accepted") == ("True", "Accepted")
    status = namespace.api.get("modelendpoints", NAME)["status"]
    owed = status["rollout"]["state"]["owed_alias"]
    assert (owed["version"], owed["trouble"].endswith("champion: no answer")) == ("1.1.0", True)
    serving.kill()
    second = start("second")
    second.catch_up()
    second.leadership.attempt()
    namespace.pass_time(16)
    namespace.registry.name_champion = named
    go(namespace, second, 10)
    assert [str(move.version) for move in namespace.registry.moves] == ["1.1.0"]
    told = [made.action for made in second.service.history(NAME)]
    assert (told.count("champion alias owed"), told.count("champion alias moved")) == (1, 1)
    assert ("ChampionAliasOwed", "Normal", NAME) in namespace.events()
