"""A small packaged model with numbers, texts and nulls; made once."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import Task
from deployments.runtime import package
from deployments.runtime.model_store import ModelStore
from deployments.runtime.transformers.missing_category import MissingCategory
from training import feature_schema, packaging, served_model

IDENTITY = ModelVersion.parse("shop_v1.0.0")


@pytest.fixture(scope="session")
def rows():
    random = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 80, 300),
            "city": random.choice(["Bern", "Łódź", "São Paulo"], 300),
            "income": random.normal(3000, 900, 300).round(2),
            "member": random.random(300) > 0.5,
            "device": random.choice(["phone", "desk"], 300),
        }
    )
    frame.loc[::10, "income"] = np.nan
    frame.loc[::15, "city"] = np.nan
    return frame


@pytest.fixture(scope="session")
def pipeline_of():
    """What an estimator needs before it: texts become zeros and ones, numbers are imputed and scaled."""

    def pipeline(estimator, scales=True):
        numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()) if scales else "passthrough"
        texts = make_pipeline(MissingCategory(), OneHotEncoder(handle_unknown="ignore", sparse_output=False))
        features = make_column_transformer(
            (numbers, make_column_selector(dtype_exclude=object)),
            (texts, make_column_selector(dtype_include=object)),
        )
        return make_pipeline(features, estimator)

    return pipeline


@pytest.fixture(scope="session")
def fitted(rows, pipeline_of):
    target = np.where((rows["age"] > 45) ^ (rows["city"] == "Bern"), "yes", "no")
    schema = feature_schema.infer(rows)
    pipeline = pipeline_of(LogisticRegression(max_iter=500)).fit(rows, target)
    return served_model.FittedModel(
        IDENTITY, pipeline, schema, Task.BINARY, ("yes", "no"), family="logistic_regression"
    )


@pytest.fixture(scope="session")
def packaged_once(rows, fitted, tmp_path_factory):
    served = served_model.choose_path(fitted, rows, rows)
    store = ModelStore(tmp_path_factory.mktemp("store"))
    return packaging.build_package(served, store, rows, served_model.describe(served, rows, rows), None)


@pytest.fixture
def directory(packaged_once, tmp_path) -> Path:
    """A copy that a test may damage."""
    import shutil

    return Path(shutil.copytree(packaged_once.directory, tmp_path / "package"))


@pytest.fixture
def packaged(directory):
    return package.load(directory)
