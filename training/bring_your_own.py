"""A package from a model that was trained elsewhere, and a sample of its input."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deployments.contracts import labels
from deployments.contracts.errors import PackageNotFound, PackagingFailed
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import RiskTier, Task
from deployments.runtime import package
from deployments.runtime.model_store import ModelStore
from deployments.runtime.package import ModelPackage
from deployments.runtime.signature import SigningKey
from training import feature_schema, model_files, packaging, row_content, served_model, shipped_code
from training.code_version import code_version
from training.documents import brought_in
from training.evaluation_report import EvaluationReport
from training.served_model import FittedModel, ServedModel
from training.trained_from import TRAINED_FROM

COMPARED_ROWS = 2000


@dataclass(frozen=True)
class BroughtModel:
    """A model of somebody else's.

    Attributes:
        location: File or MLflow URI.
        sample: Parquet or CSV file with rows as the model takes them; the more like production, the better: the
            schema (types, categories, which features may be null) and the drift baseline come from it.
        identity: The name and number that it gets.
        target: Column of the sample that holds the truth: metrics are computed from it and it is no feature.
        positive: Of two labels, the one whose probability the model is about; by default the model's second.
        risk_tier: How much harm a wrong answer may do.
        transformers: Directory of a Python package that is shipped with it, for endpoint files to name.
    """

    location: str
    sample: Path
    identity: ModelVersion
    target: str | None = None
    positive: str | None = None
    risk_tier: RiskTier | None = None
    transformers: Path | None = None


def package_model(brought: BroughtModel, store: ModelStore, signing_key: SigningKey | None = None) -> ModelPackage:
    """Make a package and put it into the store; doing it again with the same content changes nothing.

    Of a URI the content is what it stands for now: after an alias moved, it is another model.

    Args:
        brought: The model.
        store: Where the package goes.
        signing_key: Signs it; None leaves it unsigned.

    Raises:
        PackagingFailed: The model cannot be read or served, the sample does not fit it, or the store holds another
            model as this version.
        InvalidRows: A column of the sample is of no kind that a request could hold.
    """
    rows = _read_sample(brought.sample)
    code = shipped_code.read(brought.transformers) if brought.transformers else {}
    with model_files.at_hand(brought.location) as file:
        recipe = _recipe(brought, file, rows, code)
        present = _present(brought.identity, recipe, store)
        if present is not None:
            return present
        estimator = model_files.load(file, brought.location)
    target = _target(brought, rows)
    features = _features_of(estimator, rows.drop(columns=[brought.target] if brought.target else []), brought)
    model = _fitted(brought, estimator, features, recipe, code)
    compared = features.sample(min(len(features), COMPARED_ROWS), random_state=0)
    served = served_model.choose_path(model, features, compared)
    evaluation = _judged(served, features, target)
    reference = served_model.describe(served, features, features)
    documents = brought_in.build(served, evaluation, features, target, reference)
    return packaging.build_package(served, store, features, reference, evaluation, signing_key, documents)


def _recipe(brought: BroughtModel, file: Path, rows: pd.DataFrame, code: dict[str, bytes]) -> dict[str, Any]:
    """What it is made from; what nobody gave is left out, so that an older package stays made from the same."""
    content = row_content.fingerprint(rows)
    tier = {} if brought.risk_tier is None else {"risk_tier": brought.risk_tier.value}
    transformers = {"transformers": shipped_code.fingerprint(code)} if code else {}
    model = model_files.content_hash(file)
    return {"model": model, "sample": content, "target": brought.target, **tier, **transformers}


def _fitted(
    brought: BroughtModel, estimator: Any, features: pd.DataFrame, recipe: dict[str, Any], code: dict[str, bytes]
) -> FittedModel:
    task, classes = _question(estimator, brought)
    return FittedModel(
        identity=brought.identity,
        estimator=estimator,
        schema=feature_schema.infer(features),
        task=task,
        classes=classes,
        family=_family(estimator),
        data_fingerprint=recipe["sample"],
        data_version=brought_in.SAMPLE,
        code_version=code_version(),
        trained_from=recipe,
        risk_tier=brought.risk_tier,
        code=code,
    )


def _judged(served: ServedModel, features: pd.DataFrame, target: pd.Series[Any] | None) -> EvaluationReport | None:
    if target is None:
        return None
    milliseconds = served_model.one_row_milliseconds(served, features)
    report = served_model.judge(served, features, target)
    return report.model_copy(update={"one_row_milliseconds": milliseconds})


def _present(identity: ModelVersion, recipe: dict[str, Any], store: ModelStore) -> ModelPackage | None:
    try:
        present = package.load(store.find(identity.model, identity.version))
    except PackageNotFound:
        return None
    if TRAINED_FROM in present.manifest.files and json.loads(present.read(TRAINED_FROM)) == recipe:
        return present
    raise PackagingFailed(
        str(identity), "is in the store already, made from another model or sample; give this one another version"
    )


def _read_sample(file: Path) -> pd.DataFrame:
    if file.suffix not in (".parquet", ".csv"):
        raise PackagingFailed(f"sample {file}", "must be a .parquet or a .csv file")
    try:
        rows = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise PackagingFailed(f"sample {file}", f"cannot be read: {error}") from error
    if rows.empty:
        raise PackagingFailed(f"sample {file}", "has no rows")
    return rows


def _target(brought: BroughtModel, rows: pd.DataFrame) -> pd.Series[Any] | None:
    if brought.target is None:
        return None
    if brought.target not in rows.columns:
        known = ", ".join(map(str, rows.columns))
        raise PackagingFailed(f"sample {brought.sample}", f"has no column {brought.target!r}; it has {known}")
    return rows[brought.target]


def _features_of(estimator: Any, rows: pd.DataFrame, brought: BroughtModel) -> pd.DataFrame:
    """The columns that the model was trained on, in its order; all of them if it does not say."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None and not set(names) & set(rows.columns):
        names = None  # "Column_0", "f0": made up by a library that was given an array
    wanted = [str(name) for name in names] if names is not None else [str(name) for name in rows.columns]
    if missing := [name for name in wanted if name not in rows.columns]:
        raise PackagingFailed(
            f"sample {brought.sample}", f"lacks columns that the model takes: {', '.join(missing)}"
        )
    count = getattr(estimator, "n_features_in_", len(wanted))
    if count != len(wanted):
        hint = "" if brought.target else "; is one of them the target? name it, so that it is left out"
        raise PackagingFailed(
            f"sample {brought.sample}", f"has {len(wanted)} columns and the model takes {count}{hint}"
        )
    return rows[wanted]


def _question(estimator: Any, brought: BroughtModel) -> tuple[Task, tuple[str | int | bool, ...]]:
    if getattr(estimator, "classes_", None) is None:
        return Task.REGRESSION, ()
    classes = np.asarray(estimator.classes_).tolist()
    if brought.positive is not None:
        texts = [labels.text(label) for label in classes]
        if len(texts) != 2 or brought.positive not in texts:
            message = f"positive label {brought.positive!r} is not one of two; labels: {', '.join(texts)}"
            raise PackagingFailed(str(brought.identity), message)
        classes.sort(key=lambda label: labels.text(label) == brought.positive)
    return (Task.BINARY if len(classes) == 2 else Task.MULTICLASS), tuple(classes)


def _family(estimator: Any) -> str:
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    return type(last).__name__
