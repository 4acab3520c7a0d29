import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from logged_requests import NOON, SCHEMA, feedback, prediction_id, request

from deployments.contracts.feature_schema import FeatureSchema
from deployments.prediction_log import care, catalogue, compaction, retention
from deployments.prediction_log.catalogue import partitions, superseded
from deployments.prediction_log.errors import InvalidLogQuery, InvalidPersonalDataKey
from deployments.prediction_log.gaps import GatewayGaps, missing
from deployments.prediction_log.labels import read_feedback
from deployments.prediction_log.personal_data import PersonalDataKeys, new_key
from deployments.prediction_log.reader import consistently, files, read, tables_of
from deployments.prediction_log.retention import Keeping
from deployments.prediction_log.segment import SegmentNote
from deployments.prediction_log.writer import PredictionLog
from deployments.storage.location import Location

KEYS = PersonalDataKeys([new_key()])
NOON_UTC = datetime(2024, 11, 21, 12, tzinfo=UTC)
HOUR = "predictions/model=credit_risk/version=1.0.0/date=2024-11-21/hour=12"


def write(root, *records, gateway="gateway-1", keys=KEYS):
    log = PredictionLog(root, gateway, keys)
    for record in records:
        if hasattr(record, "feedback_id"):
            log.feedback(record)
        else:
            log.record(record)
    log.close()


def incomes(root):
    return sorted(read(root)["feature.Income"].to_pylist())


class Killed(BaseException):
    """What ends a job in the middle."""


@dataclass(frozen=True)
class MortalLocation(Location):
    """A place whose user dies at one of its steps."""

    steps: list[str] = field(default_factory=list)
    lives: int = 0

    @classmethod
    def of_lives(cls, uri, lives):
        place = Location.of(uri)
        return cls(place.filesystem, place.root, place.shown, [], lives)

    def step(self, name):
        if len(self.steps) == self.lives:
            raise Killed
        self.steps.append(name)

    @contextmanager
    def staged(self, path):
        self.step("begin")
        with Location.staged(self, path) as file:
            yield file
            self.step("written")
        self.step("visible")

    def delete(self, path):
        self.step("delete")
        Location.delete(self, path)


def killed_at_every_step(root, job):
    """Run a job on copies of a log, killing it one step later each time; yields each copy, then the step's number.

    The last copy is the one on which it came to its end.
    """
    for lives in range(100):
        copy = f"{root}-{lives}"
        shutil.copytree(root, copy)
        try:
            job(MortalLocation.of_lives(copy, lives))
        except Killed:
            yield copy
        else:
            assert lives > 3, "it took no steps at which it could have been killed"
            yield copy
            return


def test_compaction_joins_the_segments_of_an_hour(root):
    for gateway in ("gateway-1", "gateway-2", "gateway-3"):
        write(root, request(1), request(2), gateway=gateway)
    done = compaction.compact(Location.of(root), HOUR, KEYS)
    assert (done.before, done.after, done.rows) == (3, 1, 6)
    assert len(files(root)) == 1
    assert incomes(root) == [1, 1, 1, 2, 2, 2]
    assert compaction.compact(Location.of(root), HOUR).after == 1, "there is nothing left to do"


def test_what_comes_late_is_joined_by_the_next_compaction(root):
    for number, gateway in enumerate(("gateway-1", "gateway-2", "gateway-3")):
        write(root, request(number), gateway=gateway)
        compaction.compact(Location.of(root), HOUR)
    assert (len(files(root)), incomes(root)) == (1, [0, 1, 2])


def test_a_reader_sees_every_row_once_wherever_a_compaction_was_killed(root):
    for number in range(4):
        write(root, request(number), gateway=f"gateway-{number}")
    for copy in killed_at_every_step(root, lambda place: compaction.compact(place, HOUR)):
        assert incomes(copy) == [0, 1, 2, 3]
        compaction.compact(Location.of(copy), HOUR)
        assert incomes(copy) == [0, 1, 2, 3]
        assert [path.name.startswith("compacted-") for path in Path(copy, HOUR).iterdir()] == [True]


