"""What every test may use."""

import os
import shutil

import postgresql_server
import pytest

_MISSING = "the program {program} is not on PATH; apt-get install {package}"


@pytest.fixture(autouse=True)
def no_tracking_server_of_an_earlier_test(monkeypatch):
    """MLflow keeps the server used last in the environment, where this test would find it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def said(caplog):
    """Messages of one logger, ``said("raygate.monitor")``: what earlier tests left may speak through another."""
    return lambda logger: [record.getMessage() for record in caplog.records if record.name == logger]


@pytest.fixture(scope="session")
def require_program():
    """Path of an optional system program: ``require_program("prometheus", package="prometheus")``.

    Where it is missing the test is skipped and says which Debian package has it. With CI=true that is a failure:
    .ci/run installs them all, and a skip nobody reads would hide that the test never runs.
    """

    def find(program, *, package):
        path = shutil.which(program)
        if path is None:
            message = _MISSING.format(program=program, package=package)
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find


@pytest.fixture(scope="session")
def postgresql_programs(require_program):
    """Paths of initdb and of the server."""
    return require_program("initdb", package="postgresql"), require_program("postgres", package="postgresql")


@pytest.fixture(scope="session")
def postgresql(postgresql_programs):
    """URI of a real PostgreSQL server of our own, with an empty database."""
    with postgresql_server.running(*postgresql_programs) as uri:
        yield uri


@pytest.fixture
def empty_postgresql(postgresql):
    """The same, emptied of what earlier tests left."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(postgresql.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DROP SCHEMA public CASCADE"))
        connection.execute(sqlalchemy.text("CREATE SCHEMA public"))
    engine.dispose()
    return postgresql


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """An MLflow database with its tables: making them takes seconds."""
    import mlflow

    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{file}", f"sqlite:///{file}").search_experiments()
    return file
