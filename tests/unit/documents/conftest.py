"""A model that is shipped with transformers: the price of a night out of what a guest wrote."""

import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import Task
from deployments.runtime.model_store import ModelStore
from training import feature_schema, packaging, served_model, shipped_code

MODULES = {
    "__init__.py": "",
    "rates.py": "RATES = {'garden': 80.0, 'sea': 120.0}",
    "documents.py": """
        from __future__ import annotations

        from datetime import datetime

        from pydantic import BaseModel, Field, field_validator

        from deployments.contracts.transformation import DocumentRefused, Prediction

        from .rates import RATES


        class Wish(BaseModel, extra="forbid"):
            nights: int = Field(ge=1)
            view: str

            @field_validator("view")
            @classmethod
            def known(cls, view: str) -> str:
                if view == "void":
                    raise ZeroDivisionError(view)
                if view == "wall":
                    raise DocumentRefused("view", "a wall is no view")
                return view


        class Offer(BaseModel):
            price: float
            chance: float
            version: str


        def to_features(wish: Wish, at: datetime) -> dict[str, float]:
            if wish.view == "moon":
                return {"nights": "many"}
            if wish.view == "nested":
                Wish(nights=0, view="sea")
            if wish.view == "bug":
                raise KeyError(wish.view)
            if wish.view not in RATES:
                raise DocumentRefused("view", "must be garden or sea")
            return {"nights": wish.nights, "rate": RATES[wish.view], "weekend": at.weekday() >= 5}


        def to_answer(wish: Wish, prediction: Prediction) -> Offer:
            if wish.nights == 13:
                raise ValueError("secret of guest 13")
            chance = prediction.probabilities["yes"]
            return Offer(price=RATES[wish.view] * wish.nights, chance=chance, version=prediction.model_version)


        def untyped(wish, prediction):
            return {}


        def of_another(wish: Offer, prediction: Prediction) -> Offer:
            return wish
    """,
}


@pytest.fixture(scope="session")
def source(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("source") / "stays"
    directory.mkdir()
    for name, text in MODULES.items():
        (directory / name).write_text(textwrap.dedent(text))
    return directory


@pytest.fixture(scope="session")
def stays(source, tmp_path_factory):
    """The package."""
    random = np.random.default_rng(3)
    rows = pd.DataFrame(
        {
            "nights": random.integers(1, 14, 200),
            "rate": random.choice([80.0, 120.0], 200),
            "weekend": random.random(200) > 0.5,
        }
    )
    booked = np.where(rows["nights"] * rows["rate"] < 700, "yes", "no")
    model = served_model.FittedModel(
        ModelVersion.parse("stays_v1.0.0"),
        LogisticRegression(max_iter=500).fit(rows, booked),
        feature_schema.infer(rows),
        Task.BINARY,
        ("no", "yes"),
        family="logistic_regression",
        code=shipped_code.read(source),
    )
    served = served_model.choose_path(model, rows, rows)
    store = ModelStore(tmp_path_factory.mktemp("store"))
    return packaging.build_package(served, store, rows, served_model.describe(served, rows, rows), None)
