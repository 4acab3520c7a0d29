import os
import pickle
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import cloudpickle
import httpx
import pytest
from fastapi import FastAPI
from logged_requests import NOON, request
from starlette.testclient import TestClient
from typer.testing import CliRunner

from deployments.access.audit import Action, Outcome
from deployments.access.stores import open_store
from deployments.contracts import endpoint
from deployments.contracts.errors import RaygateError
from deployments.prediction_log import care, errors
from deployments.prediction_log.errors import LogCareIncomplete
from deployments.prediction_log.personal_data import PersonalDataKeys, new_key
from deployments.prediction_log.reader import files, read
from deployments.prediction_log.retention import Keeping
from deployments.prediction_log.writer import PredictionLog
from deployments.rollout import policy
from deployments.rollout.endpoint_store import EndpointStore, WantedEndpoint
from deployments.storage.location import Location
from ray_apps import endpoints_api
from ray_apps import prediction_log as job
from ray_apps.cli import console
from ray_apps.cli.prediction_log import app
from ray_apps.local.lock import CommandRunning
from ray_apps.settings import Settings

LATER = datetime.fromtimestamp(NOON, UTC) + timedelta(days=2)


@pytest.fixture
def keys(monkeypatch):
    monkeypatch.setenv("RAYGATE_LOG_KEYS", "env:LOG_KEYS")
    monkeypatch.setenv("LOG_KEYS", f"{new_key()} {new_key()}")
    return PersonalDataKeys.load("env:LOG_KEYS")


