"""Logged predictions that were given a label, as rows to train from and rows to judge by."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.request_record import Stage
from deployments.prediction_log import labels
from deployments.prediction_log.columns import FEATURE_PREFIX
from deployments.prediction_log.personal_data import PersonalDataKeys
from ray_apps.retraining.errors import NotEnoughLabels
from ray_apps.retraining.plan import Rows
from training import data
from training.config import Target, TrainingConfig

if TYPE_CHECKING:
    import pandas as pd

TRAINED, JUDGED = "trained.parquet", "judged.parquet"


@dataclass(frozen=True)
class Parts:
    """Rows of a run, with the columns of its training document.

    Attributes:
        trained: The original set, then the logged rows but the newest; none that equals one of ``judged``.
        judged: The newest logged rows: the challenger is not trained on them.
        logged: Usable logged rows.
        left_out: Rows that are not trained because they equal one that judges.
    """

    trained: pd.DataFrame
    judged: pd.DataFrame
    logged: int
    left_out: int


def read(
    uri: str, model: str, schema: FeatureSchema, target: Target, since: datetime, keys: PersonalDataKeys | None
) -> pd.DataFrame:
    """Features and targets of every prediction since a moment that has a label, the oldest first.

    Of several labels of one prediction the last counts; copies that shadows answered do not.

    Args:
        uri: Root of the prediction log.
        model: Registered model; whichever version answered, the label is what turned out to be true.
        schema: Features that are taken.
        target: What the labels are.
        since: Predictions that were asked for then or later.
        keys: Decrypt personal data; without them such features are null.

    Raises:
        StorageUnreachable: The log cannot be read.
        InvalidPersonalDataKey: A value was encrypted with another key.
    """
    import pandas as pd
    import pyarrow.compute as pc

    names = {FEATURE_PREFIX + feature.name: feature.name for feature in schema.features}
    columns = ["prediction_id", "timestamp", "stage", *names]
    table = labels.labelled(uri, model=model, since=since, columns=columns, keys=keys)
    told = labels.latest(table.filter(pc.equal(table["stage"], Stage.LIVE.value))).to_pandas()
    told = told.sort_values("timestamp", kind="stable")
    features = told.reindex(columns=list(names)).rename(columns=names)
    if target.columns:
        truth = pd.DataFrame([json.loads(text) for text in told["label"]], index=told.index).reindex(
            columns=list(target.columns)
        )
    else:
        truth = told[["label"]].rename(columns={"label": target.column})
    return pd.concat([features, truth], axis=1).reset_index(drop=True)


def divide(logged: pd.DataFrame, original: pd.DataFrame, config: TrainingConfig, rows: Rows) -> Parts:
    """Put logged rows beside the original set, and keep the newest apart.

    Args:
        logged: From ``read``.
        original: As the training document's source gives it.
        config: The training document.
        rows: How many are needed, and which share judges.

    Raises:
        NotEnoughLabels: There are too few with a label that the original set knows.
        InvalidDocument: The document does not fit the original set.
    """
    import numpy as np
    import pandas as pd

    from training.distributed.portions import hashes

    written = data.features(original, config)
    original = original.assign(**{str(name): written[name] for name in written.columns})
    shaped = _shaped(logged, original)
    usable = shaped[_known_labels(shaped, original, config.target)].reset_index(drop=True)
    usable = _shaped(usable, original)  # again: what had no room in the original type may be gone
    if len(usable) < rows.minimum:
        raise NotEnoughLabels(len(usable), rows.minimum)
    begin = len(usable) - max(1, round(rows.judged * len(usable)))
    judged = usable.iloc[begin:].reset_index(drop=True)
    trained = pd.concat([original, usable.iloc[:begin]], ignore_index=True)
    # A living source has the logged rows, too, and people ask again: what judges would have been learnt before.
    are_judged = np.isin(hashes(trained[usable.columns]), hashes(judged))
    return Parts(trained[~are_judged].reset_index(drop=True), judged, len(usable), int(are_judged.sum()))


def keep(parts: Parts, directory: Path) -> None:
    """Write the parts, readable by their owner alone: they may hold personal data in clear."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    for name, part in ((TRAINED, parts.trained), (JUDGED, parts.judged)):
        aside = directory / f".{name}.part"
        part.to_parquet(aside, index=False)
        aside.replace(directory / name)


def _shaped(rows: pd.DataFrame, original: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: _like(rows[name], original[name]) for name in rows.columns})


def _like(values: pd.Series[Any], original: pd.Series[Any]) -> pd.Series[Any]:
    """Logged values with the type of the original column, where they have room in it."""
    import pandas as pd

    if isinstance(original.dtype, pd.CategoricalDtype):
        return values  # with its dtype a category that training never saw would be missing
    if pd.api.types.is_bool_dtype(original):
        return values.map({"true": True, "false": False, True: True, False: False})
    if pd.api.types.is_numeric_dtype(original):
        values = pd.to_numeric(values, errors="coerce")
    if pd.api.types.is_integer_dtype(original) and (values.isna().any() or (values % 1 != 0).any()):
        return values
    return values.astype(original.dtype)


def _known_labels(rows: pd.DataFrame, original: pd.DataFrame, target: Target) -> pd.Series[Any]:
    """Rows whose target can be learnt: a label that the original set has, or any number for a quantity."""
    from deployments.contracts.package import Task

    there = rows[list(target.names)].notna().all(axis=1)
    truth = original[list(target.columns)] if target.columns else original[target.column].dropna()
    task, _ = data.question(truth, target)
    return there if task is Task.REGRESSION else there & rows[target.column].isin(original[target.column].unique())
