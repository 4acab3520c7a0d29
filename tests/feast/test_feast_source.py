"""Features of a real Feast store, in an environment of their own: ``make test-feast``."""

from datetime import UTC, datetime

import deltalake
import pandas as pd
import pytest
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource
from feast.types import Float64, Int64

from training.errors import SourceUnavailable
from training.sources.csv import CsvFile
from training.sources.delta import DeltaLakeTable
from training.sources.feast import FeastFeatures

MONDAY, WEDNESDAY, FRIDAY = (datetime(2026, 11, day, tzinfo=UTC) for day in (16, 18, 20))
SETTINGS = """
project: shop
registry: registry.db
provider: local
offline_store: {type: file}
online_store: {type: sqlite, path: online.db}
entity_key_serialization_version: 3
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A store whose one view learns of customers on Monday and again on Friday."""
    folder = tmp_path_factory.mktemp("store")
    (folder / "feature_store.yaml").write_text(SETTINGS)
    known = pd.DataFrame(
        {
            "customer": [1, 2, 1],
            "event_timestamp": [MONDAY, MONDAY, FRIDAY],
            "orders": [3, 5, 4],
            "spent": [10.5, 20.0, 99.0],
        }
    )
    known.to_parquet(folder / "orders.parquet")
    customer = Entity(name="customer", join_keys=["customer"])
    view = FeatureView(
        name="buying",
        entities=[customer],
        schema=[Field(name="orders", dtype=Int64), Field(name="spent", dtype=Float64)],
        source=FileSource(path=str(folder / "orders.parquet"), timestamp_field="event_timestamp"),
    )
    service = FeatureService(name="churn", features=[view[["spent"]]])
    FeatureStore(repo_path=str(folder)).apply([customer, view, service])
    return str(folder)


@pytest.fixture
def entities(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text(
        "customer,asked,left\n"
        "2,2026-11-18T00:00:00Z,no\n"
        "1,2026-11-21T00:00:00Z,yes\n"
        "1,2026-11-18T00:00:00Z,no\n"
        "1,2026-11-15T00:00:00Z,no\n"
    )
    return CsvFile(kind="csv", path=str(file))


def features(repository, entities, **options):
    said = {"features": ["buying:orders", "buying:spent"], "moment": "asked", **options}
    return FeastFeatures(kind="feast", repository=repository, entities=entities, **said)


def test_each_row_gets_what_was_known_at_its_moment_in_the_order_of_the_rows(repository, entities):
    rows = features(repository, entities).read()
    assert list(rows.columns) == ["customer", "left", "orders", "spent"]
    assert rows["customer"].tolist() == [2, 1, 1, 1]
    assert rows["left"].tolist() == ["no", "yes", "no", "no"]
    assert rows["spent"].tolist()[:3] == [20.0, 99.0, 10.5]
    assert rows["spent"].isna().tolist() == [False, False, False, True]


def test_a_feature_service_lists_the_features(repository, entities):
    rows = features(repository, entities, features=[], service="churn").read()
    assert list(rows.columns) == ["customer", "left", "spent"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"features": ["buying:colour"]}, "colour", id="feature"),
        pytest.param({"features": [], "service": "none"}, "none", id="service"),
        pytest.param({"moment": "when"}, "have no column when; they have customer, asked, left", id="moment"),
        pytest.param({"repository": "/nowhere/at/all"}, "/nowhere/at/all cannot be read", id="repository"),
    ],
)
def test_what_a_store_does_not_have_is_named(repository, entities, change, says):
    with pytest.raises(SourceUnavailable, match=says):
        features(**{"repository": repository, "entities": entities, **change}).read()


def test_the_version_of_the_entities_is_the_version_of_the_rows(repository, entities, tmp_path):
    table = str(tmp_path / "labels")
    deltalake.write_deltalake(table, entities.read())
    pinned = features(repository, DeltaLakeTable(kind="delta", path=table)).pinned()
    assert pinned.data_version == "Delta version 0"
    assert len(pinned.read()) == 4
