"""Delta tables and files that DVC tracks: the rows of an earlier day, named and read again."""

import hashlib
import json
import subprocess
import sys

import deltalake
import pandas as pd
import pytest
import yaml

from deployments.contracts import yaml_document
from deployments.runtime.model_store import ModelStore
from training import run
from training.config import TrainingConfig
from training.errors import SourceUnavailable
from training.places import Places
from training.sources.delta import DeltaLakeTable
from training.sources.dvc import DvcFile
from training.sources.feast import FeastFeatures
from training.sources.versioned import pin

FIRST = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
SECOND = pd.DataFrame({"a": [3], "b": ["z"]})


def delta(path, **options):
    return DeltaLakeTable(kind="delta", path=path, **options)


@pytest.fixture
def table(tmp_path):
    path = str(tmp_path / "table")
    deltalake.write_deltalake(path, FIRST)
    deltalake.write_deltalake(path, SECOND, mode="append")
    return path


def test_a_delta_table_gives_its_latest_rows_and_any_earlier_ones(table):
    assert sorted(delta(table).read()["a"]) == [1, 2, 3]
    pd.testing.assert_frame_equal(delta(table, version=0).read(), FIRST)


def test_a_delta_table_that_changes_after_it_was_pinned_gives_what_it_was(table):
    pinned, version = pin(delta(table))
    deltalake.write_deltalake(table, SECOND, mode="overwrite")
    assert version == "Delta version 1"
    assert sorted(pinned.read()["a"]) == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"version": 9}, "version 9 of .*table cannot be read", id="no-such-version"),
        pytest.param({"path": "/nowhere/at/all"}, "/nowhere/at/all cannot be read", id="no-such-table"),
    ],
)
def test_a_delta_table_that_cannot_be_read_is_named(table, change, says):
    with pytest.raises(SourceUnavailable, match=says):
        pin(delta(**{"path": table, **change}))[0].read()


def test_a_delta_table_in_s3_gives_its_rows(s3, bucket):
    path = f"s3://{bucket}/delta"
    deltalake.write_deltalake(path, FIRST, storage_options={"aws_allow_http": "true"})
    pd.testing.assert_frame_equal(delta(path).read(), FIRST)


class NoRegistry:
    def register(self, made, receipt):
        pass


