import os
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cloudpickle
import pytest
from logged_requests import NOON, request
from typer.testing import CliRunner

from deployments.contracts.errors import RaygateError
from deployments.prediction_log import care, errors
from deployments.prediction_log.errors import LogCareIncomplete
from deployments.prediction_log.personal_data import PersonalDataKeys, new_key
from deployments.prediction_log.reader import files, read
from deployments.prediction_log.writer import PredictionLog
from deployments.storage.location import Location
from ray_apps import prediction_log as job
from ray_apps.cli import console
from ray_apps.cli.prediction_log import app
from ray_apps.local.lock import CommandRunning

LATER = datetime.fromtimestamp(NOON, UTC) + timedelta(days=2)


@pytest.fixture
def keys(monkeypatch):
    monkeypatch.setenv("RAYGATE_LOG_KEYS", "env:LOG_KEYS")
    monkeypatch.setenv("LOG_KEYS", f"{new_key()} {new_key()}")
    return PersonalDataKeys.load("env:LOG_KEYS")


@pytest.fixture
def log(root, keys, monkeypatch):
    """A log of three gateways and two hours, which the commands use."""
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
    assert care.expire(place, 1, LATER, far_away).partitions == 2
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
