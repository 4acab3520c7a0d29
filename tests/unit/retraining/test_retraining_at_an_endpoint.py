"""What retraining does to an endpoint of the local stack, and what it leaves alone."""

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from retraining_examples import HOUR, NOON, run

from deployments.contracts import endpoint
from deployments.contracts.errors import InvalidDocument, UnknownEndpoint
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.request_record import FeedbackRecord
from deployments.contracts.rollout_plan import Freeze, RolloutPlan
from deployments.prediction_log.writer import PredictionLog
from deployments.rollout import aliases, policy
from deployments.rollout.endpoint_store import EndpointStore, WantedEndpoint
from deployments.rollout.errors import NoRollout
from deployments.rollout.service import RolloutService
from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore
from ray_apps.local import lock
from ray_apps.retraining.local_serving import LocalServing, with_challenger
from ray_apps.retraining.ports import CanaryState
from ray_apps.settings import Settings

V1, V2, V3 = Version(1, 0, 0), Version(1, 1, 0), Version(1, 2, 0)
FILE = """
apiVersion: raygate.io/v1alpha1
kind: ModelEndpoint
metadata: {name: credit-risk}
spec:
  model: credit_risk
  versions:
    - {version: 1.0.0, role: stable, scaling: {minReplicas: 2}}
    - {version: 1.1.0, role: candidate}
  traffic: {split: SPLIT, MORE}
"""


def wanted(split="{stable: 100}", more="shadow: []", alias=None):
    text = FILE.replace("role: stable", f"role: stable, alias: {alias}") if alias else FILE
    document = endpoint.parse(text.replace("SPLIT", split).replace("MORE", more), "endpoint.yaml")
    return WantedEndpoint(document, 1, policy.from_document(document, 1))


def promoted(weights=None, alias=None):
    """The candidate has become stable: in the policy, not in the file."""
    before = wanted(alias=alias)
    made = policy.with_weights(before.policy, weights or {V2: 100.0}, 2).model_copy(update={"stable": V2})
    return WantedEndpoint(before.document, 1, made)


def service(settings):
    """Rollouts of the endpoint; no version is of high risk."""
    store = SqliteRolloutStore(settings.control_database)
    return RolloutService(store, lambda: datetime.now(UTC), lambda model, version: None)


def versions(document):
    return {str(one.version): one.role.value for one in document.spec.versions}


class TestDocument:
    def test_the_challenger_comes_with_the_replicas_of_stable_and_without_traffic(self):
        changed = with_challenger(wanted("{1.0.0: 90, 1.1.0: 10}"), V3)
        assert versions(changed) == {"1.0.0": "stable", "1.1.0": "candidate", "1.2.0": "candidate"}
        assert changed.spec.weights == {V1: 90, V2: 10, V3: 0}
        assert changed.spec.versions[-1].scaling.min_replicas == 2

    def test_traffic_stays_where_a_promotion_has_put_it(self):
        changed = with_challenger(promoted(), V3)
        assert versions(changed) == {"1.1.0": "stable", "1.2.0": "candidate"}
        assert policy.from_document(changed, 3, promoted().policy).slots == ((V2, 10_000),)

    @pytest.mark.parametrize(
        "weights",
        [pytest.param({V2: 100.0}, id="the-old-stable-goes"), pytest.param({V1: 5.0, V2: 95.0}, id="it-stays")],
    )
    def test_whichever_is_stable_follows_the_alias_and_no_other(self, weights):
        changed = with_challenger(promoted(weights, alias="champion"), V3)
        assert aliases.followed_alias(changed) == "champion"
        assert changed.spec.stable == V2
        assert [one.version for one in changed.spec.versions if one.alias] == [V2]
        assert endpoint.ModelEndpoint.model_validate_json(changed.model_dump_json(by_alias=True)) == changed

    def test_one_that_would_not_be_sound_is_refused_before_it_is_stored(self):
        split, bandit = "{1.0.0: 50, 1.1.0: 50}", "bandit: {floor: 5}"
        before = wanted(split, bandit)
        alone = policy.with_weights(before.policy, {V1: 100.0}, 2)
        with pytest.raises(InvalidDocument, match=r"(?s)1\.2\.0 as a candidate.*needs two arms"):
            with_challenger(WantedEndpoint(before.document, 1, alone), V3)

    def test_a_version_that_gets_copies_stays(self):
        changed = with_challenger(wanted(more="shadow: [{version: 1.1.0}]"), V3)
        assert "1.1.0" in versions(changed)

    def test_a_rule_that_a_rollback_took_away_stays_away(self):
        before = wanted(more="rules: [{name: staff, when: {header: {x-staff: '1'}}, version: 1.1.0}]")
        withdrawn = before.policy.model_copy(update={"rules": ()})
        changed = with_challenger(WantedEndpoint(before.document, 1, withdrawn), V3)
        assert changed.spec.traffic.rules == ()
        assert versions(changed) == {"1.0.0": "stable", "1.2.0": "candidate"}

    def test_a_version_that_the_policy_does_not_have_yet_is_idle(self):
        before = wanted()
        alone = before.policy.model_copy(update={"versions": (V1,)})
        changed = with_challenger(WantedEndpoint(before.document, 1, alone), V3)
        assert versions(changed) == {"1.0.0": "stable", "1.2.0": "candidate"}

    def test_a_challenger_that_is_there_changes_nothing(self):
        assert with_challenger(wanted(), V2) == wanted().document

    def test_it_can_be_written_and_read_again(self):
        changed = with_challenger(wanted(more="stickyBy: {header: x-user-id}"), V3)
        assert endpoint.ModelEndpoint.model_validate(changed.model_dump(mode="json", by_alias=True)) == changed


