"""Two packaged versions of a small model, rows for them, and a job on one of them."""

from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shop_rows import shop_rows
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from deployments.batch.job import BatchJob
from deployments.batch.plan import PackageReference
from deployments.batch.scoring_run import ScoringRun, ThisProcess
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.package import Task
from deployments.runtime import package
from deployments.runtime.model_store import ModelStore
from deployments.runtime.transformers.missing_category import MissingCategory
from training import feature_schema, packaging, served_model

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
VERSIONS = (Version(1, 0, 0), Version(1, 1, 0))


@pytest.fixture(scope="session")
def shop_store(tmp_path_factory):
    rows = shop_rows(300)
    store = ModelStore(tmp_path_factory.mktemp("store"))
    target = np.where((rows["age"] > 45) ^ (rows["city"] == "Bern"), "yes", "no")
    for version, strength in zip(VERSIONS, (1.0, 0.01), strict=True):
        numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        texts = make_pipeline(MissingCategory(), OneHotEncoder(handle_unknown="ignore", sparse_output=False))
        features = make_column_transformer(
            (numbers, make_column_selector(dtype_exclude=object)),
            (texts, make_column_selector(dtype_include=object)),
        )
        pipeline = make_pipeline(features, LogisticRegression(C=strength, max_iter=500)).fit(rows, target)
        fitted = served_model.FittedModel(
            ModelVersion("shop", version),
            pipeline,
            feature_schema.infer(rows),
            Task.BINARY,
            ("yes", "no"),
            family="logistic_regression",
        )
        served = served_model.choose_path(fitted, rows, rows)
        packaging.build_package(served, store, rows, served_model.describe(served, rows, rows), None)
    return store


@pytest.fixture(scope="session")
def shop(shop_store):
    """The packages of both versions, by number."""
    return {version: package.load(shop_store.find("shop", version)) for version in VERSIONS}


class Scenario(SimpleNamespace):
    """A folder with an input, and what scores it."""

    def table(self, count=100, seed=1):
        frame = shop_rows(count, seed)
        frame.insert(0, "customer", [f"c{number}" for number in range(count)])
        return pa.Table.from_pandas(frame, preserve_index=False)

    def put(self, name, table, **options):
        path = self.folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, **options)
        return path

    def text(self, name, content):
        path = self.folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def job(self, **changes):
        given = {
            "model": "shop",
            "version": VERSIONS[0],
            "input": str(self.folder / "in"),
            "output": str(self.folder / "out"),
        }
        return BatchJob(**{**given, **changes})

    def run(self, workers=None, now=NOON, **changes):
        job = self.job(**changes)
        versions = [job.version] if job.version else list(VERSIONS)
        packages = [
            PackageReference(
                version=version, directory=str(self.shop[version].directory), digest=self.shop[version].digest
            )
            for version in versions
        ]
        schemas = [self.shop[version].schema for version in versions]
        return ScoringRun(workers or ThisProcess(), now=lambda: now).run(job, packages, schemas)

    def output(self, folder="out"):
        """All rows of the output, read as a reader reads them: every file that shows itself."""
        tables = [pq.read_table(path) for path in sorted((self.folder / folder).glob("*.parquet"))]
        return pa.concat_tables(tables)

    def rejected(self):
        import json

        lines = [
            line
            for path in sorted((self.folder / "out" / "_rejected").glob("*.jsonl"))
            for line in path.read_text().splitlines()
        ]
        return [json.loads(line) for line in lines]


@pytest.fixture
def scenario(shop, tmp_path):
    return Scenario(folder=tmp_path, shop=shop)