def test_a_reader_whose_segments_are_replaced_under_it_looks_again(root):
    for number in range(3):
        write(root, request(number), gateway=f"gateway-{number}")
    place = Location.of(root)
    listed = []

    def attempt():
        listed.append(catalogue.predictions(place))
        compaction.compact(place, HOUR)
        return tables_of(place, listed[-1], ["sequence"], None)

    assert sum(table.num_rows for table in consistently(place, attempt)) == 3
    assert [len(paths) for paths in listed] == [3, 1]


def test_two_compactions_that_overlapped_double_nothing():
    assert superseded({"h/c1": frozenset({"a", "b"}), "h/c2": frozenset({"a", "b", "c"})}) == {
        "h/a", "h/b", "h/c", "h/c1",
    }  # fmt: skip
    assert superseded({"h/c1": frozenset({"a"}), "other/c2": frozenset({"a", "b"})}) == {
        "h/a",
        "other/a",
        "other/b",
    }


def test_segments_with_different_columns_are_not_joined(root):
    write(root, request(1))
    narrow = FeatureSchema(features=SCHEMA.features[:1])
    write(root, request(2, schema=narrow, numbers=[2], texts=[]), gateway="gateway-2")
    assert compaction.compact(Location.of(root), HOUR).after == 2
    assert incomes(root) == [1, 2]


def test_what_a_killed_writer_left_half_written_is_removed(root):
    write(root, request(1))
    leftover = Path(root, HOUR, ".20241121T120005-gateway-9-0000000000.parquet.ab12.tmp")
    leftover.write_bytes(b"PAR1 half a file")
    compaction.compact(Location.of(root), HOUR)
    assert not leftover.exists()


@pytest.mark.parametrize(
    ("minutes", "closed"), [pytest.param(74, False, id="within-the-grace"), pytest.param(75, True, id="after-it")]
)
def test_only_hours_that_nobody_writes_to_are_compacted(root, minutes, closed):
    write(root, request(1), feedback(1))
    found = compaction.closed_partitions(Location.of(root), NOON_UTC + timedelta(minutes=minutes))
    assert found == ([HOUR] if closed else [])


def test_feedback_of_a_day_is_compacted_too(root):
    for number in range(3):
        write(root, feedback(number), gateway=f"gateway-{number}")
    (directory,) = compaction.closed_partitions(Location.of(root), NOON_UTC + timedelta(days=2))
    assert compaction.compact(Location.of(root), directory).after == 1
    assert read_feedback(root).num_rows == 3


def test_compaction_can_put_everything_under_a_new_key(root):
    old, new = new_key(), new_key()
    write(root, request(1, texts=["fixed", "Ann"]), keys=PersonalDataKeys([old]))
    place, rotated = Location.of(root), PersonalDataKeys([new, old])
    assert compaction.compact(place, HOUR, rotated).rows == 1
    assert compaction.compact(place, HOUR, rotated).rows == 0, "it is done once"
    assert read(root, keys=PersonalDataKeys([new]))["feature.Note"].to_pylist() == ["Ann"]
    assert read(root)["unit"].to_pylist() == [PersonalDataKeys([old]).pseudonym("alice")]


def test_compaction_with_a_key_that_fits_nothing_changes_nothing(root):
    write(root, request(1), gateway="gateway-1")
    write(root, request(2), gateway="gateway-2")
    before = files(root)
    with pytest.raises(InvalidPersonalDataKey):
        compaction.compact(Location.of(root), HOUR, PersonalDataKeys([new_key()]))
    assert files(root) == before
    assert not list(Path(root).rglob("*.tmp"))


def test_partitions_leave_when_they_are_older_than_the_log_is_kept(root):
    day = 86_400
    write(root, request(1), request(2, began=NOON + day), request(3, model="churn"), feedback(1))
    place = Location.of(root)
    now = NOON_UTC + timedelta(days=1, hours=1)
    old = retention.expired_partitions(place, Keeping(1, model="credit_risk"), now)
    assert old == [HOUR]
    assert retention.expire(place, HOUR).segments == 1
    assert sorted(read(root)["feature.Income"].to_pylist()) == [2, 3]
    assert not Path(root, HOUR).parent.exists(), "no empty directories stay"
    assert (
        len(retention.expired_partitions(place, Keeping(1), NOON_UTC + timedelta(days=40)))
        == len(partitions(place))
        == 3
    )


