import re
import stat
from pathlib import Path

import pytest
from logged_requests import NOON, SCHEMA, feedback, prediction_id, request

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.request_record import Decision
from deployments.prediction_log.errors import InvalidPersonalDataKey
from deployments.prediction_log.labels import labelled
from deployments.prediction_log.personal_data import PersonalDataKeys, create_key_file, new_key
from deployments.prediction_log.reader import find, read
from deployments.prediction_log.writer import PredictionLog

OLD, NEW, FOREIGN = new_key(), new_key(), new_key()


def write(root, *records, keys=None, gateway="gateway-1"):
    log = PredictionLog(root, gateway, keys)
    for record in records:
        log.record(record)
    log.close()


def test_personal_data_is_in_no_byte_of_the_log_and_comes_back_with_the_key(root):
    keys = PersonalDataKeys([NEW])
    write(
        root,
        request(numbers=[1, True, 31337], texts=["fixed", "Ann Onymous"], unit="alice@example.org"),
        keys=keys,
    )
    for path in Path(root).rglob("*.parquet"):
        content = path.read_bytes()
        assert b"Onymous" not in content
        assert b"alice" not in content
    (closed,) = read(root).to_pylist()
    assert str(closed["feature.Age"]).startswith("gAAAA")
    (open_,) = read(root, keys=keys).to_pylist()
    assert (open_["feature.Age"], open_["feature.Note"]) == (31337.0, "Ann Onymous")
    assert find(root, prediction_id(NOON, 0), keys=keys)["feature.Note"] == "Ann Onymous"


def test_what_nobody_has_judged_is_not_decrypted_when_labels_are_joined(root):
    """A month has a million predictions, of which a thousand have a label."""
    keys = PersonalDataKeys([NEW])
    write(root, request(1), keys=keys)
    write(root, request(2), keys=PersonalDataKeys([FOREIGN]), gateway="gateway-2")
    log = PredictionLog(root, "gateway-3")
    log.feedback(feedback(1))
    log.close()
    [row] = labelled(root, columns=["feature.Age"], keys=keys).to_pylist()
    assert (row["feature.Age"], row["label"]) == (30.0, "bad")
    with pytest.raises(InvalidPersonalDataKey):
        read(root, keys=keys)


def test_without_a_key_personal_data_is_left_out_and_that_is_said_once(root, caplog):
    write(root, request(1), request(2, began=NOON + 3600))
    for row in read(root).to_pylist():
        assert (row["feature.Age"], row["feature.Note"], row["unit"]) == (None, None, None)
    assert sum("no key for personal data" in message for message in caplog.messages) == 1


def test_nothing_is_said_where_nothing_is_personal(root, said):
    schema = FeatureSchema(features=SCHEMA.features[:3])
    write(root, request(schema=schema, numbers=[1, True], texts=["fixed"], unit=None))
    assert not said("raygate.prediction_log")


def test_missing_values_and_every_kind_survive_encryption(root):
    keys = PersonalDataKeys([NEW])
    schema = FeatureSchema(features=[one.model_copy(update={"pii": True}) for one in SCHEMA.features[:3]])
    write(
        root,
        request(1, schema=schema, numbers=[2.5, False], texts=["fixed"]),
        request(2, schema=schema, numbers=[float("nan"), True], texts=[None]),
        keys=keys,
    )
    rows = read(root, keys=keys, columns=["feature.Income", "feature.Job", "feature.Owner"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [(2.5, "fixed", False), (None, None, True)]


def test_equal_values_have_different_tokens(root):
    write(root, request(1), request(2), keys=PersonalDataKeys([NEW]))
    assert len(set(read(root)["feature.Age"].to_pylist())) == 2


def test_after_a_rotation_old_values_are_read_and_new_ones_need_the_new_key(root):
    write(root, request(1), keys=PersonalDataKeys([OLD]))
    rotated = PersonalDataKeys([NEW, OLD])
    write(root, request(2), keys=rotated, gateway="gateway-2")
    assert read(root, keys=rotated)["feature.Age"].to_pylist() == [30.0, 30.0]
    for one in (OLD, NEW):
        with pytest.raises(InvalidPersonalDataKey, match="not the key of a value"):
            read(root, keys=PersonalDataKeys([one]))


def test_segments_with_and_without_keys_are_read_together(root):
    write(root, request(1))
    keys = PersonalDataKeys([NEW])
    write(root, request(2), keys=keys, gateway="gateway-2")
    assert sorted(read(root, keys=keys)["feature.Age"].to_pylist(), key=str) == [30.0, None]


def test_a_person_has_one_pseudonym_a_key_and_is_found_under_all_of_them(root):
    old, rotated = PersonalDataKeys([OLD]), PersonalDataKeys([NEW, OLD])
    write(
        root, request(1), request(2), request(3, decision=Decision("1.0.0", "1.0.0", "random", 1.0, 1)), keys=old
    )
    write(root, request(4), keys=rotated, gateway="gateway-2")
    units = read(root)["unit"].to_pylist()
    assert units.count(None) == 1
    assert {unit for unit in units if unit} == set(rotated.pseudonyms("alice"))
    assert old.pseudonym("alice") != old.pseudonym("bob")
    assert old.pseudonym("alice") != PersonalDataKeys([FOREIGN]).pseudonym("alice")
    assert re.fullmatch(r"[0-9a-f]{8}:[0-9a-f]{32}", old.pseudonym("alice"))
    assert old.pseudonym("alice").startswith(old.identity)


def test_keys_are_taken_from_the_environment_or_a_file(monkeypatch, tmp_path):
    monkeypatch.setenv("LOG_KEYS", f"{NEW} {OLD}")
    path = tmp_path / "keys"
    path.write_text(f"{NEW}\n{OLD}\n")
    token = PersonalDataKeys([OLD]).encrypt("value")
    for reference in ("env:LOG_KEYS", f"file:{path}"):
        assert PersonalDataKeys.load(reference).decrypt(token) == "value"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("", "not set, or empty", id="empty"),
        pytest.param("   ", "is empty", id="blank"),
        pytest.param("hunter2", "key 1 is malformed", id="not-a-key"),
        pytest.param(f"{OLD} hunter2", "key 2 is malformed", id="second-is-not-a-key"),
        pytest.param("é" * 32, "key 1 is malformed", id="not-ascii"),
    ],
)
def test_a_malformed_key_is_refused_without_showing_it(monkeypatch, content, message):
    monkeypatch.setenv("LOG_KEYS", content)
    with pytest.raises(InvalidPersonalDataKey, match=message) as caught:
        PersonalDataKeys.load("env:LOG_KEYS")
    assert "env:LOG_KEYS" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_key_file_of_a_laptop_is_made_once_for_its_owner_alone(tmp_path):
    path = tmp_path / "state" / "log.key"
    assert create_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = PersonalDataKeys.load(f"file:{path}")
    assert not create_key_file(path)
    assert PersonalDataKeys.load(f"file:{path}").identity == first.identity
