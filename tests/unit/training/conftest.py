"""The real credit data, and small frames to train on."""

from pathlib import Path

import pytest

from deployments.runtime.model_store import ModelStore
from training import config, data, feature_schema

EXAMPLE = Path(__file__).parents[3] / "examples" / "credit-risk" / "training.yaml"


@pytest.fixture(scope="session")
def credit_config():
    return config.read(EXAMPLE)


@pytest.fixture(scope="session")
def credit_dataset(credit_config):
    return data.read(credit_config)


@pytest.fixture(scope="session")
def credit(credit_config, credit_dataset):
    return data.split(credit_dataset, credit_config.split)


@pytest.fixture(scope="session")
def credit_schema(credit):
    return feature_schema.infer(credit.train.features)


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")