@pytest.mark.parametrize(
    ("of_models", "models"),
    [
        pytest.param({}, ["", "churn", "credit_risk"], id="all-alike"),
        pytest.param({"credit_risk": 1}, ["", "churn", "credit_risk"], id="one-shorter"),
        pytest.param({"credit_risk": 90}, ["churn"], id="one-longer-and-its-feedback-with-it"),
    ],
)
def test_a_model_is_kept_as_long_as_its_endpoint_says_and_feedback_as_the_longest(root, of_models, models):
    write(root, request(1), request(2, model="churn"), feedback(1))
    place = Location.of(root)
    old = retention.expired_partitions(place, Keeping(30, of_models), NOON_UTC + timedelta(days=40))
    assert sorted(partitions(place)[directory][0].model for directory in old) == models
    soon = retention.expired_partitions(place, Keeping(30, of_models), NOON_UTC + timedelta(days=3))
    assert len(soon) == (1 if 1 in of_models.values() else 0)


@pytest.mark.parametrize("days", [0, -1, float("nan")])
def test_days_to_keep_must_be_above_zero(root, days):
    with pytest.raises(InvalidLogQuery, match="days"):
        retention.expired_partitions(Location.of(root), Keeping(days), NOON_UTC)


def test_expiry_that_was_killed_brings_nothing_back(root):
    for number in range(3):
        write(root, request(number), gateway=f"gateway-{number}")
    with pytest.raises(Killed):
        compaction.compact(MortalLocation.of_lives(root, 3), HOUR)
    assert len(list(Path(root, HOUR).iterdir())) == 4, "the successor is visible and nothing is deleted yet"
    for copy in killed_at_every_step(root, lambda place: retention.expire(place, HOUR)):
        assert read(copy).num_rows in (0, 3)
        retention.expire(Location.of(copy), HOUR)
        assert read(copy).num_rows == 0


def test_a_person_is_taken_out_with_their_feedback_and_nobody_else(root):
    write(root, request(1), request(2, unit="bob"), request(3, began=NOON + 3600), request(4, unit=None))
    write(root, *(feedback(number) for number in (1, 2, 4)), feedback(3, of=prediction_id(NOON + 3600, 3000)))
    done = care.erase(Location.of(root), KEYS.pseudonyms("alice"))
    assert (done.predictions, done.feedback) == (2, 2)
    assert incomes(root) == [2, 4]
    assert sorted(read_feedback(root)["feedback_id"].to_pylist()) == ["feedback-2", "feedback-4"]
    assert missing(root) == {"gateway-1": GatewayGaps(0, 3, 0)}, "erased is not lost"
    assert care.erase(Location.of(root), KEYS.pseudonyms("alice")).predictions == 0


def test_a_person_is_found_under_the_pseudonyms_of_older_keys(root):
    old, new = new_key(), new_key()
    write(root, request(1), keys=PersonalDataKeys([old]))
    rotated = PersonalDataKeys([new, old])
    write(root, request(2), keys=rotated, gateway="gateway-2")
    assert care.erase(Location.of(root), rotated.pseudonyms("alice")).predictions == 2


def test_an_erasure_that_was_killed_is_completed_by_its_repetition(root):
    write(root, request(1), request(2, unit="bob"))
    write(root, request(3, began=NOON + 3600), gateway="gateway-2")
    write(root, feedback(1), feedback(2), feedback(3, of=prediction_id(NOON + 3600, 3000)))
    alice = KEYS.pseudonyms("alice")
    for copy in killed_at_every_step(root, lambda place: care.erase(place, alice)):
        assert 2 in incomes(copy)
        assert len(incomes(copy)) == len(set(incomes(copy)))
        care.erase(Location.of(copy), alice)
        assert incomes(copy) == [2]
        assert read_feedback(copy)["feedback_id"].to_pylist() == ["feedback-2"]
        everything = b"".join(path.read_bytes() for path in Path(copy).rglob("*.parquet"))
        assert alice[0].encode() not in everything


def test_erased_numbers_are_known_after_a_compaction(root):
    write(root, request(0), request(1, unit="bob"), request(2))
    care.erase(Location.of(root), KEYS.pseudonyms("bob"))
    write(root, request(3), gateway="gateway-2")
    compaction.compact(Location.of(root), HOUR)
    (path,) = files(root)
    assert SegmentNote.of(pq.read_schema(path), path).erased == {"gateway-1": (1,)}
    assert missing(root)["gateway-1"] == GatewayGaps(0, 2, 0)