def test_the_version_that_was_read_goes_into_the_package(tmp_path, credit_dataset):
    table = str(tmp_path / "credit")
    rows = credit_dataset.rows.features.assign(Status=credit_dataset.rows.target)[:600]
    deltalake.write_deltalake(table, rows)
    text = f"""
model: credit_risk
source: {{kind: delta, path: {table}}}
target: {{column: Status, positive: bad}}
versions: [{{version: 1.0.0, family: logistic_regression}}]
"""
    places = Places(ModelStore(tmp_path / "models"), NoRegistry(), tmp_path / "searches", lambda: None)
    [outcome] = run.train(yaml_document.read(text, "t.yaml", TrainingConfig), places, lambda line: None)
    assert outcome.package.metadata.data_version == "Delta version 0"
    assert "Delta version 0, " in outcome.package.read("model_card.md").decode()


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    return subprocess.run(
        ["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def stored(content, storage, suffix=""):
    """Put content where DVC 3 would; return its name there."""
    name = hashlib.md5(content).hexdigest() + suffix
    place = storage / "files" / "md5" / name[:2] / name[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return name


def tracked(folder, file, name, **more):
    """Commit the pointer that ``dvc add`` writes."""
    out = {"md5": name, "size": 1, "hash": "md5", "path": file.name, **more}
    pointer = folder / f"{file}.dvc"
    pointer.parent.mkdir(parents=True, exist_ok=True)
    pointer.write_text(yaml.safe_dump({"outs": [{key: value for key, value in out.items() if value}]}))
    git(folder, "add", ".")
    git(folder, "commit", "-m", f"{file}")


@pytest.fixture
def repository(tmp_path):
    folder, storage = tmp_path / "repository", tmp_path / "storage"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text(
        "[core]\n    remote = near\n['remote \"near\"']\n    url = ../../storage\n"
    )
    git(tmp_path, "init", "--initial-branch", "main", str(folder))
    for tag, rows in (("v1", FIRST), ("v2", SECOND)):
        tracked(folder, (folder / "data" / "rows.csv").relative_to(folder), stored(_csv(rows), storage))
        git(folder, "tag", tag)
    return folder


def _csv(rows):
    return rows.to_csv(index=False).encode()


def dvc(repository, revision, path="data/rows.csv", **options):
    return DvcFile(kind="dvc", repository=str(repository), revision=revision, path=path, **options)


@pytest.mark.parametrize(("revision", "rows"), [("v1", FIRST), ("v2", SECOND), ("main~1", FIRST)])
def test_a_tracked_file_gives_the_rows_of_a_revision(repository, revision, rows):
    pd.testing.assert_frame_equal(dvc(repository, revision).read(), rows)


def test_a_branch_is_recorded_as_the_commit_that_it_stands_for(repository):
    pinned, version = pin(dvc(repository, "main"))
    assert version == f"Git commit {git(repository, 'rev-parse', 'main')}"
    (repository / "later").write_text("")
    git(repository, "rm", "data/rows.csv.dvc")
    git(repository, "commit", "-m", "gone")
    pd.testing.assert_frame_equal(pinned.read(), SECOND)


def test_a_file_of_a_tracked_directory_is_found_in_its_listing(repository, tmp_path):
    content = FIRST.to_json(orient="records", lines=True).encode()
    md5 = stored(content, tmp_path / "storage")
    listing = json.dumps([{"md5": md5, "relpath": "deep/rows.jsonl"}]).encode()
    tracked(
        repository,
        repository.joinpath("set").relative_to(repository),
        stored(listing, tmp_path / "storage", ".dir"),
    )
    pd.testing.assert_frame_equal(dvc(repository, "main", "set/deep/rows.jsonl").read(), FIRST)
    with pytest.raises(SourceUnavailable, match="its tracked directory has no such file"):
        dvc(repository, "main", "set/other.csv").read()


def test_the_cache_of_the_clone_is_asked_before_the_remote(repository, tmp_path):
    for place in (tmp_path / "storage").rglob("*"):
        if place.is_file():
            place.unlink()
    with pytest.raises(SourceUnavailable, match=r"data/rows.csv at .*cache.*cannot be read.*storage"):
        dvc(repository, "v1").read()
    stored(_csv(FIRST), repository / ".dvc" / "cache")
    pd.testing.assert_frame_equal(dvc(repository, "v1").read(), FIRST)


def test_a_remote_in_s3_gives_the_content(repository, tmp_path, s3, bucket):
    (repository / ".dvc" / "config.local").write_text(
        f"['remote \"far\"']\n    url = s3://{bucket}/dvc\n    endpointurl = {s3.meta.endpoint_url}\n"
    )
    name = hashlib.md5(_csv(SECOND)).hexdigest()
    s3.put_object(Bucket=bucket, Key=f"dvc/files/md5/{name[:2]}/{name[2:]}", Body=_csv(SECOND))
    pd.testing.assert_frame_equal(dvc(repository, "v2", remote="far").read(), SECOND)


def test_content_that_is_not_what_the_pointer_says_is_refused(repository, tmp_path):
    for place in (tmp_path / "storage").rglob("*"):
        if place.is_file():
            place.write_bytes(b"a,b\n9,9\n")
    with pytest.raises(SourceUnavailable, match=r"its MD5 is .* it was changed"):
        dvc(repository, "v1").read()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(
            {"revision": "v9"}, "Git repository .* cannot be read: fatal: Needed a single", id="revision"
        ),
        pytest.param({"revision": "--all"}, "Needed a single revision", id="revision-like-an-option"),
        pytest.param({"path": "other.csv"}, "there is no other.csv.dvc", id="not-tracked"),
        pytest.param({"remote": "far"}, "DVC remote far cannot be read: .*has none of that name", id="remote"),
        pytest.param({"repository": "/nowhere"}, "Git repository /nowhere", id="repository"),
    ],
)
def test_a_tracked_file_that_cannot_be_had_is_named(repository, change, says):
    with pytest.raises(SourceUnavailable, match=says):
        dvc(**{"repository": repository, "revision": "v1", **change}).read()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        pytest.param({"hash": None}, "was written by DVC 2", id="dvc-2"),
        pytest.param({"path": "other"}, "is no pointer to old.csv", id="another-file"),
        pytest.param({"md5": "0" * 32 + ".dir"}, "stands for a directory; name a file in it", id="directory"),
    ],
)
def test_a_pointer_that_is_none_is_named(repository, more, says):
    tracked(repository, repository.joinpath("old.csv").relative_to(repository), "0" * 32, **more)
    with pytest.raises(SourceUnavailable, match=rf"old\.csv\.dvc cannot be read: {says}"):
        dvc(repository, "main", "old.csv").read()


def test_a_feature_store_names_features_or_the_service_that_lists_them():
    said = {"kind": "feast", "repository": ".", "entities": {"kind": "csv", "path": "rows.csv"}}
    for both in ({}, {"features": ["a:b"], "service": "c"}):
        with pytest.raises(ValueError, match="name either features or the service"):
            FeastFeatures.model_validate({**said, **both})


def test_an_extra_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "feast", None)
    (tmp_path / "rows.csv").write_text("event_timestamp,y\n2026-11-21,1\n")
    entities = {"kind": "csv", "path": str(tmp_path / "rows.csv")}
    said = {"kind": "feast", "repository": ".", "entities": entities, "service": "s"}
    with pytest.raises(SourceUnavailable, match=r"install raygate\[feast\]"):
        FeastFeatures.model_validate(said).read()