class TestCanary:
    @pytest.fixture
    def settings(self, tmp_path):
        return Settings(state_directory=tmp_path)

    def serving(self, settings, more="shadow: []", split="{stable: 100}"):
        EndpointStore(settings.control_database).decide(wanted(split, more), "apply", {}, datetime.now(UTC))
        return LocalServing(settings, service(settings))

    def won(self, challenger=V2):
        return run(1).model_copy(update={"challenger": challenger, "started": datetime.now(UTC)})

    def test_it_begins_once_however_often_it_is_asked_for(self, settings):
        serving, winner = self.serving(settings), self.won()
        first, second = serving.begin_canary(winner), serving.begin_canary(winner)
        assert first.state is CanaryState.BEGUN
        assert first == second

    def test_it_waits_for_another_rollout(self, settings):
        serving = self.serving(settings)
        service(settings).start("credit-risk", V2, "ada")
        later = self.won().model_copy(update={"started": datetime.now(UTC)})
        assert serving.begin_canary(later).state is CanaryState.WAITING

    def test_it_does_not_begin_against_a_version_that_the_challenger_was_not_judged_against(self, settings):
        EndpointStore(settings.control_database).decide(promoted({V1: 50.0, V2: 50.0}), "apply", {}, NOON)
        answer = LocalServing(settings, service(settings)).begin_canary(self.won(V1))
        assert answer.state is CanaryState.OUTDATED
        assert "judged its challenger against 1.0.0, and 1.1.0 is stable now" in answer.text
        with pytest.raises(NoRollout):
            service(settings).latest("credit-risk")

    def test_what_somebody_applies_while_it_waits_for_the_lock_counts(self, settings, monkeypatch):
        serving, store = self.serving(settings), EndpointStore(settings.control_database)

        @contextmanager
        def held_by_a_person(file, wait, gives_way):
            store.decide(promoted(), "apply", {}, NOON)
            yield

        monkeypatch.setattr(lock, "exclusive", held_by_a_person)
        assert serving.begin_canary(self.won(V3)).state is CanaryState.OUTDATED

    def test_one_that_has_begun_stays_begun_when_the_challenger_has_become_stable(self, settings):
        serving, winner = self.serving(settings), self.won()
        begun = serving.begin_canary(winner)
        EndpointStore(settings.control_database).decide(promoted(), "apply", {}, NOON)
        assert serving.begin_canary(winner) == begun

    def test_it_waits_for_the_end_of_a_freeze(self, settings):
        before = wanted()
        spec = before.document.spec.model_copy(update={"rollout": RolloutPlan(freeze=(Freeze(),))})
        document = before.document.model_copy(update={"spec": spec})
        frozen = WantedEndpoint(document, 1, before.policy)
        EndpointStore(settings.control_database).decide(frozen, "apply", {}, datetime.now(UTC))
        answer = LocalServing(settings, service(settings)).begin_canary(self.won())
        assert answer.state is CanaryState.WAITING
        assert "a freeze of its plan holds" in answer.text

    def test_who_moves_the_weights_otherwise_is_told(self, settings):
        bandit = "bandit: {floor: 5}"
        serving = self.serving(settings, bandit, "{1.0.0: 50, 1.1.0: 50}")
        answer = serving.begin_canary(self.won())
        assert answer.state is CanaryState.NOT_POSSIBLE
        assert "bandit" in answer.text

    def test_stable_is_what_the_policy_says(self, settings):
        EndpointStore(settings.control_database).decide(promoted(), "apply", {}, NOON)
        serving = LocalServing(settings, service(settings))
        assert serving.stable("credit-risk") == ModelVersion("credit_risk", V2)
        with pytest.raises(UnknownEndpoint):
            serving.stable("churn")


def test_predictions_with_a_label_are_counted_once_and_others_endpoints_not(tmp_path):
    told = [
        ("a", "bad", "credit-risk"),
        ("a", "good", "credit-risk"),
        ("b", "bad", ""),
        ("c", None, "credit-risk"),
        ("d", "bad", "churn"),
    ]
    settings = Settings(state_directory=tmp_path)
    log = PredictionLog(settings.prediction_log, "gateway-1")
    for number, (name, label, of) in enumerate(told):
        log.feedback(FeedbackRecord(name, label, 1.0, NOON.timestamp(), f"feedback-{number}", endpoint=of))
    log.close()
    serving = LocalServing(settings, service(settings))
    assert serving.labelled("credit-risk", NOON - HOUR) == 2
    assert serving.labelled("credit-risk", NOON + HOUR) == 0