@pytest.fixture
def log(root, keys, monkeypatch, tmp_path):
    """A log of three gateways and two hours, which the commands use."""
    monkeypatch.setenv("RAYGATE_STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("RAYGATE_LOG_URI", root)
    monkeypatch.setattr(console.out, "width", 200)
    for number in range(3):
        write(
            root,
            keys,
            request(number),
            request(number, began=NOON + 3600, unit="bob"),
            gateway=f"gateway-{number}",
        )
    return root


def write(root, keys, *records, gateway):
    one = PredictionLog(root, gateway, keys)
    for record in records:
        one.record(record)
    one.close()


def run(*arguments, typed=""):
    result = CliRunner().invoke(app, arguments, input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def far_away(work, directories):
    """Work as another process gets it."""
    return [cloudpickle.loads(cloudpickle.dumps(work))(directory) for directory in directories]


def test_work_can_be_sent_to_other_processes(log, keys):
    place = Location.of(log)
    assert len(care.compact(place, LATER, far_away, "env:LOG_KEYS")) == 2
    assert care.erase(place, keys.pseudonyms("alice"), far_away).predictions == 3
    assert care.expire(place, Keeping(1), LATER, far_away).partitions == 2
    assert read(log).num_rows == 0


def test_no_key_travels_with_the_work(log, monkeypatch, keys):
    sent = []

    def wiretapped(work, directories):
        sent.append(cloudpickle.dumps(work))
        return care.one_by_one(work, directories)

    care.compact(Location.of(log), LATER, wiretapped, "env:LOG_KEYS")
    assert not any(key.encode() in message for key in os.environ["LOG_KEYS"].split() for message in sent)


def test_a_damaged_partition_keeps_no_other_from_being_done_and_is_named(log):
    damaged = Path(next(path for path in files(log) if "hour=12" in path))
    damaged.write_bytes(b"PAR1")
    with pytest.raises(LogCareIncomplete, match="hour=12") as caught:
        care.compact(Location.of(log), LATER)
    assert caught.value.done == 1
    assert len([path for path in Path(log).rglob("*.parquet") if "hour=13" in str(path)]) == 1


def test_nobody_is_half_erased_because_a_partition_cannot_be_searched(log, keys):
    damaged = Path(next(path for path in files(log) if "hour=13" in path))
    damaged.write_bytes(b"PAR1")
    with pytest.raises(LogCareIncomplete, match="hour=13"):
        care.erase(Location.of(log), keys.pseudonyms("alice"))
    damaged.unlink()
    assert read(log, until=datetime.fromtimestamp(NOON + 60, UTC)).num_rows == 3


def test_two_jobs_on_one_log_are_refused(log):
    place = Location.of(log)
    with job.alone(place), pytest.raises(CommandRunning):
        job.compact(place, LATER, care.one_by_one)


def test_the_job_reports_what_it_did(root, capsys):
    assert job.main(["expire", "--uri", root, "--days", "30"]) == 0
    assert "0 partitions with 0 segments are gone" in capsys.readouterr().err
    assert job.main(["expire", "--uri", root, "--days", "0"]) == 1
    assert "days: '0' is not a number above 0" in capsys.readouterr().err
    assert job.main(["compact", "--uri", "gs://bucket"]) == 1


def test_compact_and_gaps_from_the_command_line(log):
    assert "2 partitions: 6 segments became 2" in run("compact").output
    assert [row.split()[1:8:2] for row in run("gaps").output.splitlines() if "gateway-" in row] == [
        ["gateway-0", "0", "1", "0"], ["gateway-1", "0", "1", "0"], ["gateway-2", "0", "1", "0"],
    ]  # fmt: skip


def test_a_person_is_erased_without_their_name_on_the_command_line(log):
    assert "3 predictions and 0 feedback records are erased" in run("erase", typed="alice\n").output
    assert read(log).num_rows == 3


def test_pseudonyms_are_printed_for_the_job(log, keys):
    assert run("pseudonyms", "--unit", "alice").output.split() == list(keys.pseudonyms("alice"))


def test_a_prediction_is_shown_and_in_clear_only_if_asked(log):
    known = request(1).prediction_ids[0]
    assert "feature.Age: gAAAA" in run("show", known).output
    assert "feature.Age: 30.0" in run("show", known, "--decrypt").output
    assert run("show", "01000000-0000-7000-8000-000000000000").exit_code == 1


def test_the_latest_predictions_are_shown(root, keys, log):
    now = datetime.now(UTC).timestamp()
    write(root, keys, *(request(number, began=now + number - 10) for number in range(3)), gateway="gateway-9")
    output = run("show", "--last", "2").output
    assert output.count("credit") == 0
    assert [request(number, began=now + number - 10).prediction_ids[0] in output for number in range(3)] == [
        False, True, True,
    ]  # fmt: skip


@pytest.fixture
def audited(log):
    """The audit of the commands' state directory, the oldest event first."""

    def events():
        store = open_store(Settings().key_store, create=True)
        return [(event.action, event.subject, event.outcome, event.detail) for event in store.audit.latest(9)][
            ::-1
        ]

    return events


def test_an_erasure_is_in_the_audit_without_the_person(log, keys, audited):
    run("erase", typed="alice\n")
    assert audited() == [
        (
            Action.LOG_ERASED,
            f"log/{log}",
            Outcome.DONE,
            {"done": "3 predictions and 0 feedback records are erased"},
        )
    ]


def test_an_erasure_that_failed_is_in_the_audit_with_the_reason(log, audited, monkeypatch):
    monkeypatch.setenv("LOG_KEYS", "no key")
    assert CliRunner().invoke(app, ["erase"], input="alice\n").exit_code != 0
    ((action, _, outcome, detail),) = audited()
    assert (action, outcome) == (Action.LOG_ERASED, Outcome.FAILED)
    assert detail["reason"]


def test_who_looks_at_personal_data_is_in_the_audit_and_who_looks_at_pseudonyms_is_not(log, audited):
    known = request(1).prediction_ids[0]
    run("show", known)
    run("compact")
    assert audited() == []
    run("show", known, "--decrypt")
    run("compact", "--reencrypt")
    run("expire", "--days", "30", "--model", "churn")
    assert [(action, subject) for action, subject, _, _ in audited()] == [
        (Action.LOG_DECRYPTED, f"prediction/{known}"),
        (Action.LOG_REENCRYPTED, f"log/{log}"),
        (Action.LOG_EXPIRED, f"log/{log}"),
    ]


def test_an_erasure_by_a_job_is_in_the_audit_that_the_job_knows(log, keys, audited, monkeypatch, tmp_path):
    monkeypatch.setattr(job, "on_ray", care.one_by_one)
    monkeypatch.setenv("RAYGATE_ACCESS_STORE", f"sqlite:///{tmp_path / 'audit.db'}")
    erasure = [argument for one in keys.pseudonyms("alice") for argument in ("--pseudonym", one)]
    assert job.main(["erase", "--uri", log, *erasure]) == 0
    assert [(action, subject) for action, subject, _, _ in audited()] == [(Action.LOG_ERASED, f"log/{log}")]


ENDPOINT = """
apiVersion: raygate.io/v1alpha1
kind: ModelEndpoint
metadata: {name: credit-risk}
spec:
  model: credit_risk
  versions: [{version: 1.0.0, role: stable}]
  traffic: {split: {stable: 100}}
  requestLog: {retentionDays: 3650}
"""


@pytest.fixture
def wanted(audited):
    """An endpoint that keeps its log for ten years, in the commands' state directory."""
    document = endpoint.parse(ENDPOINT, "endpoint.yaml")
    wanted = WantedEndpoint(document, 1, policy.from_document(document, 1, None))
    EndpointStore(Settings().control_database).decide(wanted, "apply", {}, LATER)
    return wanted


def test_what_an_endpoint_keeps_longer_stays_when_the_log_is_expired(log, wanted):
    assert "0 partitions with 0 segments are gone; kept for 30 days (credit_risk 3650)" in run("expire").output
    assert read(log).num_rows == 6
    assert "2 partitions" in run("expire", "--days", "30", "--model", "credit_risk").output, (
        "days of one model count"
    )
    assert read(log).num_rows == 0


@pytest.mark.parametrize(
    ("status", "gone"), [pytest.param(200, 0, id="answers"), pytest.param(403, None, id="does-not-let-it-in")]
)
def test_the_job_asks_the_controller_how_long_endpoints_keep_and_deletes_nothing_without_an_answer(
    log, wanted, monkeypatch, capsys, status, gone
):
    def controller(asked):
        assert asked.headers["authorization"] == "Bearer a-viewers"
        assert asked.url == "http://controller:8001/api/v1/admin/endpoints"
        api = FastAPI()
        api.include_router(endpoints_api.reading(lambda: {"credit-risk": wanted}))
        told = TestClient(api).get(asked.url.path)
        return httpx.Response(status, json=told.json())

    monkeypatch.setenv("RAYGATE_API_KEY", "a-viewers")
    monkeypatch.setattr(job, "on_ray", care.one_by_one)
    monkeypatch.setattr(
        job.log_retention,
        "of_controller",
        partial(job.log_retention.of_controller, transport=httpx.MockTransport(controller)),
    )
    ended = job.main(["expire", "--uri", log, "--controller", "http://controller:8001"])
    assert ended == (1 if gone is None else 0)
    assert (
        "the controller at http://controller:8001" if gone is None else "0 partitions"
    ) in capsys.readouterr().err
    assert read(log).num_rows == 6


def test_expire_from_the_command_line(log):
    assert "0 partitions" in run("expire", "--days", "30", "--model", "churn").output
    assert "2 partitions with 6 segments are gone" in run("expire", "--days", "30").output
    assert read(log).num_rows == 0


def test_a_new_key_is_one(log):
    PersonalDataKeys([run("new-key").output.strip()])


@pytest.mark.parametrize(
    "kind",
    [one for one in vars(errors).values() if isinstance(one, type) and one is not RaygateError],
    ids=lambda kind: kind.__name__,
)
def test_every_error_survives_the_journey_between_processes(kind):
    arguments = (
        (1, ("a", "b")) if kind is LogCareIncomplete else ("a", "b", "c")[: kind.__init__.__code__.co_argcount - 1]
    )
    error = kind(*arguments)
    arrived = pickle.loads(pickle.dumps(error))
    assert (type(arrived), str(arrived), vars(arrived)) == (kind, str(error), vars(error))
