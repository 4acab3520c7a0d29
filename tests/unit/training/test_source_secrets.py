"""A document, and so a package and a registry, holds no secret of a source; nor does an error."""

import pytest
import sqlalchemy
from pydantic import TypeAdapter, ValidationError

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument
from training import source_address
from training.config import TrainingConfig
from training.errors import SourceUnavailable
from training.sources import Source
from training.sources.location import opened

DOCUMENT = """
model: m
source: {SOURCE}
target: {column: y}
versions: [{version: 1.0.0, family: lightgbm}]
"""


@pytest.mark.parametrize(
    ("source", "says"),
    [
        pytest.param(
            "kind: http, url: 'https://me:hunter2@host/x'",
            r"url must hold no password; authentication names the variable",
            id="http-password",
        ),
        pytest.param("kind: http, url: 'https://hunter2@host/x'", "url must hold no user", id="http-user"),
        pytest.param("kind: http, url: 'https://me:hun/ter2@host/x'", "no password", id="http-slash"),
        pytest.param("kind: http, url: 'htps://me:hunter2@host/x'", "no password", id="misspelt-scheme"),
        pytest.param("kind: http, url: 'https://host/x?api_key=hunter2'", "no parameter api_key", id="http-key"),
        pytest.param("kind: http, url: 'https://host/x?AccessToken=hunter2'", "AccessToken", id="http-token"),
        pytest.param(
            "kind: http, url: 'https://host/x', parameters: {apikey: hunter2}",
            "parameters must hold no apikey; authentication",
            id="http-parameters",
        ),
        pytest.param(
            "kind: sql, query: SELECT 1, url: 'postgresql://me:hunter2@host/db'",
            "url must hold no password; password_from names the variable",
            id="sql-password",
        ),
        pytest.param(
            "kind: sql, query: SELECT 1, url: 'postgresql://host/db?user=me&password=hunter2'",
            "no parameter password; password_from",
            id="sql-parameter",
        ),
        pytest.param(
            "kind: sql, query: SELECT 1, url: 'mssql+pyodbc:///?odbc_connect=UID%3Dme%3BPWD%3Dhunter2'",
            "no parameter odbc_connect",
            id="sql-connection-string",
        ),
        pytest.param("kind: csv, path: 's3://key:hunter2@bucket/x.csv'", "AWS_ACCESS_KEY_ID", id="s3"),
        pytest.param("kind: csv, path: 's3://key:hun/ter2@bucket/x.csv'", "AWS_ACCESS_KEY_ID", id="s3-slash"),
        pytest.param("kind: delta, path: 'https://a.blob.core.windows.net/c?sig=hunter2'", "sig", id="signed-url"),
        pytest.param(
            "kind: feast, repository: x, features: [a:b], entities: {kind: csv, path: 's3://k:hunter2@b/x'}",
            "path must hold no password",
            id="entities",
        ),
    ],
)
def test_a_secret_in_a_document_is_refused_and_not_repeated(source, says):
    with pytest.raises(InvalidDocument, match=says) as raised:
        yaml_document.read(DOCUMENT.replace("SOURCE", source), "t.yaml", TrainingConfig)
    assert "ter2" not in str(raised.value)
    assert "ter2" not in str(raised.value.__cause__)


def test_a_source_that_is_made_in_python_refuses_a_secret_in_silence():
    with pytest.raises(ValidationError, match="must hold no password") as raised:
        TypeAdapter(Source).validate_python({"kind": "http", "url": "https://me:hunter2@host/x"})
    assert "hunter2" not in str(raised.value.errors(include_input=False))


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+psycopg://reader@host:5432/sales?sslmode=require",
        "sqlite:///rows.db",
        "abfss://container@account.dfs.core.windows.net/rows",
        "https://[::1]:8443/x?from=2026-01-01&tokens=5",
        "s3://bucket/a:b@c/rows.csv?region=eu-central-1",
        "rows/me:you@here.csv",
    ],
)
def test_an_address_without_a_secret_is_taken(address):
    assert source_address.secret_in(address) == ""
    assert source_address.masked(address) == address


@pytest.mark.parametrize(
    "told",
    [
        "cannot reach postgresql://me:hunter2@host/db: refused",
        "GET https://host/x?page=2&api_key=hunter2 failed",
        "no connection with UID=me;PWD=hunter2;",
        "password='hunter2' is wrong",
    ],
)
def test_what_a_library_repeats_is_masked(told):
    error = SourceUnavailable("https://me:hunter2@host/x?token=hunter2", told)
    assert "hunter2" not in f"{error} {error.args} {error.source} {error.reason}"
    assert "host" in str(error)


def test_a_secret_in_a_remote_is_refused_and_not_repeated():
    with pytest.raises(SourceUnavailable, match="must hold no password") as raised, opened("s3://k:hunter2@b/x"):
        pass
    assert "hunter2" not in str(raised.value)


def test_a_driver_that_repeats_the_password_is_not_believed(monkeypatch):
    monkeypatch.setenv("THE_PASSWORD", "hunter2")
    source = {"kind": "sql", "url": "sqlite://me@hos t/db", "query": "SELECT 1", "password_from": "THE_PASSWORD"}

    def refuse(url):
        raise sqlalchemy.exc.ArgumentError(f"cannot use {url.render_as_string(hide_password=False)}")

    monkeypatch.setattr(sqlalchemy, "create_engine", refuse)
    with pytest.raises(SourceUnavailable, match="no driver: cannot use") as raised:
        TypeAdapter(Source).validate_python(source).read()
    assert "hunter2" not in str(raised.value)
